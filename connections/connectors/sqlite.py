"""SQLite: source and destination in one file below the organization's files directory."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils.translation import gettext_lazy as _

from common.errors import NotFound, TransientError, UserError
from connections.connectors.base import (
    Capabilities,
    CatalogPage,
    Category,
    Column,
    Connector,
    ConnectorForm,
    Help,
    Sample,
    Stage,
    Table,
    Target,
)
from connections.connectors.catalog import select_page
from connections.connectors.checks import Outcome, run_steps
from connections.connectors.fields import PathField
from connections.connectors.local_files import (
    check_place,
    check_writable,
    database_file,
    exists,
    found,
    readable_size,
)
from connections.connectors.sampling import (
    of_query,
    query_as_table,
    refused_query,
    sample_table,
    with_types,
)
from connections.connectors.sql import Dialect, quote_table
from connections.connectors.texts import gettext_noop

if TYPE_CHECKING:
    import sqlite3

SCHEMA = "main"
STATEMENT_SECONDS = 5.0

# Shadow tables are the insides of a full-text or geometry index.
_TABLES = """
SELECT name, type FROM pragma_table_list
WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')
AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""


class SqliteForm(ConnectorForm):
    """Where the file is."""

    path = PathField(
        placeholder="shop.sqlite",
        help_text=_(
            "The database file, below the organization's files directory. "
            "As a destination it is created by the first run."
        ),
    )

    sections = ((gettext_noop("File"), ("path",)),)
    spans = {"path": "f-6"}


class SqliteConnector(Connector):
    """One SQLite database file; one process may write it at a time."""

    key = "sqlite"
    label = "SQLite"
    category = Category.DATABASE
    description = gettext_noop("A database in one file, of version 3.")
    tile = "SL"
    capabilities = Capabilities(
        source=True,
        destination=True,
        query=True,
        single_writer=True,
        shared_reading=True,
        local=True,
        write_dispositions=frozenset({"append", "replace", "merge"}),
    )
    form_class = SqliteForm
    help = Help(
        title=gettext_noop("One writer"),
        text=gettext_noop(
            "Upload a file with no writer having it open. "
            "Runs that write to it wait for each other."
        ),
    )

    def address(self, config: dict[str, Any]) -> str:
        return str(config.get("path", ""))

    def file(self, target: Target) -> Path:
        """The database file, judged by the file policy."""
        return database_file(target, must_exist=True)

    def check(self, target: Target, role: str) -> Iterator[Stage]:
        writes = role in {"destination", "both"}

        def path() -> Outcome:
            if writes:
                return check_place(target)
            return Outcome(
                f"{target.config['path']} is there ({readable_size(self.file(target))})."
            )

        def tables() -> Outcome:
            with _open(target) as con:
                number = con.execute(f"SELECT count(*) FROM ({_TABLES})").fetchone()[0]
            return found(number) if role != "destination" else Outcome("It is an SQLite database.")

        steps = [("path", path)]
        if not writes or exists(target):
            steps.append(("read", tables))
        if writes:
            steps.append(("write", lambda: check_writable(target, "Tables can be created.")))
        return run_steps(steps)

    def discover(
        self, target: Target, *, search: str, schema: str, after: str, limit: int
    ) -> CatalogPage:
        with _open(target) as con:
            rows = con.execute(_TABLES).fetchall()
        tables = [Table(SCHEMA, name, "view" if kind == "view" else "table") for name, kind in rows]
        return select_page(
            tables, search=search, schema=schema, after=after, limit=limit, schemas=(SCHEMA,)
        )

    def describe(self, target: Target, *, schema: str, table: str) -> Table:
        with _open(target) as con:
            return _describe(con, schema, table)

    def describe_query(self, target: Target, query: str) -> Table:
        with _open(target) as con:
            return _describe_query(con, query)

    def sample_query(
        self,
        target: Target,
        query: str,
        *,
        columns: list[str] | None,
        filters: list[dict[str, Any]],
        limit: int,
    ) -> Sample:
        with _open(target) as con:
            described = _describe_query(con, query)
            found = sample_table(
                partial(_ask, con, target),
                source=of_query(query),
                known=described.columns,
                columns=columns,
                filters=filters,
                limit=limit,
                dialect=Dialect.SQLITE,
            )
        texts = tuple(tuple(_text(value) for value in row) for row in found.rows)
        return with_types(replace(found, rows=texts), described)

    def sample(
        self,
        target: Target,
        *,
        schema: str,
        table: str,
        columns: list[str] | None,
        filters: list[dict[str, Any]],
        limit: int,
    ) -> Sample:
        with _open(target) as con:
            described = _describe(con, schema, table)
            found = sample_table(
                partial(_ask, con, target),
                source=quote_table(SCHEMA, table),
                known=described.columns,
                columns=columns,
                filters=filters,
                limit=limit,
                dialect=Dialect.SQLITE,
            )
        texts = tuple(tuple(_text(value) for value in row) for row in found.rows)
        return replace(found, rows=texts)


def _ask(
    con: "sqlite3.Connection", target: Target, sql: str, seconds: float
) -> list[tuple[Any, ...]]:
    """The rows, or ``TransientError`` after that many seconds."""
    import sqlite3

    deadline = time.monotonic() + seconds
    con.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        return con.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        raise _explain(error, target) from error


def _describe_query(con: "sqlite3.Connection", query: str) -> Table:
    """SQLite types values and not columns, so a query's columns have no types."""
    import sqlite3

    try:
        described = con.execute(f"SELECT * FROM {of_query(query)} LIMIT 0").description
    except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
        if getattr(error, "sqlite_errorname", "SQLITE_ERROR") != "SQLITE_ERROR":
            raise
        raise refused_query("SQLite", str(error)) from error
    return query_as_table([Column(one[0], "") for one in described])


@contextmanager
def _open(target: Target) -> "Iterator[sqlite3.Connection]":
    import sqlite3

    path = database_file(target, must_exist=True)
    deadline = time.monotonic() + STATEMENT_SECONDS
    # quote(): "?" and "#" in a file name would end the path of the URI.
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=2.0, isolation_level=None)) as con:
            con.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
            # The file is a stranger's: its views may call no function with side effects.
            con.execute("PRAGMA trusted_schema = OFF")
            con.execute("PRAGMA query_only = ON")
            con.text_factory = lambda raw: raw.decode(errors="replace")
            yield con
    except sqlite3.Error as error:
        raise _explain(error, target) from error


def _explain(error: "sqlite3.Error", target: Target) -> UserError:
    path = target.config["path"]
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_NOTADB":
        return UserError(
            f'"{path}" is not an SQLite database.',
            field="path",
            remedy="Upload the database file itself, not a dump or an archive of it.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return TransientError(
            f'"{path}" is used by another process.',
            field="path",
            remedy="Try again when it is done.",
        )
    if name == "SQLITE_INTERRUPT":
        return TransientError(
            f"No answer within {STATEMENT_SECONDS:.0f} seconds.",
            remedy="Choose fewer rows or columns, or a simpler view.",
        )
    return UserError(
        f'"{path}" cannot be read.',
        field="path",
        remedy="Check the file with SQLite's integrity_check, then upload it again.",
        detail=str(error),
    )


def _describe(con: "sqlite3.Connection", schema: str, table: str) -> Table:
    kind = con.execute(f"SELECT type FROM ({_TABLES}) WHERE name = ?", (table,)).fetchone()
    if kind is None or schema not in {"", SCHEMA}:
        raise NotFound(
            f'There is no table "{table}" in the database.',
            field="table",
            remedy="Refresh the catalogue and choose again.",
        )
    # table_xinfo lists generated columns as well; hidden = 1 are the internals of a virtual table.
    rows = con.execute(
        'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) '
        "WHERE hidden <> 1 ORDER BY cid",
        (table,),
    ).fetchall()
    columns = tuple(Column(name, declared, not required) for name, declared, required, _ in rows)
    key = sorted((pk, name) for name, _, _, pk in rows if pk)
    return Table(
        SCHEMA,
        table,
        "view" if kind[0] == "view" else "table",
        None,
        columns,
        tuple(name for _, name in key),
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.hex() if isinstance(value, bytes) else str(value)
