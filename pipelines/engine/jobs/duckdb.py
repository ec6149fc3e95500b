"""DuckDB as the destination: every table of a load is one transaction, read from the parts by DuckDB itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import duckdb

from common.errors import UserError
from connections.connectors.base import Target
from connections.connectors.sql import quote_text
from pipelines.engine.endpoints import Limits, duckdb_file, duckdb_session
from pipelines.engine.errors import BadData
from pipelines.engine.model import LOAD_ID_COLUMN, Committed, ExistingTable, TablePlan
from pipelines.engine.sqltext import ident, qualified
from pipelines.engine.warehouse import LEDGER, LEDGER_COLUMNS, LEDGER_DAYS, Commit, Said, Warehouse

_STAGE = "temp.main.staged_rows"
#: DuckDB's reader refuses a longer line unless it is told; it needs room for several.
_LINE_BYTES = 2 << 20


class DuckDbWarehouse(Warehouse):
    kind = "duckdb"
    part_format = "parquet"

    def __init__(self, target: Target, limits: Limits, dataset: str, pipeline_name: str) -> None:
        super().__init__(dataset, pipeline_name)
        self._limits = limits
        self.path = duckdb_file(target, must_exist=False)
        if self.path.stem.lower() == dataset.lower():
            raise UserError(
                f'The dataset "{dataset}" is named like the DuckDB file itself.',
                field="dataset",
                remedy="Choose another dataset name; DuckDB cannot tell the two apart.",
            )
        self._connection: duckdb.DuckDBPyConnection | None = None

    @property
    def connection(self) -> "duckdb.DuckDBPyConnection":
        assert self._connection is not None, "the warehouse is not open"
        return self._connection

    def is_there(self) -> bool:
        return self.path.exists()

    @contextmanager
    def opened(self) -> Iterator[None]:
        with duckdb_session(self.path, self._limits) as connection:
            self._connection = connection
            try:
                yield
            finally:
                self._connection = None

    def dlt_destination(self) -> Any:
        from pipelines.engine.dlt_destinations import duckdb_destination

        return duckdb_destination(self)

    def existing(self, tables: Sequence[tuple[str, str]]) -> dict[str, ExistingTable]:
        rows = self.connection.execute(
            """SELECT table_name, column_name, data_type FROM duckdb_columns()
               WHERE database_name = current_database() AND schema_name = ? ORDER BY column_index""",
            [self.dataset],
        ).fetchall()
        found: dict[str, ExistingTable] = {}
        targets = {target: resource for resource, target in tables}
        has_ledger = any(row[0] == LEDGER for row in rows)
        for table, column, kind in rows:
            if table in targets:
                found.setdefault(table, ExistingTable()).columns[column] = kind
        for target, table in found.items():
            table.cursor = self._cursor(targets[target], target) if has_ledger else None
        return found

    def _cursor(self, resource: str, target: str) -> dict[str, str] | None:
        row = self.connection.execute(
            f"""SELECT cursor_column, cursor_value FROM {self._table(LEDGER)}
                WHERE pipeline_name = ? AND resource = ? AND table_name = ?
                ORDER BY committed_at DESC, load_id DESC LIMIT 1""",
            [self.pipeline_name, resource, target],
        ).fetchone()
        return {"column": row[0], "value": row[1]} if row and row[1] is not None else None

    def committed(self, load_id: str, target: str) -> Committed | None:
        try:
            row = self.connection.execute(
                f"SELECT rows_loaded, rows_deduplicated FROM {self._table(LEDGER)}"
                " WHERE load_id = ? AND table_name = ?",
                [load_id, target],
            ).fetchone()
        except duckdb.CatalogException:
            return None
        return Committed(*row) if row else None

    def commit(self, commit: Commit, said: Said) -> Committed:
        if done := self.committed(commit.load_id, commit.plan.target):
            return done
        con = self.connection
        con.execute("BEGIN")
        try:
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {ident(self.dataset)}")
            con.execute(
                f"""CREATE TABLE IF NOT EXISTS {self._table(LEDGER)} (load_id VARCHAR, table_name VARCHAR,
                    pipeline_name VARCHAR, resource VARCHAR, cursor_column VARCHAR, cursor_value VARCHAR,
                    rows_loaded BIGINT, rows_deduplicated BIGINT, committed_at TIMESTAMPTZ,
                    PRIMARY KEY (load_id, table_name))"""
            )
            committed = self._write(commit)
            con.execute(
                f"INSERT INTO {self._table(LEDGER)} ({LEDGER_COLUMNS}, committed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, now())",
                commit.ledger_row(self.pipeline_name, committed),
            )
            con.execute(
                f"""DELETE FROM {self._table(LEDGER)} WHERE pipeline_name = ? AND table_name = ?
                    AND load_id <> ? AND committed_at < now() - INTERVAL {LEDGER_DAYS} DAY""",
                [self.pipeline_name, commit.plan.target, commit.load_id],
            )
            con.execute("COMMIT")
        except BaseException:
            _rollback(con)
            raise
        said(committed.rows_loaded)
        return committed

    def _write(self, commit: Commit) -> Committed:
        plan = commit.plan
        if plan.primary_key and not (plan.write == "replace" and plan.key_is_unique):
            return self._merge(commit)
        if plan.write == "replace":
            self._create(plan, replace=True)
        else:
            self._ensure(plan)
        written = self._insert(commit)
        commit.check(written)
        return Committed(written)

    def _insert(self, commit: Commit) -> int:
        if not commit.parts:
            return 0
        names = ", ".join(ident(name) for name in commit.column_names)
        self.connection.execute("SET preserve_insertion_order = false")
        return self._count(
            f"INSERT INTO {self._table(commit.plan.target)} ({names}) {_select(commit)}"
        )

    def _merge(self, commit: Commit) -> Committed:
        """Stage, take the last version of each key, delete what is there of them, insert."""
        plan, con = commit.plan, self.connection
        con.execute("SET preserve_insertion_order = true")
        con.execute(f"CREATE OR REPLACE TEMP TABLE staged_rows ({_definitions(plan)})")
        if commit.parts:
            commit.check(self._count(f"INSERT INTO {_STAGE} {_select(commit)}"))
        else:
            commit.check(0)
        self._check_key(plan)
        deduplicated = 0
        if not plan.key_is_unique:
            deduplicated = self._count(_keep_last(plan))
        if plan.write == "replace":
            self._create(plan, replace=True)
        else:
            self._ensure(plan)
            same = " AND ".join(f"t.{ident(key)} = s.{ident(key)}" for key in plan.primary_key)
            con.execute(f"DELETE FROM {self._table(plan.target)} t USING {_STAGE} s WHERE {same}")
        names = ", ".join(ident(name) for name in commit.column_names)
        written = self._count(
            f"INSERT INTO {self._table(plan.target)} ({names}) SELECT {names} FROM {_STAGE}"
        )
        con.execute(f"DROP TABLE {_STAGE}")
        return Committed(written, deduplicated)

    def _check_key(self, plan: TablePlan) -> None:
        for key in plan.primary_key:
            empty = self._count(f"SELECT count(*) FROM {_STAGE} WHERE {ident(key)} IS NULL")
            if empty:
                raise BadData(
                    f'{plan.resource}: {empty:,} rows have no value in the key column "{key}".',
                    remedy="Choose a key that every row has, or filter those rows out.",
                )

    def _create(self, plan: TablePlan, *, replace: bool) -> None:
        verb = "CREATE OR REPLACE TABLE" if replace else "CREATE TABLE IF NOT EXISTS"
        self.connection.execute(f"{verb} {self._table(plan.target)} ({_definitions(plan)})")

    def _ensure(self, plan: TablePlan) -> None:
        """The table with at least the planned columns; new ones are empty in the rows that are there."""
        self._create(plan, replace=False)
        for definition in _definition_list(plan):
            self.connection.execute(
                f"ALTER TABLE {self._table(plan.target)} ADD COLUMN IF NOT EXISTS {definition}"
            )

    def _table(self, name: str) -> str:
        return qualified(self.dataset, name)

    def _count(self, statement: str) -> int:
        row = self.connection.execute(statement).fetchone()
        return int(row[0]) if row else 0


def _definition_list(plan: TablePlan) -> list[str]:
    return [f"{ident(column.name)} {column.type}" for column in plan.columns] + [
        f"{ident(LOAD_ID_COLUMN)} VARCHAR"
    ]


def _definitions(plan: TablePlan) -> str:
    return ", ".join(_definition_list(plan))


def _select(commit: Commit) -> str:
    """The rows of the parts in the types of the destination, with the id of the load."""
    columns = [
        f"CAST({column.load.replace('{c}', ident(column.name))} AS {column.type})"
        for column in commit.plan.columns
    ]
    columns.append(quote_text(commit.load_id))
    return f"SELECT {', '.join(columns)} FROM {_relation(commit)}"


def _relation(commit: Commit) -> str:
    files = f"[{', '.join(quote_text(str(path)) for path in commit.parts)}]"
    if commit.parts[0].name.endswith(".parquet"):
        return f"read_parquet({files})"
    columns = ", ".join(
        f"{quote_text(column.name)}: {quote_text(column.transport)}"
        for column in commit.plan.columns
    )
    line = max(_LINE_BYTES, 2 * commit.longest_row)
    return (
        f"read_csv({files}, auto_detect=false, header=false, delim=',', quote='\"', escape='\"', nullstr='',"
        f" allow_quoted_nulls=false, max_line_size={line}, columns={{{columns}}})"
    )


def _keep_last(plan: TablePlan) -> str:
    keys = ", ".join(ident(key) for key in plan.primary_key)
    order = "rowid DESC"
    if plan.cursor and any(column.name == plan.cursor.column for column in plan.columns):
        order = f"{ident(plan.cursor.column)} DESC NULLS LAST, {order}"
    ranked = f"SELECT rowid AS r, row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS n FROM {_STAGE}"
    return f"DELETE FROM {_STAGE} WHERE rowid IN (SELECT r FROM ({ranked}) WHERE n > 1)"


def _rollback(con: "duckdb.DuckDBPyConnection") -> None:
    # DuckDB may have ended the transaction itself.
    with suppress(duckdb.Error):
        con.execute("ROLLBACK")
