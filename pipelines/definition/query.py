"""The SQL of a query resource: exactly one statement that reads."""

import re

from pipelines.errors import InvalidPipeline

LONGEST_QUERY = 50_000
_SPACE = " \t\r\n\f\v"
# What may hide a semicolon. Each alternative also ends with the text, so that this stays linear.
_OPAQUE = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | \b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
    | '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z)
    | (?<![\w$])\$(?P<tag>[A-Za-z_]\w*|)\$.*?(?:\$(?P=tag)\$|\Z)
    """,
    re.DOTALL | re.VERBOSE,
)
_READS = re.compile(r"(?:select|with)\b", re.IGNORECASE)


def checked_query(sql: str, *, where: str) -> str:
    """The statement without its closing semicolon; ``InvalidPipeline`` for anything but one that reads.

    That the statement only reads is for the source to enforce, in a read-only transaction; here people are told
    early what would not work.
    """
    if len(sql) > LONGEST_QUERY:
        raise InvalidPipeline(
            f"The query is longer than {LONGEST_QUERY} characters.",
            field=where,
            remedy="Make a view of it in the source, and load that.",
        )
    bare = _OPAQUE.sub(_hidden, sql)
    end = len(bare.rstrip(_SPACE + ";"))
    begin = bare[:end].lstrip(_SPACE + "(")
    if not begin:
        raise InvalidPipeline(
            "A query needs its SQL.", field=where, remedy="Write one SELECT statement."
        )
    if not _READS.match(begin):
        raise InvalidPipeline(
            "A query begins with SELECT or WITH.",
            field=where,
            remedy="Only statements that read can be loaded.",
        )
    if ";" in begin:
        raise InvalidPipeline(
            "A query is one statement, and this is more than one.",
            field=where,
            remedy="Keep one SELECT; make another resource of the other.",
        )
    return sql[:end].strip()


def _hidden(match: re.Match[str]) -> str:
    """As long as what it hides, so that positions stay."""
    return (" " if match["comment"] else "x") * len(match[0])
