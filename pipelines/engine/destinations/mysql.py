"""MySQL and MariaDB as the destination: a stage filled by LOAD DATA, then one transaction or one rename."""

from contextlib import suppress
from typing import Any

import pymysql

from common.errors import UserError
from connections.connectors.mysql_errors import explain, number_of
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
from pipelines.engine.destinations.mysql_statements import MySqlStatements
from pipelines.engine.errors import BadData, TypeConflict, Unconvertible
from pipelines.engine.model import Committed, Known, TablePlan
from pipelines.engine.sqltext import filled
from pipelines.engine.types import to_mysql

#: What a rename puts aside, until it is dropped.
_OLD_PREFIX = "_dlt_old_"
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


class MySqlDestination(MySqlStatements):
    """Their DDL ends a transaction, so what a replace does in two steps is noted before the first."""

    # --- the ledger ------------------------------------------------------------------------------

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
            for name in self.names_like(self.hidden(prefix)):
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
                remedy="Create it and grant the rights on it, or choose the dataset"
                f' "{self.target.config["database"]}".',
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
            self.index(plan, plan.target)
            with self.transaction():
                done = self._apply(order, feed, stage)
            self._drop(self.stage_name(plan))
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

    def _drop(self, name: str) -> None:
        """What is of no use after the commit. The load stands even where this fails; the next one sweeps up."""
        with suppress(Exception):
            self.run(f"DROP TABLE IF EXISTS {self.table(name)}")

    def _staged(self, order: Order, feed: Feed) -> str:
        plan, stage = order.plan, self.table(self.stage_name(order.plan))
        row = f", {self.row_id} bigint unsigned AUTO_INCREMENT PRIMARY KEY" if _ranks(plan) else ""
        self.run(
            f"CREATE TABLE {stage} ({self.staged_definitions(plan)}{row}){self.table_options()}"
        )
        written = self.fill(order, feed, stage)
        order.check(written, order.counts.rows_staged)
        self.count_values(order, stage)
        self.index(plan, self.stage_name(plan))
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
            self.forget_replayed(order)
            for note in mysql_notes.left(self):
                mysql_notes.settle(self, note)
            self.forget_old(plan, order.load_id)
        self._drop(self.hidden(_OLD_PREFIX, plan.target))
        return done

    def put_in_place(self, order: Order, stage: str) -> None:
        target = self.table(order.plan.target)
        old = self.table(self.hidden(_OLD_PREFIX, order.plan.target))
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
            self.forget_replayed(order)
            done = self.record(order, loaded, deduplicated)
        self._drop(self.stage_name(plan))
        return done

    def fill(self, order: Order, feed: Feed | CopyFeed, table: str) -> int:
        assert isinstance(feed, Feed)
        select = feed.select(lambda column, value: filled(to_mysql.land(column.hub).write, value))
        columns = {column.name: column.type for column in feed.columns}
        rows = Rows(feed.session, select, {**columns, "_dlt_load_id": self.words["text"]})

        def sent(size: int) -> None:
            order.counts.bytes += size

        with feed.session.watched(order.said, order.plan.rows_estimate):
            written = self._sent(rows, table, sent, order.plan)
        order.counts.rows_staged = rows.rows
        return written

    def _sent(self, rows: Rows, table: str, sent: Any, plan: TablePlan | None = None) -> int:
        try:
            if self.takes_files:
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


def _ranks(plan: TablePlan) -> bool:
    """Whether several staged rows may have one key, so that their order has to be known."""
    return bool(plan.primary_key) and not plan.key_is_unique
