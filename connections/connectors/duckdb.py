"""DuckDB: source, destination and dbt warehouse in one local file."""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
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
from connections.connectors.duckdb_support import (
    connect_duckdb,
    explain_duckdb,
    lockdown,
    time_limit,
)
from connections.connectors.fields import PathField
from connections.connectors.local_files import (
    check_place,
    check_writable,
    database_file,
    exists,
    found,
    new_database_file,
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
    import duckdb

#: Where a DuckDB file carries its mark, behind a checksum.
_MAGIC = (8, b"DUCK")

_TABLES = """
SELECT schema_name, table_name, 'table', estimated_size FROM duckdb_tables()
WHERE database_name = current_database() AND NOT internal
UNION ALL
SELECT schema_name, view_name, 'view', NULL FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal
"""
_SCHEMAS = """
SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()
AND schema_name NOT IN ('information_schema', 'pg_catalog') ORDER BY 1
"""
_COLUMNS = """
SELECT column_name, data_type, is_nullable FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
ORDER BY column_index
"""
_PRIMARY_KEY = """
SELECT constraint_column_names FROM duckdb_constraints() WHERE database_name = current_database()
AND schema_name = ? AND table_name = ? AND constraint_type = 'PRIMARY KEY'
"""


class DuckdbForm(ConnectorForm):
    """Where the file is."""

    path = PathField(
        placeholder="warehouse.duckdb",
        help_text=_(
            "The database file, below the organization's files directory. "
            "As a destination it is created by the first run."
        ),
    )

    sections = ((gettext_noop("File"), ("path",)),)
    spans = {"path": "f-6"}

    def clean_path(self) -> str:
        path: str = self.cleaned_data["path"]
        if path.startswith(":") or path.endswith("/"):
            raise ValidationError(_("Name a file, for example warehouse.duckdb."))
        return path


class DuckdbConnector(Connector):
    """One DuckDB database file; one process may write it at a time."""

    key = "duckdb"
    label = "DuckDB"
    category = Category.WAREHOUSE
    description = gettext_noop("A fast analytical database in one file, nothing to install.")
    tile = "Du"
    capabilities = Capabilities(
        source=True,
        destination=True,
        dbt=True,
        query=True,
        single_writer=True,
        local=True,
        write_dispositions=frozenset({"append", "replace", "merge"}),
    )
    form_class = DuckdbForm
    help = Help(
        title=gettext_noop("One writer"),
        text=gettext_noop(
            "Only one process can write the file at a time. "
            "Runs that write to it wait for each other."
        ),
    )

    def address(self, config: dict[str, Any]) -> str:
        return str(config.get("path", ""))

    def file(self, target: Target, *, must_exist: bool) -> Path:
        """The database file, judged by the file policy. With ``must_exist=False`` its directory has
        to exist.
        """
        return database_file(target, must_exist=True) if must_exist else new_database_file(target)

    def dbt_profile(self, target: Target, *, schema: str, threads: int) -> dict[str, Any]:
        path = self.file(target, must_exist=False)
        if path.stem == schema:
            # DuckDB names the catalogue after the file: "x.y" could then mean catalogue or schema.
            raise UserError(
                f'The schema "{schema}" has the same name as the database file.',
                field="schema",
                remedy="Choose another schema, or rename the file.",
            )
        return {
            "type": "duckdb",
            "path": str(path),
            "schema": schema,
            "threads": threads,
            "settings": {"TimeZone": "UTC"},
        }

    def check(self, target: Target, role: str) -> Iterator[Stage]:
        writes = role in {"destination", "both"}
        steps = [("path", lambda: self._check_path(target, writes))]
        if not writes or exists(target):
            steps.append(("open", lambda: _check_open(target)))
        if role in {"source", "both"} and exists(target):
            steps.append(("read", lambda: _check_tables(target)))
        if writes:
            said = "Schemas and tables can be created."
            steps.append(("write", lambda: check_writable(target, said)))
        return run_steps(steps)

    def discover(
        self, target: Target, *, search: str, schema: str, after: str, limit: int
    ) -> CatalogPage:
        with _open(target) as con:
            tables = [Table(*row) for row in con.execute(_TABLES).fetchall()]
            schemas = tuple(name for (name,) in con.execute(_SCHEMAS).fetchall())
        return select_page(
            tables, search=search, schema=schema, after=after, limit=limit, schemas=schemas
        )

    def describe(self, target: Target, *, schema: str, table: str) -> Table:
        with _open(target) as con:
            return _describe(con, schema or "main", table)

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
            with _refusals():
                found = sample_relation(
                    con, of_query(query), described.columns, columns, filters, limit
                )
        return with_types(found, described)

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
            described = _describe(con, schema or "main", table)
            return sample_relation(
                con,
                quote_table(described.schema, table),
                described.columns,
                columns,
                filters,
                limit,
            )

    def _check_path(self, target: Target, writes: bool) -> Outcome:
        if writes:
            return check_place(target)
        path = self.file(target, must_exist=True)
        return Outcome(f"{target.config['path']} is there ({readable_size(path)}).")


def sample_relation(
    con: "duckdb.DuckDBPyConnection",
    source: str,
    known: tuple[Column, ...],
    columns: list[str] | None,
    filters: list[dict[str, Any]],
    limit: int,
) -> Sample:
    """Rows of a table or table function as text, and how many the filters keep."""

    def ask(sql: str, seconds: float) -> list[tuple[Any, ...]]:
        with time_limit(con, seconds):
            return con.execute(sql).fetchall()

    return sample_table(
        ask,
        source=source,
        known=known,
        columns=columns,
        filters=filters,
        limit=limit,
        dialect=Dialect.DUCKDB,
        text="{}::VARCHAR",
    )


def is_locked(path: Path) -> bool:
    """Whether another process writes the file, asked of the system as DuckDB itself asks.

    Not for a process that has the file open in DuckDB: closing any handle gives up its lock too.
    """
    with path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.lockf(file, fcntl.LOCK_UN)
    return False


def _check_open(target: Target) -> Outcome:
    with _open(target) as con:
        version = con.execute("SELECT version()").fetchone()
    return Outcome(f"It is a DuckDB database, read by DuckDB {version[0] if version else ''}.")


def _check_tables(target: Target) -> Outcome:
    with _open(target) as con:
        row = con.execute(f"SELECT count(*) FROM ({_TABLES})").fetchone()
    return found(row[0] if row else 0)


@contextmanager
def _open(target: Target) -> "Iterator[duckdb.DuckDBPyConnection]":
    """The file, read-only and locked down: a stranger's views may name files and addresses."""
    import duckdb

    shown = target.config["path"]
    path = database_file(target, must_exist=True)
    _require_duckdb(path, shown)
    try:
        with closing(connect_duckdb(path, read_only=True)) as con:
            lockdown(con)
            with time_limit(con):
                yield con
    except duckdb.Error as error:
        raise explain_duckdb(
            error,
            f'"{shown}" cannot be read.',
            field="path",
            remedy="Check that the file was written by this or an earlier version of DuckDB.",
        ) from error


def _require_duckdb(path: Path, shown: str) -> None:
    offset, mark = _MAGIC
    with path.open("rb") as file:
        head = file.read(offset + len(mark))
    if head[offset:] != mark:
        raise UserError(
            f'"{shown}" is not a DuckDB database.',
            field="path",
            remedy="Name the database file itself, or a new file for a destination.",
        )
    if is_locked(path):
        raise TransientError(
            f'"{shown}" is used by another process.',
            field="path",
            remedy="Try again when the run or program that writes it is done.",
        )


def _describe_query(con: "duckdb.DuckDBPyConnection", query: str) -> Table:
    with _refusals():
        rows = con.execute(f"DESCRIBE SELECT * FROM {of_query(query)}").fetchall()
    return query_as_table([Column(name, kind) for name, kind, *_rest in rows])


@contextmanager
def _refusals() -> Iterator[None]:
    """What DuckDB says against a person's own statement."""
    import duckdb

    try:
        yield
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
        raise refused_query("DuckDB", str(error).strip()) from error


def _describe(con: "duckdb.DuckDBPyConnection", schema: str, table: str) -> Table:
    row = con.execute(
        f"SELECT k, r FROM ({_TABLES}) AS t(s, n, k, r) WHERE s = ? AND n = ?", [schema, table]
    ).fetchone()
    if row is None:
        raise NotFound(
            f'There is no table "{schema}.{table}" in the database.',
            field="table",
            remedy="Refresh the catalogue and choose again.",
        )
    columns = con.execute(_COLUMNS, [schema, table]).fetchall()
    key = con.execute(_PRIMARY_KEY, [schema, table]).fetchone()
    return Table(
        schema,
        table,
        kind=row[0],
        rows=row[1],
        columns=tuple(Column(*column) for column in columns),
        primary_key=tuple(key[0]) if key else (),
    )
