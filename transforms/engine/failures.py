"""dbt's and the warehouse's words about a failure, brought back to the SQL its author wrote."""

import re
from dataclasses import dataclass
from typing import Any, Final

from common.errors import UserError
from transforms.engine.project import ProjectRows, TransformationRow, references

#: What our adapter for MySQL puts before the server's words, and how these quote a name or the rest of a text.
_MYSQL: Final = re.compile(r"^\s*\d{4}: ", re.MULTILINE)
_QUOTED: Final = re.compile(r"'((?:[^']|'')+)'")
_EXCERPT: Final = re.compile(r"^([ \t]*)LINE (\d+): (.*)\n(.*?)\^", re.MULTILINE)
_HEADER: Final = re.compile(r"^(?:[A-Z]\w+ )+Error(?: in [a-z ]+ \S+)?(?: \([^)\n]*\))?\s*$")
_NAMED: Final = re.compile(r"\b(?:in|Model) (?:model )?'?(?:model\.\w+\.)?(\w+)'? \(models/")
#: Paths of the rendered project and dbt's prefixes to names.
_OURS: Final = re.compile(r"\s*\((?:models|macros|target)/[^)\s]*\)|\bmodel\.\w+\.(?=\w)")
_NOISE: Final = re.compile(r"^(LINE \d+: |\^|compiled code at |line \d+$|> in |in macro )")
_JINJA_LINE: Final = re.compile(r"^\s*line (\d+)$", re.MULTILINE)


class SqlFailed(UserError):
    """The warehouse refused the SQL."""

    code = "query_failed"

    def __init__(
        self, message: str, *, name: str = "", line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message, field="sql")
        self.name, self.line, self.column = name, line, column

    def as_event(self) -> dict[str, Any]:
        """With the position for an editor: ``name``, ``line`` and ``column``, counted from 1, or null."""
        place = {"name": self.name, "line": self.line, "column": self.column}
        return {**super().as_event(), **place}


class CompileFailed(SqlFailed):
    """The transformation does not compile."""

    code = "compile_failed"


class TransformFailed(UserError):
    """A transformation failed in the warehouse."""

    code = "transform_failed"


class TestFailed(UserError):
    """A test of the data failed."""

    code = "test_failed"


class NothingSelected(UserError):
    """The selection holds no transformation."""

    code = "nothing_selected"


@dataclass(frozen=True)
class Explanation:
    """What went wrong in one transformation, and where in its author's SQL (from 1) if that is known."""

    words: str
    line: int | None = None
    column: int | None = None

    @property
    def text(self) -> str:
        return f"{place(self.line, self.column)}{self.words}"


def place(line: int | None, column: int | None) -> str:
    """ "line 3, column 5: ", as much of it as is known."""
    if line is None:
        return ""
    return f"line {line}, column {column}: " if column is not None else f"line {line}: "


def explain(message: str, row: TransformationRow | None, compiled: str | None) -> Explanation:
    """A failed node's message in the words of its cause, with the position in ``row.sql``."""
    words = clean(message)
    if row is None:
        return Explanation(words)
    position = _told_position(message, row.sql)
    if position is None and compiled:
        line, column = position_in(row.sql, compiled, _told_position(message, compiled))
        return Explanation(words, line, column)
    return Explanation(words, *(position or (None, None)))


def explain_parse(error: BaseException, rows: ProjectRows) -> CompileFailed:
    """Why dbt could not read or compile the project."""
    message = str(error)
    row = _named_row(error, message, rows)
    words = clean(message)
    if row is None:
        return CompileFailed(words)
    line = references(row.sql).line or _reported_line(message, row)
    return CompileFailed(f"{row.name}: {place(line, None)}{words}", name=row.name, line=line)


def excerpt_position(words: str, sql: str) -> tuple[int, int] | None:
    """Where the warehouse's "LINE 4: …" with its caret stands in ``sql``; None where it is not found once.

    The number itself counts dbt's wrapping too, so the quoted text is looked for instead.
    """
    found = _EXCERPT.search(words)
    if found is None:
        return None
    indent, number, quoted, before_caret = found.groups()
    caret = len(before_caret) - len(indent) - len(f"LINE {number}: ")
    if quoted.startswith("..."):
        quoted, caret = quoted[3:], caret - 3
    quoted = quoted.removesuffix("...").rstrip()
    hits = [(n, at) for n, text in enumerate(sql.split("\n"), 1) if (at := text.find(quoted)) >= 0]
    if not quoted or len(hits) != 1 or caret < 0:
        return None
    line, start = hits[0]
    return line, start + caret + 1


def named_position(words: str, sql: str) -> tuple[int, int] | None:
    """Where what MySQL quotes stands in ``sql``: the name it does not know, or the text it cannot read from.

    None where it is not found once.
    """
    found = _QUOTED.search(words)
    quoted = found[1].split("\n")[0].strip() if found else ""
    if not quoted:
        return None
    # Columns are quoted with the table they were looked for in.
    wanted = quoted.rpartition(".")[2] if re.fullmatch(r"[\w.]+", quoted) else quoted
    hits = [hit.start() for hit in re.finditer(rf"(?<!\w){re.escape(wanted)}(?!\w)", sql)]
    if len(hits) != 1:
        return None
    return sql.count("\n", 0, hits[0]) + 1, hits[0] - sql.rfind("\n", 0, hits[0])


def _told_position(message: str, sql: str) -> tuple[int, int] | None:
    if position := excerpt_position(message, sql):
        return position
    numbered = _MYSQL.search(message)
    return named_position(message[numbered.start() :], sql) if numbered else None


def clean(message: str) -> str:
    """The cause in dbt's or the warehouse's words: no heading, no path, no excerpt."""
    lines = [line.strip() for line in _OURS.sub("", message).splitlines()]
    kept: list[str] = []
    skip_excerpt = False
    for line in lines:
        if skip_excerpt and line == "^":
            continue
        skip_excerpt = line.startswith("LINE ")
        if not line or _HEADER.match(line) or _NOISE.match(line):
            continue
        kept.append(_MYSQL.sub("", line))
    return " ".join(kept) or "dbt gave no reason."


def position_in(
    sql: str, compiled: str, position: tuple[int, int] | None
) -> tuple[int | None, int | None]:
    """A position in the compiled SQL as one in its author's text.

    A line without Jinja is found by its text. Jinja on the line hides it and moves its columns; lines still
    correspond where both texts have the same number of them.
    """
    if position is None:
        return None, None
    line, column = position
    lines = compiled.split("\n")
    if line > len(lines):
        # In what stands around the SQL: it does not end where it seems to.
        return None, None
    text = lines[line - 1]
    same = [number for number, own in enumerate(sql.split("\n"), 1) if own == text]
    if len(same) == 1:
        return same[0], column
    if sql.strip().count("\n") != compiled.strip().count("\n"):
        return None, None
    return line - _blank_lines(compiled) + _blank_lines(sql), None


def _blank_lines(text: str) -> int:
    """How many lines stand before the first that holds something."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def _named_row(error: BaseException, message: str, rows: ProjectRows) -> TransformationRow | None:
    name = getattr(getattr(error, "node", None), "name", None)
    found = _NAMED.search(message)
    if name is None and found:
        name = found[1]
    return rows.transformation(name) if name else None


def _reported_line(message: str, row: TransformationRow) -> int | None:
    found = _JINJA_LINE.search(message)
    if found is None:
        return None
    # dbt counts from the first line that is not blank.
    return int(found[1]) + _blank_lines(row.sql)
