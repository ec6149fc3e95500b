"""MySQL and MariaDB as the destination: a stage filled by LOAD DATA, then one transaction or one rename."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any

import pymysql

from common.children.hooks import on_cancel
from common.errors import UserError
from connections.connectors import mysql_connection
from connections.connectors.base import Target
from connections.connectors.mysql_catalog import product_of
from connections.connectors.mysql_errors import explain, number_of
from connections.connectors.sql import Dialect
from pipelines.engine.destinations import mysql_notes
from pipelines.engine.destinations.base import (
    LEDGER,
    REJECT_COLUMNS,
    REJECTS,
    STAGE_PREFIX,
    CopyFeed,
    Feed,
    Order,
)
from pipelines.engine.destinations.mysql_rows import Rows
from pipelines.engine.destinations.sql import SqlDestination, index_name, stored_literal
from pipelines.engine.errors import BadData, TypeConflict, Unconvertible
from pipelines.engine.model import ColumnPlan, Committed, ExistingTable, Known, Landing, TablePlan
from pipelines.engine.session import Session
from pipelines.engine.sqltext import filled
from pipelines.engine.types import to_mysql

#: What a rename puts aside, until it is dropped.
_OLD_PREFIX = "_dlt_old_"
#: Of the stage, where the order of its rows matters.
_ROW = "_dlt_row"
#: Characters of a text that an index of 3,072 bytes has room for, shared by the columns of the key.
_INDEXED = 700
_WAIT_SECONDS = 600
_NOT_ALLOWED = frozenset({1044, 1142, 1227})
#: What a renamed table would leave behind: indexes and keys of somebody else's, triggers, foreign keys.
_TIES = """
SELECT EXISTS (SELECT 1 FROM information_schema.statistics
    WHERE table_schema = {0} AND table_name = {1} AND index_name NOT LIKE '\\_dlt\\_key\\_%')
  OR EXISTS (SELECT 1 FROM information_schema.triggers
    WHERE event_object_schema = {0} AND event_object_table = {1})
  OR EXISTS (SELECT 1 FROM information_schema.key_column_usage
    WHERE referenced_table_schema = {0} AND referenced_table_name = {1})
"""


class MySqlDestination(SqlDestination):
    kind = "mysql"
    dialect = Dialect.MYSQL
    folds_case = True
    max_name = 64
    words = {
        "text": "longtext",
        "key": "varchar(255)",
        "bigint": "bigint",
        "moment": "datetime(6)",
    }
    row_id = f"`{_ROW}`"

    def __init__(self, target: Target, session: Session, dataset: str, pipeline_name: str) -> None:
        super().__init__(dataset, pipeline_name)
        self.target, self._session = target, session
        self._connection: Any = None
        self._collation, self._takes_files, self._folds_tables = "", False, False
        self._moment = ""

    def land(self, kind: str) -> Landing:
        return to_mysql.land(kind)

    def hub_of(self, own: str) -> str:
        return to_mysql.hub_of(own)

    # --- the connection --------------------------------------------------------------------------

    @property
    def connection(self) -> Any:
        """A LOAD DATA that is broken off takes its connection with it."""
        if self._connection is None or not self._connection.open:
            self._connection = mysql_connection.connect(self.target, local_data=True)
            self._connection.query(
                f"SET SESSION lock_wait_timeout = {_WAIT_SECONDS}, innodb_lock_wait_timeout = {_WAIT_SECONDS}"
            )
        return self._connection

    @contextmanager
    def opened(self) -> Iterator[None]:
        is_mariadb = product_of(self.connection)[0] == "MariaDB"
        # Exact, with the blanks at the end of a text counting: keys are compared by it.
        self._collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
        row = self.query("SELECT @@global.local_infile, @@global.lower_case_table_names")[0]
        self._takes_files, self._folds_tables = bool(int(row[0])), bool(int(row[1]))
        forget = on_cancel(self._stop)
        try:
            yield
        finally:
            forget()
            self._connection.close()

    def _stop(self) -> None:
        mysql_connection.kill_query(self.target, self._connection.thread_id())

    # --- names -----------------------------------------------------------------------------------

    def table_options(self) -> str:
        return f" ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {self._collation}"

    def _hidden(self, prefix: str, target: str = "") -> str:
        """A name that tells pipelines apart: one must not drop what another is filling."""
        pipeline = sha256(self.pipeline_name.encode()).hexdigest()[:8]
        return f"{prefix}{pipeline}_" + (sha256(target.encode()).hexdigest()[:20] if target else "")

    def stage_name(self, plan: TablePlan) -> str:
        return self._hidden(STAGE_PREFIX, plan.target)

    def names_like(self, prefix: str) -> set[str]:
        """The tables of the dataset whose names begin so."""
        rows = self.query(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = {self.text(self.dataset)}"
            f" AND LEFT(table_name, {len(prefix)}) = {self.text(prefix)}"
        )
        return {str(name) for (name,) in rows}

    # --- what stands there -----------------------------------------------------------------------

    def existing(self, targets: Sequence[str]) -> dict[str, ExistingTable]:
        rows = self.query(
            "SELECT table_name, column_name, column_type FROM information_schema.columns"
            f" WHERE table_schema = {self.text(self.dataset)} AND table_name IN ({self.listed(targets)})"
            " ORDER BY table_name, ordinal_position"
        )
        spelled = {self._fold(target): target for target in targets}
        found: dict[str, ExistingTable] = {}
        for table, column, kind in rows:
            if target := spelled.get(self._fold(table)):
                kinds = found.setdefault(target, ExistingTable()).columns
                kinds[column] = to_mysql.canonical(kind)
        return found

    def _fold(self, name: str) -> str:
        return name.lower() if self._folds_tables else name

    def has_ledger(self) -> bool:
        return bool(self.existing([LEDGER]))

    def known(self) -> dict[tuple[str, str], Known]:
        if not self.has_ledger():
            return {}
        found = {
            key: one for key, one in super().known().items() if not key[1].startswith(STAGE_PREFIX)
        }
        for note in mysql_notes.left(self):
            found[note.resource, note.target] = note.known
        return found

    def committed(self, load_id: str) -> dict[str, Committed]:
        if not self.has_ledger():
            return {}
        found = super().committed(load_id)
        notes = {note.stage: note for note in mysql_notes.left(self) if note.load_id == load_id}
        renamed = {notes[name].target: done for name, done in found.items() if name in notes}
        kept = {name: one for name, one in found.items() if not name.startswith(STAGE_PREFIX)}
        return kept | renamed

    # --- writing ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        self._make_database()
        self.create_own_tables()
        with self.transaction():
            for note in mysql_notes.left(self):
                mysql_notes.settle(self, note)
        for prefix in (STAGE_PREFIX, _OLD_PREFIX):
            for name in self.names_like(self._hidden(prefix)):
                # Its note first: without the stage it would seem to be of a load that happened.
                self.run(f"DELETE FROM {self.table(LEDGER)} WHERE table_name = {self.text(name)}")
                self.run(f"DROP TABLE {self.table(name)}")

    def _make_database(self) -> None:
        there = f"SELECT 1 FROM information_schema.schemata WHERE schema_name = {self.text(self.dataset)}"
        if self.query(there):
            return
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    f"CREATE DATABASE IF NOT EXISTS {self.ident(self.dataset)}"
                    f" CHARACTER SET utf8mb4 COLLATE {self._collation}"
                )
        except pymysql.Error as error:
            if number_of(error) not in _NOT_ALLOWED:
                raise explain(error, self.target) from error
            raise UserError(
                f'There is no database "{self.dataset}", and the user may not create it.',
                field="dataset",
                remedy=f'Create it and grant the rights on it, or choose the dataset "{self.target.config["database"]}".',
            ) from error

    def load(self, order: Order, feed: Feed | CopyFeed) -> Committed:
        assert isinstance(feed, Feed), "only PostgreSQL takes a COPY"
        plan = order.plan
        self._discard(plan)
        try:
            stage = self._staged(order, feed)
            if plan.write == "replace":
                return self._replace(order, feed, stage)
            self.ensure(plan)
            self._index(plan, plan.target)
            with self.transaction():
                done = self._apply(order, feed, stage)
            self.run(f"DROP TABLE {stage}")
            return done
        except Exception:
            # The connection itself may be what failed; then the next load finds the stage.
            with suppress(Exception):
                self._discard(plan)
            raise

    def _discard(self, plan: TablePlan) -> None:
        name = self.stage_name(plan)
        if name in self.names_like(name):
            mysql_notes.forget(self, plan)
            self.run(f"DROP TABLE {self.table(name)}")

    def _staged(self, order: Order, feed: Feed) -> str:
        plan, stage = order.plan, self.table(self.stage_name(order.plan))
        row = f", {self.row_id} bigint unsigned AUTO_INCREMENT PRIMARY KEY" if _ranks(plan) else ""
        self.run(
            f"CREATE TABLE {stage} ({self.staged_definitions(plan)}{row}){self.table_options()}"
        )
        written = self.fill(order, feed, stage)
        order.check(written, order.counts.rows_staged)
        self.count_values(order, stage)
        self._index(plan, self.stage_name(plan))
        return stage

    def _apply(self, order: Order, feed: Feed, stage: str) -> Committed:
        loaded, deduplicated = (
            (self.append(order, stage), 0)
            if order.plan.write == "append"
            else self.merge(order, stage)
        )
        if feed.rejects:
            self.write_rejects(feed)
        self.forget_replayed(order)
        return self.record(order, loaded, deduplicated)

    def _replace(self, order: Order, feed: Feed, stage: str) -> Committed:
        plan, deduplicated = order.plan, 0
        if plan.primary_key:
            self.check_keys(plan, stage)
            deduplicated = self.deduplicate(plan, stage)
        loaded = order.counts.rows_staged - deduplicated
        if plan.is_there and self._has_ties(plan):
            return self._replace_rows(order, feed, stage, loaded, deduplicated)
        if _ranks(plan):
            self.run(f"ALTER TABLE {stage} DROP COLUMN {self.row_id}")
        done = order.committed(loaded, deduplicated)
        with self.transaction():
            # Of an attempt that came as far as this.
            self.run(
                f"DELETE FROM {self.table(REJECTS)} WHERE load_id = {self.text(order.load_id)}"
                f" AND table_name = {self.text(plan.target)}"
            )
            if feed.rejects:
                self.write_rejects(feed)
            mysql_notes.write(self, order, done)
        self.put_in_place(order, stage)
        with self.transaction():
            for note in mysql_notes.left(self):
                mysql_notes.settle(self, note)
            self.forget_old(plan, order.load_id)
        self.run(f"DROP TABLE IF EXISTS {self.table(self._hidden(_OLD_PREFIX, plan.target))}")
        return done

    def put_in_place(self, order: Order, stage: str) -> None:
        target = self.table(order.plan.target)
        old = self.table(self._hidden(_OLD_PREFIX, order.plan.target))
        away = f"{target} TO {old}, " if order.plan.is_there else ""
        self.run(f"RENAME TABLE {away}{stage} TO {target}")

    def _has_ties(self, plan: TablePlan) -> bool:
        place = self.text(self.dataset), self.text(plan.target)
        return bool(self.query(_TIES.format(*place))[0][0])

    def _replace_rows(
        self, order: Order, feed: Feed, stage: str, loaded: int, deduplicated: int
    ) -> Committed:
        """In the table that is there, for the sake of what hangs on it."""
        plan = order.plan
        there = {
            name.lower(): kind
            for name, kind in self.existing([plan.target])[plan.target].columns.items()
        }
        for column in plan.kept:
            if there.get(column.name.lower(), column.type) != column.type:
                raise TypeConflict(
                    f'The column "{column.name}" of {plan.target} is {there[column.name.lower()]} and has to become '
                    f"{column.type}, but indexes, keys or triggers hold on to the table.",
                    field=f"resources.{plan.name}",
                    remedy="Drop the table in the destination, then run again.",
                )
        self.ensure(plan)
        names, target = self.names(plan), self.table(plan.target)
        with self.transaction():
            self.run(f"DELETE FROM {target}")
            self.run(f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage}")
            if feed.rejects:
                self.write_rejects(feed)
            done = self.record(order, loaded, deduplicated)
        self.run(f"DROP TABLE {stage}")
        return done

    def fill(self, order: Order, feed: Feed | CopyFeed, table: str) -> int:
        assert isinstance(feed, Feed)
        select = feed.select(lambda column, value: filled(to_mysql.land(column.hub).write, value))
        columns = {column.name: column.type for column in feed.columns}
        rows = Rows(feed.session, select, {**columns, "_dlt_load_id": self.words["text"]})

        def sent(size: int) -> None:
            order.counts.bytes += size

        with (
            feed.session.ordered(feed.ordered),
            feed.session.watched(order.said, order.plan.rows_estimate),
        ):
            written = self._sent(rows, table, sent, order.plan)
        order.counts.rows_staged = rows.rows
        return written

    def _sent(self, rows: Rows, table: str, sent: Any, plan: TablePlan | None = None) -> int:
        try:
            if self._takes_files:
                return rows.load(self.connection, table, sent)
            return rows.insert(self.connection, table)
        except Unconvertible as error:
            if plan is None or plan.tolerant:
                raise BadData(
                    f"{plan.resource if plan else table}: the server does not take a value as it is.",
                    remedy="Load the column as another type, or leave it out.",
                    detail=str(error),
                ) from error
            raise
        except pymysql.Error as error:
            raise explain(error, self.target) from error

    def write_rejects(self, feed: Feed) -> int:
        names = [name for name, _ in REJECT_COLUMNS]
        fields = ", ".join(
            f"CAST(CAST({name} AS TIMESTAMP) AS VARCHAR) AS {name}"
            if name == "rejected_at"
            else name
            for name in names
        )
        columns = dict.fromkeys(names, self.words["text"])
        rows = Rows(feed.session, f"SELECT {fields} FROM {feed.rejects}", columns)
        return self._sent(rows, self.table(REJECTS), lambda _size: None)

    # --- merging ----------------------------------------------------------------------------------

    def deduplicate(self, plan: TablePlan, stage: str) -> int:
        if plan.key_is_unique:
            return 0
        # Joined, because a DELETE looks through an IN (SELECT …) once for each row.
        return self.run(
            f"DELETE staged FROM {stage} AS staged JOIN ({self.ranked(plan, stage)}) AS ranked"
            f" ON staged.{self.row_id} = ranked.r WHERE ranked.n > 1"
        )

    def upsert(self, order: Order, stage: str) -> int:
        plan = order.plan
        target, names = self.table(plan.target), self.names(plan)
        set_ = ", ".join(
            f"t.{self.ident(name)} = s.{self.ident(name)}"
            for name in plan.names
            if name not in plan.primary_key
        )
        same = self._same_key(plan)
        self.run(f"UPDATE {target} AS t JOIN {stage} AS s ON {same} SET {set_}")
        self.run(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage} AS s"
            f" WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {same})"
        )
        return int(self.query(f"SELECT count(*) FROM {stage}")[0][0])

    def delete_insert(self, plan: TablePlan, stage: str) -> int:
        target, names = self.table(plan.target), self.names(plan)
        self.run(f"DELETE t FROM {target} AS t JOIN {stage} AS s ON {self._same_key(plan)}")
        return self.run(f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage}")

    def _same_key(self, plan: TablePlan) -> str:
        return " AND ".join(f"s.{self.ident(k)} = t.{self.ident(k)}" for k in plan.primary_key)

    def _index(self, plan: TablePlan, table: str) -> None:
        """Our index on the key: with it a merge costs what changed, not what is there.

        Not unique, because of a long text only the beginning is in it.
        """
        if not plan.primary_key:
            return
        name, kinds = index_name(plan.target), self.existing([table])[table].columns
        there = self.query(
            f"SELECT 1 FROM information_schema.statistics WHERE table_schema = {self.text(self.dataset)}"
            f" AND table_name = {self.text(table)} AND index_name = {self.text(name)} LIMIT 1"
        )
        if there:
            return
        folded = {column.lower(): kind for column, kind in kinds.items()}
        long = [key for key in plan.primary_key if to_mysql.is_long(folded[key.lower()])]
        room = f"({_INDEXED // len(long)})" if long else ""
        keys = ", ".join(
            f"{self.ident(key)}{room if key in long else ''}" for key in plan.primary_key
        )
        self.run(f"ALTER TABLE {self.table(table)} ADD INDEX {self.ident(name)} ({keys})")

    def widen(self, plan: TablePlan) -> None:
        there = self.existing([plan.target])[plan.target].columns
        folded = {name.lower(): kind for name, kind in there.items()}
        for name, kind in plan.widened:
            column, target = self.ident(name), self.table(plan.target)
            self.run(f"ALTER TABLE {target} MODIFY COLUMN {column} {kind}")
            if folded[name.lower()] == "tinyint(1)" and to_mysql.is_long(kind):
                self.run(
                    f"UPDATE {target} SET {column} = IF({column} = '1', 'true', 'false')"
                    f" WHERE {column} IN ('0', '1')"
                )

    # --- words ------------------------------------------------------------------------------------

    def same(self, one: str, other: str) -> str:
        return f"{one} <=> {other}"

    def literal(self, text: str, column: ColumnPlan) -> str:
        return stored_literal(self._session, self, text, column)

    def now(self) -> str:
        return self.text(self._moment) if self._moment else "NOW(6)"

    def days_ago(self, days: int) -> str:
        return f"NOW(6) - INTERVAL {days} DAY"

    # --- statements -------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.begin()
        try:
            # What one transaction closes and opens has one and the same moment.
            self._moment = str(self.query("SELECT CAST(NOW(6) AS CHAR)")[0][0])
            yield
            self._commit()
        except BaseException:
            with suppress(Exception):
                self._connection.rollback()
            raise
        finally:
            self._moment = ""

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except pymysql.Error as error:
            raise explain(error, self.target) from error

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            self._execute(cursor, statement)
            return list(cursor.fetchall())

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        with self.connection.cursor() as cursor:
            return self._execute(cursor, statement, parameters)

    def _execute(self, cursor: Any, statement: str, parameters: Sequence[Any] = ()) -> int:
        try:
            return int(cursor.execute(statement, parameters or None))
        except pymysql.Error as error:
            raise explain(error, self.target) from error


def _ranks(plan: TablePlan) -> bool:
    """Whether several staged rows may have one key, so that their order has to be known."""
    return bool(plan.primary_key) and not plan.key_is_unique
