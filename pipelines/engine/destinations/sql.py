"""What destinations with SQL and transactions share: the ledger, and the statements that apply staged rows."""

import json
import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any, ClassVar

from connections.connectors.sql import Dialect, literal, quote_text
from pipelines.engine.destinations.base import (
    LEDGER,
    LEDGER_COLUMNS,
    LEDGER_DAYS,
    REJECT_COLUMNS,
    REJECTS,
    STAGE_PREFIX,
    CopyFeed,
    Destination,
    Feed,
    Order,
)
from pipelines.engine.errors import BadData, Unconvertible
from pipelines.engine.model import (
    LOAD_ID_COLUMN,
    VALID_FROM,
    VALID_TO,
    ColumnPlan,
    Committed,
    Known,
    TablePlan,
)
from pipelines.engine.session import Session
from pipelines.engine.sqltext import filled, ident, typed_literal
from pipelines.engine.types import hub

_NUMBERS = ("rows_loaded", "rows_deduplicated", "rows_read", "rows_filtered", "rows_rejected")


class SqlDestination(Destination):
    """Rows are staged, then applied and noted in the ledger in one transaction."""

    dialect: ClassVar[Dialect]
    #: The destination's words for the columns of our own tables.
    words: ClassVar[dict[str, str]]
    #: A number that grows in the order rows were staged.
    row_id: ClassVar[str]

    @abstractmethod
    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed. Parameters are the driver's placeholders."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Any]:
        """Everything within, or nothing."""

    @abstractmethod
    def fill(self, order: Order, feed: Feed | CopyFeed, table: str) -> int:
        """Write the rows of the feed into the table; how many there were."""

    @abstractmethod
    def put_in_place(self, order: Order, stage: str) -> None:
        """The staged table in place of the target's rows; a reader sees all of the old or all of the new."""

    @abstractmethod
    def write_rejects(self, feed: Feed) -> int:
        """Keep the feed's refused rows; how many there were."""

    @abstractmethod
    def widen(self, plan: TablePlan) -> None:
        """Give columns of the target the wider types the plan asks for."""

    # --- names ----------------------------------------------------------------------------------

    def ident(self, name: str) -> str:
        return ident(name, self.dialect)

    def table(self, name: str) -> str:
        return f"{self.ident(self.dataset)}.{self.ident(name)}"

    def names(self, plan: TablePlan) -> str:
        return ", ".join(self.ident(name) for name in plan.names)

    def definitions(self, plan: TablePlan) -> list[tuple[str, str]]:
        """Name and definition of every column the target needs."""
        pairs = [(column.name, column.type) for column in plan.kept]
        pairs.append((LOAD_ID_COLUMN, self.words["text"]))
        if plan.strategy == "scd2" and plan.disposition == "merge":
            pairs += [(VALID_FROM, self.words["moment"]), (VALID_TO, self.words["moment"])]
        return [(name, f"{self.ident(name)} {kind}") for name, kind in pairs]

    def staged_definitions(self, plan: TablePlan) -> str:
        wanted = set(plan.names)
        return ", ".join(text for name, text in self.definitions(plan) if name in wanted)

    def table_options(self) -> str:
        """What follows the columns of a table that is made."""
        return ""

    def stage_name(self, plan: TablePlan) -> str:
        return STAGE_PREFIX + sha256(plan.target.encode()).hexdigest()[:20]

    def same(self, one: str, other: str) -> str:
        """Equal, NULL being equal to NULL."""
        return f"{one} IS NOT DISTINCT FROM {other}"

    def comparable(self, plan: TablePlan, name: str, alias: str) -> str:
        """A column as it can be compared with itself; some types have no equality."""
        return f"{alias}.{self.ident(name)}"

    def now(self) -> str:
        return "CURRENT_TIMESTAMP"

    def literal(self, text: str, column: ColumnPlan) -> str:
        """A value of the cursor as it stands in the column."""
        return typed_literal(text, column.type, self.dialect)

    # --- the ledger -------------------------------------------------------------------------------

    def create_own_tables(self) -> None:
        for name, columns, key in (
            (LEDGER, LEDGER_COLUMNS, "load_id, table_name"),
            (REJECTS, REJECT_COLUMNS, "reject_id"),
        ):
            keys = key.split(", ")
            listed = ", ".join(
                f"{one} {self.words['key' if one in keys else kind]}" for one, kind in columns
            )
            self.run(
                f"CREATE TABLE IF NOT EXISTS {self.table(name)} ({listed}, PRIMARY KEY ({key}))"
                + self.table_options()
            )

    def known(self) -> dict[tuple[str, str], Known]:
        if not self.has_ledger():
            return {}
        rows = self.query(
            f"""SELECT resource, table_name, cursor_column, cursor_value, cursor_edit, columns, committed_at FROM (
                SELECT l.*, row_number() OVER (PARTITION BY resource, table_name
                    ORDER BY committed_at DESC, load_id DESC) AS n
                FROM {self.table(LEDGER)} l WHERE pipeline_name = {self.text(self.pipeline_name)}) ranked WHERE n = 1"""
        )
        return {
            (row[0], row[1]): Known(
                row[2], row[3], int(row[4] or 0), tuple(json.loads(row[5] or "[]")), str(row[6])
            )
            for row in rows
        }

    def committed(self, load_id: str) -> dict[str, Committed]:
        if not self.has_ledger():
            return {}
        rows = self.query(
            f"SELECT table_name, {', '.join(_NUMBERS)}, cursor_value FROM {self.table(LEDGER)}"
            f" WHERE load_id = {self.text(load_id)}"
        )
        return {
            row[0]: Committed(
                **dict(zip(_NUMBERS, (int(number or 0) for number in row[1:6]), strict=True)),
                cursor_after=row[6],
            )
            for row in rows
        }

    def record(self, order: Order, loaded: int, deduplicated: int) -> Committed:
        """The ledger row of the order, within the caller's transaction."""
        done = order.committed(loaded, deduplicated)
        values = order.ledger_row(self.pipeline_name, done)
        values["columns"] = json.dumps(values["columns"])
        shown = ", ".join(self.shown(value) for value in values.values())
        self.run(
            f"INSERT INTO {self.table(LEDGER)} ({', '.join(values)}, committed_at)"
            f" VALUES ({shown}, {self.now()})"
        )
        self.forget_old(order.plan, order.load_id)
        return done

    def forget_old(self, plan: TablePlan, load_id: str) -> None:
        self.run(
            f"DELETE FROM {self.table(LEDGER)} WHERE pipeline_name = {self.text(self.pipeline_name)}"
            f" AND table_name = {self.text(plan.target)} AND load_id <> {self.text(load_id)}"
            f" AND committed_at < {self.days_ago(LEDGER_DAYS)}"
        )

    @abstractmethod
    def days_ago(self, days: int) -> str: ...

    def shown(self, value: Any) -> str:
        if value is None:
            return "NULL"
        return str(value) if isinstance(value, int) else self.text(str(value))

    # --- applying what was staged -----------------------------------------------------------------

    def ensure(self, plan: TablePlan) -> None:
        """The target with at least the planned columns; new ones are empty in the rows that are there."""
        pairs = self.definitions(plan)
        target = self.table(plan.target)
        if not plan.is_there:
            self.run(
                f"CREATE TABLE IF NOT EXISTS {target} ({', '.join(text for _, text in pairs)})"
                + self.table_options()
            )
            return
        there = self.existing([plan.target])[plan.target].columns
        known = {name.lower() for name in there} if self.folds_case else set(there)
        for name, definition in pairs:
            if (name.lower() if self.folds_case else name) not in known:
                self.run(f"ALTER TABLE {target} ADD COLUMN {definition}")
        self.widen(plan)

    def append(self, order: Order, stage: str) -> int:
        plan = order.plan
        self.clear(plan)
        names = self.names(plan)
        return self.run(
            f"INSERT INTO {self.table(plan.target)} ({names}) SELECT {names} FROM {stage}"
        )

    def clear(self, plan: TablePlan) -> None:
        """Take away the rows of the window that is loaded again."""
        cursor = plan.cursor
        if cursor is None or plan.order_column is None:
            return
        column = self.ident(plan.order_column)
        order = next(c for c in plan.columns if c.name == plan.order_column)
        if cursor.only:
            low, high = (self.literal(value, order) for value in cursor.only)
            condition = f"{column} >= {low} AND {column} < {high}"
        elif plan.write == "append" and cursor.start is not None and cursor.inclusive:
            condition = f"{column} >= {self.literal(cursor.start, order)}"
        else:
            return
        self.run(f"DELETE FROM {self.table(plan.target)} WHERE {condition}")

    def merge(self, order: Order, stage: str) -> tuple[int, int]:
        """The staged rows merged into the target: rows loaded, rows left out as older versions of their key."""
        plan = order.plan
        self.check_keys(plan, stage)
        deduplicated = self.deduplicate(plan, stage)
        if plan.replay:
            deduplicated += self._drop_outdated(plan, stage)
        if plan.strategy == "scd2":
            loaded, unchanged = self.keep_history(plan, stage)
            return loaded, deduplicated + unchanged
        self.clear(plan)
        if plan.strategy == "upsert":
            return self.upsert(order, stage), deduplicated
        return self.delete_insert(plan, stage), deduplicated

    def _drop_outdated(self, plan: TablePlan, stage: str) -> int:
        """Refused rows whose key a later load has brought are not to overwrite it."""
        target, load_id = self.table(plan.target), self.ident(LOAD_ID_COLUMN)
        same = " AND ".join(
            f"t.{self.ident(key)} = {stage}.{self.ident(key)}" for key in plan.primary_key
        )
        return self.run(
            f"DELETE FROM {stage} WHERE EXISTS (SELECT 1 FROM {target} t"
            f" WHERE {same} AND t.{load_id} > {stage}.{load_id})"
        )

    def upsert(self, order: Order, stage: str) -> int:
        """Staged rows over those of the same key; how many were staged.

        Where a destination rewrites rows anyway, deleting and inserting is the same, unless the table has columns that
        the source has no more: those keep what they hold.
        """
        plan = order.plan
        there = {name.lower() for name in self.existing([plan.target])[plan.target].columns}
        if there <= {name.lower() for name in plan.names}:
            return self.delete_insert(plan, stage)
        names, target = self.names(plan), self.table(plan.target)
        same = " AND ".join(
            f"s.{self.ident(key)} = {target}.{self.ident(key)}" for key in plan.primary_key
        )
        staged = int(self.query(f"SELECT count(*) FROM {stage}")[0][0])
        set_ = ", ".join(f"{self.ident(name)} = s.{self.ident(name)}" for name in plan.names)
        self.run(f"UPDATE {target} SET {set_} FROM {stage} s WHERE {same}")
        self.run(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage} s"
            f" WHERE NOT EXISTS (SELECT 1 FROM {target} WHERE {same})"
        )
        return staged

    def delete_insert(self, plan: TablePlan, stage: str) -> int:
        """Take away every row of a staged key, then insert the staged rows."""
        names, target = self.names(plan), self.table(plan.target)
        same = " AND ".join(
            f"s.{self.ident(key)} = {target}.{self.ident(key)}" for key in plan.primary_key
        )
        self.run(f"DELETE FROM {target} WHERE EXISTS (SELECT 1 FROM {stage} s WHERE {same})")
        return self.run(f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage}")

    def check_keys(self, plan: TablePlan, stage: str) -> None:
        """Raises ``Unconvertible`` for a row without a key, so that the rows are looked at one by one."""
        missing = " OR ".join(f"{self.ident(key)} IS NULL" for key in plan.primary_key)
        if self.query(f"SELECT 1 FROM {stage} WHERE {missing} LIMIT 1"):
            if plan.tolerant:
                raise BadData(f"{plan.resource}: rows without a key came through.")
            raise Unconvertible

    def deduplicate(self, plan: TablePlan, stage: str) -> int:
        """Leave one version of each key: the last by the cursor, else the one that came last."""
        if plan.key_is_unique:
            return 0
        return self.run(
            f"DELETE FROM {stage} WHERE {self.row_id} IN"
            f" (SELECT r FROM ({self.ranked(plan, stage)}) ranked WHERE n > 1)"
        )

    def ranked(self, plan: TablePlan, stage: str) -> str:
        """The staged rows by ``r``, and the place ``n`` of each among those of its key."""
        keys = ", ".join(self.ident(key) for key in plan.primary_key)
        order = f"{self.row_id} DESC"
        if plan.order_column:
            column = self.ident(plan.order_column)
            way = "DESC" if plan.row_order == "asc" else "ASC"
            # Rows without a value are the oldest, whatever the system makes of NULL.
            order = f"CASE WHEN {column} IS NULL THEN 1 ELSE 0 END, {column} {way}, {order}"
        return (
            f"SELECT {self.row_id} AS r, row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS n"
            f" FROM {stage}"
        )

    def keep_history(self, plan: TablePlan, stage: str) -> tuple[int, int]:
        """Slowly changing dimension, type 2: close versions that changed or are gone, open new ones.

        Answers the versions opened and the staged rows that brought nothing new.
        """
        target, now = self.table(plan.target), self.now()
        tracked = [c.name for c in plan.kept if c.name not in plan.primary_key]
        key = " AND ".join(
            f"s.{self.ident(k)} = {target}.{self.ident(k)}" for k in plan.primary_key
        )
        equal = " AND ".join(
            self.same(self.comparable(plan, n, "s"), self.comparable(plan, n, target))
            for n in tracked
        )
        changed = f"EXISTS (SELECT 1 FROM {stage} s WHERE {key} AND NOT ({equal or '1 = 1'}))"
        gone = f"NOT EXISTS (SELECT 1 FROM {stage} s WHERE {key})"
        # What a filter or a cursor left out is not gone.
        closed = changed if plan.is_partial or plan.replay else f"{changed} OR {gone}"
        valid_to = self.ident(VALID_TO)
        self.run(f"UPDATE {target} SET {valid_to} = {now} WHERE {valid_to} IS NULL AND ({closed})")
        names, staged = self.names(plan), self.query(f"SELECT count(*) FROM {stage}")[0][0]
        current = f"SELECT 1 FROM {target} WHERE {key} AND {target}.{valid_to} IS NULL"
        loaded = self.run(
            f"INSERT INTO {target} ({names}, {self.ident(VALID_FROM)})"
            f" SELECT {names}, {now} FROM {stage} s WHERE NOT EXISTS ({current})"
        )
        return loaded, int(staged) - loaded

    # --- the report ---------------------------------------------------------------------------------

    def count_values(self, order: Order, table: str, condition: str = "") -> None:
        """Non-NULL values of the columns that were converted; called as soon as all rows are there."""
        order.filled_at = time.monotonic()
        if not order.counted:
            return
        fields = ", ".join(f"count({self.ident(name)})" for name in order.counted)
        row = self.query(f"SELECT {fields} FROM {table}{condition}")[0]
        order.values.update(zip(order.counted, map(int, row), strict=True))

    def forget_replayed(self, order: Order) -> None:
        """Refused rows that were taken up again, or read again with all others, are no longer waiting."""
        if order.plan.write == "replace":
            self.run(
                f"DELETE FROM {self.table(REJECTS)} WHERE table_name = {self.text(order.plan.target)}"
                f" AND load_id <> {self.text(order.load_id)}"
            )
        if order.replayed:
            self.run(f"DELETE FROM {self.table(REJECTS)} WHERE {order.replayed}")

    def discard_rejects(self, ids: Sequence[str]) -> int:
        with self.transaction():
            return self.run(
                f"DELETE FROM {self.table(REJECTS)} WHERE reject_id IN ({self.listed(ids)})"
            )


def stored_literal(
    session: Session, destination: Destination, text: str, column: ColumnPlan
) -> str:
    """A value as a destination that spells moments in its own way stores it, as a literal."""
    value = f"CAST({quote_text(text)} AS {hub.physical(column.hub)})"
    written = filled(destination.land(column.hub).write, value)
    return literal(session.value(f"SELECT {written}"), destination.dialect)


def index_name(target: str) -> str:
    """Of the index on the merge key that we keep."""
    return f"_dlt_key_{sha256(target.encode()).hexdigest()[:20]}"
