"""PostgreSQL as the destination: COPY, and all of a table's load in one transaction."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import psycopg

from connections.connectors.base import Target
from connections.connectors.duckdb_support import load_extension
from connections.connectors.sql import Dialect
from pipelines.engine.destinations.base import (
    LEDGER,
    REJECT_COLUMNS,
    REJECTS,
    CopyFeed,
    Feed,
    Order,
)
from pipelines.engine.destinations.postgres_swap import put_in_place
from pipelines.engine.destinations.sql import SqlDestination, index_name
from pipelines.engine.endpoints import postgres_connect
from pipelines.engine.errors import TypeConflict
from pipelines.engine.fifo import Written
from pipelines.engine.model import ColumnPlan, Committed, ExistingTable, Landing, TablePlan
from pipelines.engine.session import Session
from pipelines.engine.types import to_postgres

_CSV = "FORMAT csv, HEADER false, NULLSTR ''"


class PostgresDestination(SqlDestination):
    kind = "postgres"
    dialect = Dialect.POSTGRES
    #: PostgreSQL cuts longer names without asking.
    max_name = 63
    words = {"text": "text", "key": "text", "bigint": "bigint", "moment": "timestamptz"}
    row_id = "ctid"

    def __init__(self, target: Target, session: Session, dataset: str, pipeline_name: str) -> None:
        super().__init__(dataset, pipeline_name)
        self.target = target
        self._connection: psycopg.Connection[Any] | None = None

    def land(self, kind: str) -> Landing:
        return to_postgres.land(kind)

    def hub_of(self, own: str) -> str:
        return to_postgres.hub_of(own)

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        assert self._connection is not None, "the destination is not open"
        return self._connection

    @contextmanager
    def opened(self) -> Iterator[None]:
        connection, forget = postgres_connect(self.target)
        self._connection = connection
        try:
            yield
        finally:
            self._connection = None
            forget()
            connection.close()

    # --- what stands there -----------------------------------------------------------------------

    def existing(self, targets: Sequence[str]) -> dict[str, ExistingTable]:
        rows = self.connection.execute(
            """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               WHERE n.nspname = %s AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
               ORDER BY a.attnum""",
            [self.dataset, list(targets)],
        ).fetchall()
        found: dict[str, ExistingTable] = {}
        for table, column, kind in rows:
            found.setdefault(table, ExistingTable()).columns[column] = kind
        return found

    def has_ledger(self) -> bool:
        row = self.connection.execute(
            "SELECT to_regclass(%s) IS NOT NULL", [self.table(LEDGER)]
        ).fetchone()
        return bool(row and row[0])

    # --- writing ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        with self.transaction():
            # Two loads into a new dataset would both create it, and one would fail.
            self.connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext('datanika'), hashtext(%s))", [self.dataset]
            )
            if not self.query(
                f"SELECT 1 FROM pg_namespace WHERE nspname = {self.text(self.dataset)}"
            ):
                self.run(f"CREATE SCHEMA {self.ident(self.dataset)}")
            self.create_own_tables()

    def load(self, order: Order, feed: Feed | CopyFeed) -> Committed:
        with self.transaction():
            self.run("SET LOCAL lock_timeout = '10min'")
            loaded, deduplicated = self._write(order, feed)
            if isinstance(feed, Feed) and feed.rejects:
                self.write_rejects(feed)
            self.forget_replayed(order)
            return self.record(order, loaded, deduplicated)

    def _write(self, order: Order, feed: Feed | CopyFeed) -> tuple[int, int]:
        plan = order.plan
        if plan.write == "append" and _needs_no_change(plan):
            self.clear(plan)
            written = self._filled(order, feed, self.table(plan.target))
            mine = f" WHERE {self.ident('_dlt_load_id')} = {self.text(order.load_id)}"
            self.count_values(order, self.table(plan.target), mine)
            return written, 0
        if plan.write == "replace":
            stage = self.table(self.stage_name(plan))
            self.run(f"DROP TABLE IF EXISTS {stage}")
            self.run(f"CREATE TABLE {stage} ({self.staged_definitions(plan)})")
        else:
            stage = '"pg_temp"."staged_rows"'
            self.run(
                f"CREATE TEMP TABLE staged_rows ({self.staged_definitions(plan)}) ON COMMIT DROP"
            )
        written = self._filled(order, feed, stage)
        self.count_values(order, stage)
        if plan.write == "replace":
            return self._replace(order, stage, written)
        self.run(f"ANALYZE {stage}")
        self.ensure(plan)
        if plan.write == "append":
            return self.append(order, stage), 0
        self._index(plan)
        return self.merge(order, stage)

    def _filled(self, order: Order, feed: Feed | CopyFeed, table: str) -> int:
        written = self.fill(order, feed, table)
        order.check(written, order.counts.rows_staged)
        return written

    def _replace(self, order: Order, stage: str, written: int) -> tuple[int, int]:
        plan, deduplicated = order.plan, 0
        if plan.primary_key:
            self.check_keys(plan, stage)
            deduplicated = self.deduplicate(plan, stage)
        self.put_in_place(order, stage)
        self._index(plan)
        return written - deduplicated, deduplicated

    def put_in_place(self, order: Order, stage: str) -> None:
        put_in_place(self.connection, self, order.plan, stage)

    def fill(self, order: Order, feed: Feed | CopyFeed, table: str) -> int:
        names = self.names(order.plan)
        if not isinstance(feed, Feed):
            written = self._copy(
                f"COPY {table} ({names}) FROM STDIN (FORMAT {feed.form})", _told(feed, order), order
            )
            order.counts.rows_staged = feed.rows
            return written
        binary = all(to_postgres.is_binary(column.type) for column in feed.columns)
        text = feed.select(lambda column, value: _write(column, value, binary=binary))
        if binary:
            # The writer of COPY's binary form comes with it.
            load_extension(feed.session.connection, "postgres")
        pipe = Written(feed.session, text, "FORMAT postgres_binary" if binary else _CSV)
        form = "binary" if binary else "csv"
        with feed.session.watched(order.said, order.plan.rows_estimate):
            written = self._copy(
                f"COPY {table} ({names}) FROM STDIN (FORMAT {form})", pipe.blocks(), order
            )
        order.counts.rows_staged = pipe.rows
        return written

    def _copy(
        self, statement: str, blocks: Generator[bytes, None, None], order: Order | None
    ) -> int:
        # A server that goes away leaves the rest of them behind.
        with closing(blocks), self.connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for block in blocks:
                    copy.write(block)
                    if order:
                        order.counts.bytes += len(block)
            return cursor.rowcount

    def write_rejects(self, feed: Feed) -> int:
        names = ", ".join(name for name, _ in REJECT_COLUMNS)
        # What makes a text unfit for PostgreSQL would make its reject unfit as well.
        fields = names.replace("raw_value", "replace(raw_value, chr(0), '\\0') AS raw_value")
        pipe = Written(feed.session, f"SELECT {fields} FROM {feed.rejects}", _CSV)
        statement = f"COPY {self.table(REJECTS)} ({names}) FROM STDIN (FORMAT csv)"
        return self._copy(statement, pipe.blocks(), None)

    def upsert(self, order: Order, stage: str) -> int:
        plan = order.plan
        names, target = self.names(plan), self.table(plan.target)
        if not self._has_unique_index(plan):
            return self.delete_insert(plan, stage)
        keys = ", ".join(self.ident(key) for key in plan.primary_key)
        others = [name for name in plan.names if name not in plan.primary_key]
        set_ = ", ".join(f"{self.ident(n)} = excluded.{self.ident(n)}" for n in others)
        return self.run(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage}"
            f" ON CONFLICT ({keys}) DO UPDATE SET {set_}"
        )

    # --- our index on the key: with it a merge costs what changed, not what is there --------------

    def _index(self, plan: TablePlan) -> None:
        if not plan.primary_key:
            return
        keys = ", ".join(self.ident(key) for key in plan.primary_key)
        unique = "UNIQUE " if plan.strategy == "upsert" else ""
        name, target = index_name(plan.target), self.table(plan.target)
        try:
            with self.transaction():
                self.run(
                    f"CREATE {unique}INDEX IF NOT EXISTS {self.ident(name)} ON {target} ({keys})"
                )
        except (psycopg.errors.UniqueViolation, psycopg.errors.InsufficientPrivilege):
            # Rows of an earlier append share keys, or the table is somebody else's: it goes without.
            return

    def _has_unique_index(self, plan: TablePlan) -> bool:
        rows = self.connection.execute(
            """SELECT array_agg(a.attname::text) FROM pg_catalog.pg_index i
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
               WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
               GROUP BY i.indexrelid""",
            [self.table(plan.target)],
        ).fetchall()
        return any(set(row[0]) == set(plan.primary_key) for row in rows)

    def widen(self, plan: TablePlan) -> None:
        for name, kind in plan.widened:
            column = self.ident(name)
            try:
                self.run(
                    f"ALTER TABLE {self.table(plan.target)} ALTER COLUMN {column}"
                    f" TYPE {kind} USING {column}::{kind}"
                )
            except psycopg.errors.FeatureNotSupported as error:
                raise TypeConflict(
                    f'The column "{name}" of {plan.target} has to become {kind}, but a view uses it.',
                    field=f"resources.{plan.name}.schema_contract",
                    remedy="Drop the view and run again, or set data_type to discard_row.",
                    detail=str(error.diag.message_detail or ""),
                ) from error

    def comparable(self, plan: TablePlan, name: str, alias: str) -> str:
        kind = next(column.type for column in plan.kept if column.name == name)
        text = f"{alias}.{self.ident(name)}"
        # json, xml, point and their like have no equality.
        has_equality = to_postgres.hub_of(kind) and kind != "json"
        return text if has_equality else f"{text}::text"

    def days_ago(self, days: int) -> str:
        return f"now() - interval '{days} days'"

    def now(self) -> str:
        return "now()"

    # --- statements --------------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[Any]:
        return self.connection.transaction()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement.encode()).fetchall()

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        return self.connection.execute(statement.encode(), parameters or None).rowcount


def _needs_no_change(plan: TablePlan) -> bool:
    """Rows can go straight into the target: it is there, and nothing of it has to change first."""
    added = any(change.change == "column_added" for change in plan.changes)
    return plan.is_there and plan.is_ours and not added and not plan.widened


def _told(feed: CopyFeed, order: Order) -> Generator[bytes, None, None]:
    """The blocks of the feed; how far it is, is said on the way."""
    for block in feed.blocks():
        yield block
        order.said(feed.seen)


def _write(column: ColumnPlan, value: str, *, binary: bool) -> str:
    template = to_postgres.copy_write(column.hub, column.type, binary=binary)
    return template.replace("{c}", value)
