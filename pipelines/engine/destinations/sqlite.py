"""SQLite as the destination: DuckDB fills a file of its own beside it, and one transaction takes the rows over."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from common.children.hooks import on_cancel
from connections.connectors.base import Target
from connections.connectors.duckdb_support import load_extension
from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.destinations.base import (
    LEDGER,
    REJECT_COLUMNS,
    REJECTS,
    STAGE_PREFIX,
    CopyFeed,
    Feed,
    Order,
)
from pipelines.engine.destinations.sql import SqlDestination, index_name, stored_literal
from pipelines.engine.endpoints import duckdb_file
from pipelines.engine.errors import TypeConflict
from pipelines.engine.model import ColumnPlan, Committed, ExistingTable, Landing, TablePlan
from pipelines.engine.session import Session
from pipelines.engine.sqltext import filled, ident
from pipelines.engine.types import to_sqlite

#: The name of the file beside it, in DuckDB and in SQLite, and its tables.
_STAGE, _ROWS, _REFUSED = "_dlt_stage", "staged_rows", "refused_rows"
#: A dataset of this name is the database itself; of another, its tables are told apart by their prefix.
_WITHOUT_PREFIX = "main"
#: Another process may hold the file for as long as a load of its own commits.
_BUSY_SECONDS = 60
_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"


class SqliteDestination(SqlDestination):
    kind = "sqlite"
    dialect = Dialect.SQLITE
    folds_case = True
    words = {"text": "TEXT", "key": "TEXT", "bigint": "INTEGER", "moment": "TIMESTAMP"}
    row_id = "rowid"

    def __init__(self, target: Target, session: Session, dataset: str, pipeline_name: str) -> None:
        super().__init__(dataset, pipeline_name)
        self._session = session
        self.path: Path = duckdb_file(target, must_exist=False)
        self._connection: sqlite3.Connection | None = None
        #: The moment of the running transaction: what it closes and opens has one and the same.
        self._moment = ""

    def land(self, kind: str) -> Landing:
        return to_sqlite.land(kind)

    def hub_of(self, own: str) -> str:
        return to_sqlite.hub_of(own)

    @property
    def connection(self) -> sqlite3.Connection:
        """Opened at first need, so that looking creates nothing."""
        if self._connection is None:
            is_new = not self.path.exists()
            self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None
            )
            self._keep_temporary_files_in(self._session.limits.temp_dir)
            # Renaming a table must not look into every view first.
            self._connection.execute("PRAGMA legacy_alter_table = ON")
            if is_new:
                # So that who reads meanwhile sees the old rows; a file of somebody else's keeps its way.
                self._connection.execute("PRAGMA journal_mode = WAL")
        return self._connection

    def _keep_temporary_files_in(self, directory: Path | None) -> None:
        """SQLite chose a directory when the warm parent loaded it, and a child in its box may not write there."""
        asked = "PRAGMA temp_store_directory"
        if directory is not None:
            self.connection.execute(f"{asked} = {quote_text(str(directory), Dialect.SQLITE)}")
            found = self.connection.execute(asked).fetchone()
            if found and found[0] == str(directory):
                return
        # A build without that pragma sorts in memory.
        self.connection.execute("PRAGMA temp_store = MEMORY")

    @contextmanager
    def opened(self) -> Iterator[None]:
        forget = on_cancel(self._interrupt)
        try:
            yield
        finally:
            forget()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _interrupt(self) -> None:
        if self._connection is not None:
            self._connection.interrupt()

    def _named(self, name: str) -> str:
        return name if self.dataset == _WITHOUT_PREFIX else f"{self.dataset}__{name}"

    def table(self, name: str) -> str:
        return f"main.{self.ident(self._named(name))}"

    # --- what stands there -----------------------------------------------------------------------

    def existing(self, targets: Sequence[str]) -> dict[str, ExistingTable]:
        if not self.path.exists():
            return {}
        found = {}
        for target in targets:
            rows = self.connection.execute(
                "SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1",
                [self._named(target)],
            ).fetchall()
            if rows:
                found[target] = ExistingTable(dict(rows))
        return found

    def has_ledger(self) -> bool:
        return self.path.exists() and bool(
            self.connection.execute(
                "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?",
                [self._named(LEDGER)],
            ).fetchone()
        )

    # --- writing ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        with self.transaction():
            self.create_own_tables()

    def load(self, order: Order, feed: Feed | CopyFeed) -> Committed:
        assert isinstance(feed, Feed), "only PostgreSQL takes a COPY"
        with self._staged(order, feed) as stage, self.transaction():
            order.check(
                int(self.query(f"SELECT count(*) FROM {stage}")[0][0]), order.counts.rows_staged
            )
            self.count_values(order, stage)
            loaded, deduplicated = self._apply(order, stage)
            if feed.rejects:
                self._keep_rejects()
            self.forget_replayed(order)
            return self.record(order, loaded, deduplicated)

    def _apply(self, order: Order, stage: str) -> tuple[int, int]:
        plan, deduplicated = order.plan, 0
        if plan.write == "replace":
            if plan.primary_key:
                self.check_keys(plan, stage)
                deduplicated = self.deduplicate(plan, stage)
            self.put_in_place(order, stage)
            self._index(plan)
            return order.counts.rows_staged - deduplicated, deduplicated
        self.ensure(plan)
        if plan.write == "append":
            return self.append(order, stage), 0
        self._index(plan)
        return self.merge(order, stage)

    @contextmanager
    def _staged(self, order: Order, feed: Feed) -> Iterator[str]:
        """A file of this load alone with the rows, attached; in SQLite's words its table."""
        path = (feed.session.limits.temp_dir or self.path.parent) / f"{_STAGE}.sqlite"
        path.unlink(missing_ok=True)
        try:
            self._fill_file(path, order, feed)
            self.connection.execute(f"ATTACH {self.text(str(path))} AS {_STAGE}")
            try:
                yield f"{_STAGE}.{_ROWS}"
            finally:
                with suppress(sqlite3.OperationalError):
                    self.connection.execute(f"DETACH {_STAGE}")
        finally:
            path.unlink(missing_ok=True)

    def _fill_file(self, path: Path, order: Order, feed: Feed) -> None:
        columns = ", ".join(
            f"{self.ident(column.name)} {to_sqlite.storage(column.type)}" for column in feed.columns
        )
        refused = ", ".join(f"{name} TEXT" for name, _ in REJECT_COLUMNS)
        # The tables are made by SQLite itself: DuckDB would choose the declared types.
        made = sqlite3.connect(path, isolation_level=None)
        made.execute(f"CREATE TABLE {_ROWS} ({columns}, {self.ident('_dlt_load_id')} TEXT)")
        made.execute(f"CREATE TABLE {_REFUSED} ({refused})")
        made.close()
        con = feed.session.connection
        load_extension(con, "sqlite")
        con.execute(f"ATTACH {quote_text(str(path))} AS {_STAGE} (TYPE sqlite)")
        try:
            self.fill(order, feed, f"{_STAGE}.main.{_ROWS}")
            if feed.rejects:
                self.write_rejects(feed)
        finally:
            con.execute(f"DETACH {_STAGE}")

    def fill(self, order: Order, feed: Feed | CopyFeed, table: str) -> int:
        assert isinstance(feed, Feed)
        text = feed.select(lambda column, value: filled(to_sqlite.land(column.hub).write, value))
        names = ", ".join(ident(name) for name in order.plan.names)
        with feed.session.watched(order.said, order.plan.rows_estimate):
            written = feed.session.count(f"INSERT INTO {table} ({names}) {text}")
        order.counts.rows_staged = written
        return written

    def write_rejects(self, feed: Feed) -> int:
        texts = ", ".join(f"CAST({name} AS VARCHAR)" for name, _ in REJECT_COLUMNS)
        return feed.session.count(
            f"INSERT INTO {_STAGE}.main.{_REFUSED} SELECT {texts} FROM {feed.rejects}"
        )

    def _keep_rejects(self) -> None:
        names = ", ".join(name for name, _ in REJECT_COLUMNS)
        self.run(
            f"INSERT INTO {self.table(REJECTS)} ({names}) SELECT {names} FROM {_STAGE}.{_REFUSED}"
        )

    def put_in_place(self, order: Order, stage: str) -> None:
        plan = order.plan
        target, names = self.table(plan.target), self.names(plan)
        there = self.existing([plan.target]).get(plan.target)
        wanted = {name.lower() for name in plan.names}
        same = there is not None and {name.lower() for name in there.columns} == wanted
        kinds = {name.lower(): kind for name, kind in there.columns.items()} if there else {}
        if same and all(kinds[column.name.lower()] == column.type for column in plan.kept):
            # Its indexes and triggers stay.
            self.run(f"DELETE FROM {target}")
        else:
            self.run(f"DROP TABLE IF EXISTS {target}")
            self.run(f"CREATE TABLE {target} ({self.staged_definitions(plan)})")
        self.run(f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage}")

    def upsert(self, order: Order, stage: str) -> int:
        plan = order.plan
        names, target = self.names(plan), self.table(plan.target)
        if not self._has_index(plan):
            return self.delete_insert(plan, stage)
        keys = ", ".join(self.ident(key) for key in plan.primary_key)
        others = [name for name in plan.names if name not in plan.primary_key]
        set_ = ", ".join(f"{self.ident(n)} = excluded.{self.ident(n)}" for n in others)
        # Without WHERE the parser takes ON for that of a join.
        return self.run(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage} WHERE true"
            f" ON CONFLICT ({keys}) DO UPDATE SET {set_}"
        )

    # --- our index on the key ----------------------------------------------------------------------

    def _index(self, plan: TablePlan) -> None:
        if not plan.primary_key:
            return
        keys = ", ".join(self.ident(key) for key in plan.primary_key)
        unique = "UNIQUE " if plan.strategy == "upsert" else ""
        with suppress(sqlite3.IntegrityError):
            # Where rows of an earlier append share keys, it goes without.
            self.run(
                f"CREATE {unique}INDEX IF NOT EXISTS main.{self.ident(self._index_name(plan))}"
                f" ON {self.ident(self._named(plan.target))} ({keys})"
            )

    def _index_name(self, plan: TablePlan) -> str:
        return index_name(self._named(plan.target))

    def _has_index(self, plan: TablePlan) -> bool:
        rows = self.connection.execute(
            'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial',
            [self._named(plan.target)],
        ).fetchall()
        wanted = {key.lower() for key in plan.primary_key}
        return any(self._index_columns(name) == wanted for (name,) in rows)

    def _index_columns(self, index: str) -> set[str]:
        rows = self.connection.execute("SELECT name FROM pragma_index_info(?)", [index]).fetchall()
        return {str(name).lower() for (name,) in rows}

    # --- types that became wider --------------------------------------------------------------------

    def widen(self, plan: TablePlan) -> None:
        """SQLite cannot change the type of a column: the table is made anew, its indexes and triggers with it."""
        if not plan.widened:
            return
        name, target = self._named(plan.target), self.table(plan.target)
        described = self.connection.execute(
            'SELECT name, type, "notnull" OR pk FROM pragma_table_xinfo(?) WHERE hidden <> 1',
            [name],
        ).fetchall()
        if any(constrained for _, _, constrained in described):
            raise TypeConflict(
                f"{plan.target} has to be made anew to give columns a wider type, but it has constraints.",
                field=f"resources.{plan.name}.schema_contract",
                remedy="Drop the table in the destination, or set data_type to discard_row.",
            )
        kept = self.connection.execute(
            "SELECT sql FROM main.sqlite_master"
            " WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL",
            [name],
        ).fetchall()
        wide = {column.lower(): kind for column, kind in plan.widened}
        new = f"main.{self.ident(STAGE_PREFIX + 'wider')}"
        columns = [(one, kind, wide.get(one.lower(), kind)) for one, kind, _ in described]
        self.run(
            f"CREATE TABLE {new} ({', '.join(f'{self.ident(one)} {after}' for one, _, after in columns)})"
        )
        values = ", ".join(
            to_sqlite.converted(before, after, self.ident(one))
            if before != after
            else self.ident(one)
            for one, before, after in columns
        )
        self.run(f"INSERT INTO {new} SELECT {values} FROM {target}")
        self.run(f"DROP TABLE {target}")
        self.run(f"ALTER TABLE {new} RENAME TO {self.ident(name)}")
        for (statement,) in kept:
            self.run(statement)

    # --- words ---------------------------------------------------------------------------------------

    def same(self, one: str, other: str) -> str:
        return f"{one} IS {other}"

    def literal(self, text: str, column: ColumnPlan) -> str:
        return stored_literal(self._session, self, text, column)

    def now(self) -> str:
        return self.text(self._moment) if self._moment else _NOW

    def days_ago(self, days: int) -> str:
        return f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-{days} days')"

    # --- statements ----------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        con = self.connection
        con.execute("BEGIN IMMEDIATE")
        try:
            self._moment = str(con.execute(f"SELECT {_NOW}").fetchone()[0])
            yield
            con.execute("COMMIT")
        except BaseException:
            # SQLite may have ended the transaction itself.
            if con.in_transaction:
                con.execute("ROLLBACK")
            raise
        finally:
            self._moment = ""

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement).fetchall()

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        return max(self.connection.execute(statement, parameters).rowcount, 0)
