"""Where a JSON file is broken: the line, counted by us, because DuckDB may be one off. Child side."""

import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.errors import UserError
from connections import policy

_SAID = re.compile(
    r'Malformed JSON in file "(?P<path>.+)", at byte \d+ in (?P<unit>line|record/value)'
)
_NOT_BLANK = re.compile(r"\S")
#: A document is looked through as a whole; a larger one is not worth the memory.
_TEXT_BYTES = 128 * 1024 * 1024


class MalformedJson(UserError):
    """The file is no JSON at some place."""

    code = "malformed_json"


def explain_malformed(text: str, files_root: Path) -> MalformedJson | None:
    """What DuckDB said of a broken file as a sentence with file and line; None for another error."""
    found = _SAID.search(text)
    if not found:
        return None
    path = Path(found["path"])
    line = bad_line(path) if found["unit"] == "line" else bad_place(path)
    where = f" in line {line:,}" if line else ""
    return MalformedJson(
        f"{policy.display_path(path, files_root)}: malformed JSON{where}.",
        field="path",
        remedy="Correct the file, then run again; nothing of it was loaded.",
        detail=text.partition("\n")[0].replace(str(path), path.name)[:500],
    )


def bad_line(path: Path) -> int | None:
    """The first line of a file of JSON lines that is not JSON."""
    with _opened(path) as lines:
        return _first_bad(lines)


def bad_place(path: Path) -> int | None:
    """The line at which a file of JSON documents, one or several, stops being JSON; None for a very large file."""
    with _opened(path) as stream:
        data = stream.read(_TEXT_BYTES + 1)
    if len(data) > _TEXT_BYTES:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    decoder, place = json.JSONDecoder(), 0
    while found := _NOT_BLANK.search(text, place):
        try:
            _, place = decoder.raw_decode(text, found.start())
        except ValueError as error:
            return text.count("\n", 0, getattr(error, "pos", found.start())) + 1
    return None


def _first_bad(lines: Iterable[bytes]) -> int | None:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                json.loads(line)
            except ValueError:
                return number
    return None


def _opened(path: Path) -> io.BufferedReader:
    """Plain, or compressed as its name says."""
    import pyarrow as pa

    stream: Any = pa.input_stream(str(path), compression="detect")
    return io.BufferedReader(stream)
