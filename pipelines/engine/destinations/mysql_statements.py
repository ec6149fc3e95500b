"""What a load says to MySQL and MariaDB: names, what is there, merging by key, and statements with their errors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any

import pymysql

from common.children.hooks import on_cancel
from connections.connectors import mysql_connection
from connections.connectors.base import Target
from connections.connectors.mysql_catalog import product_of
from connections.connectors.mysql_errors import explain
from connections.connectors.sql import Dialect
from pipelines.engine.destinations.base import LEDGER, STAGE_PREFIX, Order
from pipelines.engine.destinations.sql import SqlDestination, index_name, stored_literal
from pipelines.engine.model import ColumnPlan, ExistingTable, Landing, TablePlan
from pipelines.engine.session import Session
from pipelines.engine.types import to_mysql

#: Of the stage, where the order of its rows matters.
_ROW = "_dlt_row"
#: Characters of a text that an index of 3,072 bytes has room for, shared by the columns of the key.
_INDEXED = 700
_WAIT_SECONDS = 600


class MySqlStatements(SqlDestination):
    """A connection that is opened again where a broken LOAD DATA took it along, and what is said through it."""

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
        self.target, self.session = target, session
        self._connection: Any = None
        self._collation, self.takes_files, self._folds_tables = "", False, False
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
        self.takes_files, self._folds_tables = bool(int(row[0])), bool(int(row[1]))
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

    def hidden(self, prefix: str, target: str = "") -> str:
        """A name that tells pipelines apart: one must not drop what another is filling."""
        pipeline = sha256(self.pipeline_name.encode()).hexdigest()[:8]
        return f"{prefix}{pipeline}_" + (sha256(target.encode()).hexdigest()[:20] if target else "")

    def stage_name(self, plan: TablePlan) -> str:
        return self.hidden(STAGE_PREFIX, plan.target)

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

    def index(self, plan: TablePlan, table: str) -> None:
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
        return stored_literal(self.session, self, text, column)

    def now(self) -> str:
        return self.text(self._moment) if self._moment else "NOW(6)"

    def days_ago(self, days: int) -> str:
        return f"NOW(6) - INTERVAL {days} DAY"

    # --- statements -------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.run("START TRANSACTION")
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
