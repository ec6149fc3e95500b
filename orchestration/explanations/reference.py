"""The catalogue as a page of the documentation."""

from collections.abc import Iterator

from orchestration.explanations.catalogue import CATALOGUE
from orchestration.explanations.entry import Explanation, Kind, Place

_PLACES = {
    Place.CONNECTION: "the connection",
    Place.TABLES: "the pipeline's tables",
    Place.PIPELINE: "the pipeline",
    Place.TRANSFORMATION: "the transformation's editor",
    Place.REJECTS: "the refused rows",
    Place.FILES: "the files",
    Place.LINEAGE: "the lineage",
    Place.TRASH: "the trash",
    Place.RUN_LOG: "the run's log",
    Place.PLATFORM: "the platform settings",
}
_KINDS = {Kind.LOAD: " (in a load)", Kind.BUILD: " (in a build)"}
_HEAD = """# Errors explained

Made from the catalogue by `datanika errors_reference`; not written by hand.

A failed run says what is wrong, what to do, and who can. It knows {entries} causes by {marks} marks: the code of
Datanika's own errors (`code:`), SQLSTATE (`sqlstate:`), the numbers of MySQL and MariaDB (`mysql:`), the names of
SQLite (`sqlite:`), the error classes of DuckDB (`duckdb:`) and dbt (`dbt:`), the operating system (`errno:`, `dns:`),
the exit code or signal of a process (`exit:`), HTTP (`http:`), TLS (`tls:`) and SSH (`ssh:`). A star stands for a
whole class; such an explanation holds only where no closer one does. What PostgreSQL says before a session is open
has no SQLSTATE; a few of those words have marks of our own (`postgres:`).

Errors of one cause share a fingerprint, whatever the table or the row. The page Problems of an organization (below
Runs) gathers them: how often, since when, where, and whether everything they hit has succeeded since. Operators find
the errors that have no explanation yet in the admin, by mark and place, without anybody's data.
"""


def reference() -> str:
    """The text of docs/errors.md."""
    marks = sum(len(entry.marks) for entry in CATALOGUE)
    head = _HEAD.format(entries=len(CATALOGUE), marks=marks)
    return "\n".join([head, *(line for entry in CATALOGUE for line in _section(entry))])


def _section(entry: Explanation) -> Iterator[str]:
    yield f"## {entry.title}{_KINDS.get(entry.kind, '')}"
    yield ""
    yield f"{entry.cause} **What to do:** {entry.remedy} **Who:** {entry.who_words}."
    places = ", ".join(_PLACES[place] for place in entry.places)
    yield f"**Where:** {places}." if places else ""
    yield ""
    yield " ".join(f"`{mark}`" for mark in entry.marks)
    yield ""
