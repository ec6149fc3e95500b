"""How a CSV file is laid out, and DuckDB's ``read_csv`` for exactly that layout. Child side.

DuckDB's own detection is not used for the layout: given a ragged file it may take a data row for
the header and drop what stands above it. Here the delimiter is the only thing ever guessed, and the
names come from the first line.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from connections.connectors.files import file_list
from connections.connectors.sql import quote_identifier, quote_text

if TYPE_CHECKING:
    import duckdb

_DELIMITERS = (",", ";", "\t", "|")
_HEAD_LINES = 100
#: The most ragged lines a check looks at.
_REJECTS = 1000
#: Stands in no text file: makes DuckDB hand over whole lines, decompressed and decoded.
_NO_DELIMITER = "\x01"
_NO_NULL = "\x02"


@dataclass(frozen=True)
class Layout:
    """Delimiter and column names of a file; files that share one are read together."""

    delimiter: str
    quote: str
    columns: tuple[str, ...]

    def count(self, line: str) -> int:
        """The number of fields in a line."""
        return len(_split([line], self.delimiter, self.quote)[0])


def layouts_of(
    con: "duckdb.DuckDBPyConnection", files: list[Path], config: dict[str, Any]
) -> dict[Layout, list[Path]]:
    """The files grouped by layout, in their order."""
    groups: dict[Layout, list[Path]] = {}
    for file in files:
        groups.setdefault(_layout_of(con, file, config), []).append(file)
    return groups


def read_csv(
    files: list[Path],
    layout: Layout,
    config: dict[str, Any],
    *,
    typed: bool = False,
    lenient: bool = False,
    rejects: bool = False,
) -> str:
    """The ``read_csv(…)`` of files of one layout: columns as text, or as sniffed when ``typed``.

    A row that does not fit is an error; ``lenient`` leaves it out, ``rejects`` records it in
    ``reject_errors``.
    """
    nulls = ", ".join(quote_text(text) for text in null_texts(config))
    options = {
        "delim": quote_text(layout.delimiter),
        "quote": quote_text(layout.quote),
        "escape": quote_text(layout.quote),
        "comment": "''",
        "header": str(_has_header(config)).lower(),
        "skip": "0",
        "encoding": quote_text(str(config.get("encoding") or "utf-8")),
        "nullstr": f"[{nulls}]",
        "allow_quoted_nulls": "false",
        "hive_partitioning": "false",
        "decimal_separator": quote_text(str(config.get("decimal") or ".")),
    }
    if typed:
        names = ", ".join(quote_text(name) for name in layout.columns)
        options |= {"names": f"[{names}]"}
    else:
        columns = ", ".join(f"{quote_identifier(name)}: 'VARCHAR'" for name in layout.columns)
        options |= {"columns": f"{{{columns}}}", "auto_detect": "false"}
    if lenient:
        options |= {"ignore_errors": "true"}
    if rejects:
        options |= {"store_rejects": "true", "rejects_limit": str(_REJECTS)}
    return f"read_csv({file_list(files)}, {', '.join(f'{k} = {v}' for k, v in options.items())})"


def null_texts(config: dict[str, Any]) -> list[str]:
    """What stands for NULL when it is not quoted."""
    extra = str(config.get("null_text") or "")
    return ["", extra] if extra else [""]


def _has_header(config: dict[str, Any]) -> bool:
    return str(config.get("header") or "yes") != "no"


def _layout_of(con: "duckdb.DuckDBPyConnection", file: Path, config: dict[str, Any]) -> Layout:
    lines = _head(con, file, config)
    if not lines:
        raise UserError(
            f'"{file.name}" is empty.', field="path", remedy="Upload a file with at least a header."
        )
    quote = str(config.get("quote") or '"')
    quote = "" if quote == "none" else quote
    asked = str(config.get("delimiter") or "auto")
    delimiter = {"tab": "\t", "auto": _guess_delimiter(lines, quote)}.get(asked, asked)
    first = _split(lines, delimiter, quote)[0]
    if not _has_header(config):
        return Layout(delimiter, quote, tuple(f"column{n}" for n in range(len(first))))
    return Layout(delimiter, quote, tuple(_unique(first)))


def _head(con: "duckdb.DuckDBPyConnection", file: Path, config: dict[str, Any]) -> list[str]:
    if file.stat().st_size == 0:
        return []
    encoding = quote_text(str(config.get("encoding") or "utf-8"))
    rows = con.execute(
        f"SELECT line FROM read_csv({file_list([file])}, delim = '{_NO_DELIMITER}', quote = '', "
        f"escape = '', comment = '', header = false, columns = {{line: 'VARCHAR'}}, skip = 0, "
        f"auto_detect = false, nullstr = '{_NO_NULL}', strict_mode = false, encoding = {encoding}, "
        f"hive_partitioning = false) LIMIT {_HEAD_LINES}"
    ).fetchall()
    return [line for (line,) in rows if line]


def _guess_delimiter(lines: list[str], quote: str) -> str:
    """The one that splits the first line, and the most further lines into as many fields."""

    def fitness(delimiter: str) -> tuple[bool, int, int]:
        counts = [len(fields) for fields in _split(lines, delimiter, quote)]
        return counts[0] > 1, counts.count(counts[0]) if counts[0] > 1 else 0, counts[0]

    # max() keeps the first of equals: a file of one column is read with commas.
    return max(_DELIMITERS, key=fitness)


def _split(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    # The line ends belong to quoted fields that run over several lines.
    ended = (f"{line}\n" for line in lines)
    if quote:
        reader = csv.reader(ended, delimiter=delimiter, quotechar=quote)
    else:
        reader = csv.reader(ended, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return [fields for fields in reader if fields] or [[""]]


def _unique(names: list[str]) -> list[str]:
    """A name of its own for every column; upper and lower case count as one."""
    taken: set[str] = set()
    unique: list[str] = []
    for number, name in enumerate(names):
        base = name.strip() or f"column{number}"
        candidate, again = base, 0
        while candidate.lower() in taken:
            again += 1
            candidate = f"{base}_{again}"
        taken.add(candidate.lower())
        unique.append(candidate)
    return unique
