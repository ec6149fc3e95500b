"""Everything DuckDB reads for us (SQLite, DuckDB, files): declared types in, Parquet or CSV parts out."""

import threading
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from connections.connectors.base import Target
from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.endpoints import Limits, duckdb_file, duckdb_session
from pipelines.engine.events import PROGRESS_SECONDS, Reporter
from pipelines.engine.model import Extracted, Resource, SourceColumn, SourceTable, TablePlan
from pipelines.engine.readers.base import (
    PART_BYTES,
    Part,
    PartFormat,
    Reader,
    select_list,
    up_to,
    window,
)
from pipelines.engine.sqltext import qualified, where

_WRITE: dict[PartFormat, str] = {
    # Uncompressed pages are not worth the time here: the parts are read once and deleted.
    "parquet": "FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 100000",
    "csv+load_id": "FORMAT csv, HEADER false, NULLSTR ''",
}
_SUFFIX: dict[PartFormat, str] = {"parquet": "parquet", "csv+load_id": "csv"}


class DuckReader(Reader):
    """Base of the readers that select from something DuckDB can see."""

    dialect = Dialect.DUCKDB

    def __init__(self, limits: Limits) -> None:
        self._stack = ExitStack()
        self._limits = limits
        self.connection = self._stack.enter_context(duckdb_session(None, limits))

    def close(self) -> None:
        self._stack.close()

    def tables(self, schema: str) -> list[str]:
        return []

    @abstractmethod
    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]: ...

    def extract(
        self,
        plan: TablePlan,
        load_id: str,
        directory: Path,
        counts: Extracted,
        reporter: Reporter,
        file_format: PartFormat,
    ) -> Iterator[Part]:
        try:
            self._read(plan, load_id, directory, counts, reporter, file_format)
        except duckdb.Error as error:
            raise self.explain(error, plan.resource) from error
        if not plan.where:
            counts.rows_read = counts.rows_kept
        yield from _parts(directory, _SUFFIX[file_format], counts.rows_kept)

    def _read(
        self,
        plan: TablePlan,
        load_id: str,
        directory: Path,
        counts: Extracted,
        reporter: Reporter,
        file_format: PartFormat,
    ) -> None:
        self.connection.execute("BEGIN")
        try:
            conditions = self._window(plan, counts)
            total = self._total(plan, conditions, counts)
            columns = select_list(plan, load_id, with_load_id=file_format == "csv+load_id")
            query = f"SELECT {columns} FROM {plan.relation}{where(*conditions, plan.where)}"
            counts.rows_kept = self._write(query, plan, directory, file_format, reporter, total)
        finally:
            self.connection.execute("ROLLBACK")

    def _window(self, plan: TablePlan, counts: Extracted) -> list[str]:
        cursor = plan.cursor
        if cursor is None:
            return []
        low = window(cursor, self.dialect)
        highest = self._value(
            f"SELECT CAST(max({cursor.expression}) AS VARCHAR) FROM {plan.relation}{where(low)}"
        )
        counts.cursor_after = highest if highest is not None else cursor.before
        return [low, up_to(cursor, highest, self.dialect)]

    def _total(self, plan: TablePlan, conditions: list[str], counts: Extracted) -> int | None:
        if not plan.where:
            return plan.rows_estimate if plan.cursor is None else None
        count = self._value(f"SELECT count(*) FROM {plan.relation}{where(*conditions)}")
        counts.rows_read = int(count)
        return None

    def _write(
        self,
        query: str,
        plan: TablePlan,
        directory: Path,
        file_format: PartFormat,
        reporter: Reporter,
        total: int | None,
    ) -> int:
        # Only where the last of several rows of a key wins does the order of the source matter.
        ordered = bool(plan.primary_key) and not plan.key_is_unique
        self.connection.execute(f"SET preserve_insertion_order = {str(ordered).lower()}")
        options = f"{_WRITE[file_format]}, FILE_SIZE_BYTES {PART_BYTES}, OVERWRITE true"
        statement = f"COPY ({query}) TO {quote_text(str(directory))} ({options})"
        with watched(self.connection, reporter, f"extract:{plan.resource}", total):
            return int(self._value(statement))

    def _value(self, statement: str) -> Any:
        row = self.connection.execute(statement).fetchone()
        return row[0] if row else None

    def explain(self, error: duckdb.Error, label: str) -> Exception:
        """What the error means for this source; ``TypesChanged`` where another look at the source helps."""
        return error

    def columns_of(self, relation: str) -> tuple[SourceColumn, ...]:
        """Names and types of what the relation yields."""
        rows = self.connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        return tuple(SourceColumn(row[0], row[1], row[2] == "YES") for row in rows)


class DuckDbReader(DuckReader):
    """A DuckDB file, attached read-only."""

    def __init__(self, target: Target, limits: Limits) -> None:
        super().__init__(limits)
        path = duckdb_file(target, must_exist=True)
        self.connection.execute(f"ATTACH {quote_text(str(path))} AS source (READ_ONLY)")

    def tables(self, schema: str) -> list[str]:
        query = """SELECT table_name FROM duckdb_tables()
            WHERE database_name = 'source' AND schema_name = ? AND NOT internal ORDER BY 1"""
        return [row[0] for row in self.connection.execute(query, [schema or "main"]).fetchall()]

    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        found = {}
        for resource in resources:
            schema = resource.schema or "main"
            known = self.connection.execute(
                """SELECT coalesce(t.estimated_size, -1),
                     (SELECT constraint_column_names FROM duckdb_constraints() c
                      WHERE c.table_oid = t.table_oid AND c.database_name = 'source'
                        AND constraint_type = 'PRIMARY KEY')
                   FROM (SELECT database_name, schema_name, table_name, table_oid, estimated_size FROM duckdb_tables()
                         UNION ALL SELECT database_name, schema_name, view_name, -1, -1 FROM duckdb_views()) t
                   WHERE database_name = 'source' AND schema_name = ? AND table_name = ?""",
                [schema, resource.name],
            ).fetchone()
            if known is None:
                continue
            relation = qualified("source", schema, resource.name)
            found[resource.label] = SourceTable(
                schema=schema,
                name=resource.name,
                columns=self.columns_of(relation),
                primary_key=tuple(known[1] or ()),
                rows=known[0] if known[0] >= 0 else None,
                relation=relation,
            )
        return found


@contextmanager
def watched(
    connection: "duckdb.DuckDBPyConnection", reporter: Reporter, scope: str, total: int | None
) -> Iterator[None]:
    """Report how far a long statement is, from a second thread, while the first waits inside DuckDB."""
    if not total:
        yield
        return
    finished = threading.Event()

    def report() -> None:
        while not finished.wait(PROGRESS_SECONDS):
            percent = connection.query_progress()
            if percent > 0:
                reporter.progress(scope, int(total * min(percent, 100.0) / 100), total)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _parts(directory: Path, suffix: str, rows: int) -> Iterator[Part]:
    """The files DuckDB wrote, in order. The count of a CSV file is not known; the sum goes with the first."""
    files = sorted(directory.glob(f"*.{suffix}"), key=lambda path: (len(path.name), path.name))
    for index, path in enumerate(files):
        if suffix == "parquet":
            yield Part(path, pq.read_metadata(path).num_rows)
        else:
            yield Part(path, rows if index == 0 else 0)
