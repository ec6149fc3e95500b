"""DuckDB as the destination: the session that reads the source writes the file, each table in one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from common.errors import UserError
from connections.connectors.base import Target
from connections.connectors.sql import Dialect
from pipelines.engine.destinations.base import (
    LEDGER,
    REJECT_COLUMNS,
    REJECTS,
    CopyFeed,
    Feed,
    Order,
)
from pipelines.engine.destinations.sql import SqlDestination
from pipelines.engine.endpoints import duckdb_file
from pipelines.engine.model import Committed, ExistingTable, Landing, TablePlan
from pipelines.engine.session import DESTINATION, Session
from pipelines.engine.sqltext import filled
from pipelines.engine.types import hub, to_duckdb


class DuckDbDestination(SqlDestination):
    kind = "duckdb"
    dialect = Dialect.DUCKDB
    folds_case = True
    words = {"text": "VARCHAR", "key": "VARCHAR", "bigint": "BIGINT", "moment": "TIMESTAMPTZ"}
    row_id = "rowid"

    def __init__(self, target: Target, session: Session, dataset: str, pipeline_name: str) -> None:
        super().__init__(dataset, pipeline_name)
        self._session = session
        self.path: Path = duckdb_file(target, must_exist=False)
        if self.path.stem.lower() == dataset.lower():
            raise UserError(
                f'The dataset "{dataset}" is named like the DuckDB file itself.',
                field="dataset",
                remedy="Choose another dataset name; DuckDB cannot tell the two apart.",
            )
        self._catalog = ""

    def land(self, kind: str) -> Landing:
        return to_duckdb.land(kind)

    def hub_of(self, own: str) -> str:
        return to_duckdb.hub_of(own)

    @property
    def connection(self) -> "duckdb.DuckDBPyConnection":
        return self._session.connection

    @property
    def catalog(self) -> str:
        """The name under which the session knows the file; attached at first need, so that looking creates nothing."""
        if not self._catalog:
            self._catalog = self._session.attach_file(self.path, DESTINATION, read_only=False)
        return self._catalog

    @contextmanager
    def opened(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._catalog:
                self._catalog = ""
                self._session.detach_file(self.path)

    def table(self, name: str) -> str:
        return f"{self.ident(self.catalog)}.{super().table(name)}"

    # --- what stands there -----------------------------------------------------------------------

    def existing(self, targets: Sequence[str]) -> dict[str, ExistingTable]:
        if not self.path.exists():
            return {}
        rows = self.connection.execute(
            """SELECT table_name, column_name, data_type FROM duckdb_columns()
               WHERE database_name = ? AND schema_name = ? AND table_name IN (SELECT unnest(?))
               ORDER BY table_name, column_index""",
            [self.catalog, self.dataset, list(targets)],
        ).fetchall()
        found: dict[str, ExistingTable] = {}
        for table, column, kind in rows:
            found.setdefault(table, ExistingTable()).columns[column] = hub.canonical(kind)
        return found

    def has_ledger(self) -> bool:
        if not self.path.exists():
            return False
        return bool(
            self.connection.execute(
                "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
                [self.catalog, self.dataset, LEDGER],
            ).fetchone()
        )

    # --- writing ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        with self.transaction():
            self.run(
                f"CREATE SCHEMA IF NOT EXISTS {self.ident(self.catalog)}.{self.ident(self.dataset)}"
            )
            self.create_own_tables()

    def load(self, order: Order, feed: Feed | CopyFeed) -> Committed:
        with self.transaction():
            loaded, deduplicated = self._write(order, feed)
            if isinstance(feed, Feed) and feed.rejects:
                self.write_rejects(feed)
            self.forget_replayed(order)
            return self.record(order, loaded, deduplicated)

    def _write(self, order: Order, feed: Feed | CopyFeed) -> tuple[int, int]:
        plan = order.plan
        merges = bool(plan.primary_key) and plan.write != "append"
        if plan.write == "replace" and (plan.key_is_unique or not merges):
            target = self.table(plan.target)
            self.run(f"CREATE OR REPLACE TABLE {target} ({self.staged_definitions(plan)})")
            written = self.fill(order, feed, target)
            self.count_values(order, target)
            return written, 0
        if plan.write == "append":
            self.ensure(plan)
            self.clear(plan)
            written = self.fill(order, feed, self.table(plan.target))
            mine = f" WHERE {self.ident('_dlt_load_id')} = {self.text(order.load_id)}"
            self.count_values(order, self.table(plan.target), mine)
            return written, 0
        stage = self.table(self.stage_name(plan))
        self.run(f"CREATE OR REPLACE TABLE {stage} ({self.staged_definitions(plan)})")
        written = self.fill(order, feed, stage)
        self.count_values(order, stage)
        if plan.write == "replace":
            self.check_keys(plan, stage)
            deduplicated = self.deduplicate(plan, stage)
            self.put_in_place(order, stage)
            result = written - deduplicated, deduplicated
        else:
            self.ensure(plan)
            result = self.merge(order, stage)
        self.run(f"DROP TABLE {stage}")
        return result

    def fill(self, order: Order, feed: Feed | CopyFeed, table: str) -> int:
        assert isinstance(feed, Feed), "only PostgreSQL takes a COPY"
        text = feed.select(lambda column, value: filled(to_duckdb.land(column.hub).write, value))
        with feed.session.watched(order.said, order.plan.rows_estimate):
            written = self.run(f"INSERT INTO {table} ({self.names(order.plan)}) {text}")
        order.counts.rows_staged = written
        return written

    def put_in_place(self, order: Order, stage: str) -> None:
        self.run(
            f"CREATE OR REPLACE TABLE {self.table(order.plan.target)} AS SELECT * FROM {stage}"
        )

    def write_rejects(self, feed: Feed) -> int:
        names = ", ".join(name for name, _ in REJECT_COLUMNS)
        return self.run(
            f"INSERT INTO {self.table(REJECTS)} ({names}) SELECT {names} FROM {feed.rejects}"
        )

    def widen(self, plan: TablePlan) -> None:
        for name, kind in plan.widened:
            self.run(
                f"ALTER TABLE {self.table(plan.target)} ALTER COLUMN {self.ident(name)} TYPE {kind}"
            )

    def days_ago(self, days: int) -> str:
        return f"now() - INTERVAL {days} DAY"

    def now(self) -> str:
        return "now()"

    # --- statements --------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            # DuckDB may have ended the transaction itself.
            with suppress(duckdb.Error):
                self.connection.execute("ROLLBACK")
            raise

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement).fetchall()

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        row = self.connection.execute(statement, list(parameters) or None).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0
