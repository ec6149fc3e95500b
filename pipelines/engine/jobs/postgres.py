"""PostgreSQL as the destination: COPY of the parts as they are, committed together with the ledger row.

Not dlt's own CSV job: that one reads an empty text as NULL.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

from connections.connectors.base import Target
from pipelines.engine.endpoints import Limits, postgres_connect
from pipelines.engine.errors import BadData
from pipelines.engine.jobs.postgres_swap import put_in_place
from pipelines.engine.model import LOAD_ID_COLUMN, Committed, ExistingTable, TablePlan
from pipelines.engine.sqltext import ident, qualified
from pipelines.engine.warehouse import LEDGER, LEDGER_COLUMNS, LEDGER_DAYS, Commit, Said, Warehouse

_READ_BYTES = 1 << 18
_STAGE = '"pg_temp"."staged_rows"'
#: COPY streams into one table at once; more than the machine's cores gain nothing.
_STREAMS = 2


class PostgresWarehouse(Warehouse):
    kind = "postgres"
    part_format = "csv+load_id"

    def __init__(self, target: Target, limits: Limits, dataset: str, pipeline_name: str) -> None:
        super().__init__(dataset, pipeline_name)
        self.target = target
        self._streams = min(_STREAMS, limits.threads)
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        assert self._connection is not None, "the warehouse is not open"
        return self._connection

    @contextmanager
    def opened(self) -> Iterator[None]:
        with self._connect() as connection:
            self._connection = connection
            try:
                yield
            finally:
                self._connection = None

    @contextmanager
    def _connect(self) -> Iterator["psycopg.Connection[Any]"]:
        connection, forget = postgres_connect(self.target)
        try:
            yield connection
        finally:
            forget()
            connection.close()

    def dlt_destination(self) -> Any:
        from pipelines.engine.dlt_destinations import postgres_destination

        return postgres_destination(self)

    def existing(self, tables: Sequence[tuple[str, str]]) -> dict[str, ExistingTable]:
        rows = self._rows(
            """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               WHERE n.nspname = %s AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
               ORDER BY a.attnum""",
            [self.dataset, [target for _, target in tables] + [LEDGER]],
        )
        found: dict[str, ExistingTable] = {}
        has_ledger = False
        for table, column, kind in rows:
            if table == LEDGER:
                has_ledger = True
            else:
                found.setdefault(table, ExistingTable()).columns[column] = kind
        if has_ledger:
            cursors = self._cursors()
            for resource, target in tables:
                if target in found:
                    found[target].cursor = cursors.get((resource, target))
        return found

    def _cursors(self) -> dict[tuple[str, str], dict[str, str]]:
        rows = self._rows(
            f"""SELECT DISTINCT ON (resource, table_name) resource, table_name, cursor_column, cursor_value
                FROM {self._table(LEDGER)} WHERE pipeline_name = %s
                ORDER BY resource, table_name, committed_at DESC, load_id DESC""",
            [self.pipeline_name],
        )
        return {
            (resource, target): {"column": column, "value": value}
            for resource, target, column, value in rows
            if value is not None
        }

    def committed(self, load_id: str, target: str) -> Committed | None:
        try:
            rows = self._rows(
                f"SELECT rows_loaded, rows_deduplicated FROM {self._table(LEDGER)}"
                " WHERE load_id = %s AND table_name = %s",
                [load_id, target],
            )
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None
        return Committed(*rows[0]) if rows else None

    def commit(self, commit: Commit, said: Said) -> Committed:
        if done := self.committed(commit.load_id, commit.plan.target):
            return done
        self._prepare()
        if commit.plan.write == "replace" and len(commit.parts) > 1 and self._streams > 1:
            return self._replace_in_streams(commit, said)
        with self.connection.transaction():
            committed = self._write(commit, said)
            self._record(commit, committed)
        return committed

    def _prepare(self) -> None:
        with self.connection.transaction():
            # Two loads into a new dataset would both create it, and one would fail.
            self._run(
                "SELECT pg_advisory_xact_lock(hashtext('datanika'), hashtext(%s))", [self.dataset]
            )
            if not self._rows("SELECT 1 FROM pg_namespace WHERE nspname = %s", [self.dataset]):
                self._run(f"CREATE SCHEMA {ident(self.dataset)}")
            self._run(
                f"""CREATE TABLE IF NOT EXISTS {self._table(LEDGER)} (load_id text, table_name text, pipeline_name text,
                    resource text, cursor_column text, cursor_value text, rows_loaded bigint, rows_deduplicated bigint,
                    committed_at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (load_id, table_name))"""
            )

    def _write(self, commit: Commit, said: Said) -> Committed:
        plan = commit.plan
        if plan.write == "append":
            self._ensure(plan)
            return Committed(self._copy_all(commit, self._table(plan.target), said))
        if plan.write == "replace":
            stage = self._create_stage(plan)
            written = self._copy_all(commit, stage, said)
            return self._swap(commit, stage, written)
        self._ensure(plan)
        self._run(f"CREATE TEMP TABLE staged_rows ({_definitions(plan)}) ON COMMIT DROP")
        written = self._copy_all(commit, _STAGE, said)
        deduplicated = self._deduplicate(plan, _STAGE)
        same = " AND ".join(f"t.{ident(key)} = s.{ident(key)}" for key in plan.primary_key)
        self._run(f"ANALYZE {_STAGE}")
        self._run(f"DELETE FROM {self._table(plan.target)} t USING {_STAGE} s WHERE {same}")
        names = _names(commit)
        self._run(f"INSERT INTO {self._table(plan.target)} ({names}) SELECT {names} FROM {_STAGE}")
        return Committed(written - deduplicated, deduplicated)

    def _replace_in_streams(self, commit: Commit, said: Said) -> Committed:
        """Fill a staging table through several connections, then put it in place in one transaction.

        A staging table left by a killed attempt is dropped first, so nothing of it can be counted twice.
        """
        stage = self._create_stage(commit.plan)
        streams = [list(commit.parts[index :: self._streams]) for index in range(self._streams)]
        counts = [0] * len(streams)

        def fill(index: int) -> None:
            with self._connect() as connection:
                for path in streams[index]:
                    counts[index] += _copy(connection, stage, _names(commit), path)
                    said(sum(counts))

        with ThreadPoolExecutor(len(streams)) as pool:
            list(pool.map(fill, range(len(streams))))
        with self.connection.transaction():
            commit.check(sum(counts))
            committed = self._swap(commit, stage, sum(counts))
            self._record(commit, committed)
        return committed

    def _create_stage(self, plan: TablePlan) -> str:
        name = f"_dlt_new_{sha256(plan.target.encode()).hexdigest()[:20]}"
        stage = self._table(name)
        self._run(f"DROP TABLE IF EXISTS {stage}")
        self._run(f"CREATE TABLE {stage} ({_definitions(plan)})")
        return stage

    def _swap(self, commit: Commit, stage: str, written: int) -> Committed:
        plan = commit.plan
        deduplicated = self._deduplicate(plan, stage) if plan.primary_key else 0
        put_in_place(self.connection, self.dataset, plan, stage, commit.column_names)
        return Committed(written - deduplicated, deduplicated)

    def _copy_all(self, commit: Commit, table: str, said: Said) -> int:
        written = 0
        for path in commit.parts:
            written += _copy(self.connection, table, _names(commit), path)
            said(written)
        commit.check(written)
        return written

    def _deduplicate(self, plan: TablePlan, table: str) -> int:
        """Leave the last version of each key: by the cursor, else the one that came last."""
        for key in plan.primary_key:
            empty = self._rows(f"SELECT count(*) FROM {table} WHERE {ident(key)} IS NULL")[0][0]
            if empty:
                raise BadData(
                    f'{plan.resource}: {empty:,} rows have no value in the key column "{key}".',
                    remedy="Choose a key that every row has, or filter those rows out.",
                )
        if plan.key_is_unique:
            return 0
        keys = ", ".join(ident(key) for key in plan.primary_key)
        order = "ctid DESC"
        if plan.cursor and any(column.name == plan.cursor.column for column in plan.columns):
            order = f"{ident(plan.cursor.column)} DESC NULLS LAST, {order}"
        return self._run(
            f"""DELETE FROM {table} WHERE ctid IN (SELECT r FROM (SELECT ctid AS r,
                row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS n FROM {table}) ranked WHERE n > 1)"""
        )

    def _ensure(self, plan: TablePlan) -> None:
        table = self._table(plan.target)
        self._run(f"CREATE TABLE IF NOT EXISTS {table} ({_definitions(plan)})")
        there = self.existing([("", plan.target)])[plan.target].columns
        for name, definition in _definition_pairs(plan):
            if name not in there:
                self._run(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {definition}")

    def _record(self, commit: Commit, committed: Committed) -> None:
        marks = ", ".join(["%s"] * 8)
        self._run(
            f"INSERT INTO {self._table(LEDGER)} ({LEDGER_COLUMNS}) VALUES ({marks})",
            commit.ledger_row(self.pipeline_name, committed),
        )
        self._run(
            f"""DELETE FROM {self._table(LEDGER)} WHERE pipeline_name = %s AND table_name = %s
                AND load_id <> %s AND committed_at < now() - interval '{LEDGER_DAYS} days'""",
            [self.pipeline_name, commit.plan.target, commit.load_id],
        )

    def _table(self, name: str) -> str:
        return qualified(self.dataset, name)

    def _rows(self, query: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, parameters).fetchall()

    def _run(self, query: str, parameters: Sequence[Any] | None = None) -> int:
        return self.connection.execute(query, parameters).rowcount


def _definition_pairs(plan: TablePlan) -> list[tuple[str, str]]:
    pairs = [(column.name, f"{ident(column.name)} {column.type}") for column in plan.columns]
    return [*pairs, (LOAD_ID_COLUMN, f"{ident(LOAD_ID_COLUMN)} text")]


def _definitions(plan: TablePlan) -> str:
    return ", ".join(definition for _, definition in _definition_pairs(plan))


def _names(commit: Commit) -> str:
    return ", ".join(ident(name) for name in commit.column_names)


def _copy(connection: "psycopg.Connection[Any]", table: str, names: str, path: Path) -> int:
    statement = f"COPY {table} ({names}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, path.open("rb", buffering=0) as file:
        with cursor.copy(statement) as copy:
            while block := file.read(_READ_BYTES):
                copy.write(block)
        return cursor.rowcount
