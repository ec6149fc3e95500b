"""MySQL and MariaDB: the catalogue by PyMySQL, rows by DuckDB's own client, which streams them."""

import re
import uuid
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import duckdb
import pymysql

from common.children.hooks import on_cancel
from common.errors import TransientError
from common.signatures import signature_of
from connections.connectors import mysql_connection
from connections.connectors.base import Target
from connections.connectors.mysql_catalog import product_of, rows_of
from connections.connectors.mysql_errors import explain
from connections.connectors.mysql_fields import type_of
from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.errors import LOST_MARKS, TypesChanged
from pipelines.engine.model import Resource, SourceColumn, SourceTable, TablePlan
from pipelines.engine.readers.base import Reader, select_list
from pipelines.engine.session import SOURCE, Session
from pipelines.engine.sqltext import ident, qualified, where
from pipelines.engine.types.from_mysql import BEYOND_A_DAY, base_of

_TABLES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = %s AND table_type IN %s ORDER BY table_name
"""
_ORDINARY = ("BASE TABLE", "SYSTEM VERSIONED")
_KINDS = """
SELECT table_name, table_type, table_rows FROM information_schema.tables
WHERE table_schema = %s AND table_name IN %s
"""
_COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns
WHERE table_schema = %s AND table_name IN %s ORDER BY table_name, ordinal_position
"""
_KEYS = """
SELECT table_name, column_name FROM information_schema.statistics
WHERE table_schema = %s AND table_name IN %s AND index_name = 'PRIMARY' ORDER BY table_name, seq_in_index
"""
#: MariaDB's JSON is text with this constraint.
_JSON_CHECKS = """
SELECT table_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = %s AND table_name IN %s AND check_clause LIKE 'json\\_valid(`%%'
"""
_JSON_CHECK = re.compile(r"^json_valid\(`((?:[^`]|``)+)`\)$")
_LOST = re.compile(r"Lost connection|gone away|was killed|interrupted", re.IGNORECASE)


class MySqlReader(Reader):
    """A server's databases, each a schema."""

    dialect = Dialect.MYSQL
    kind = "mysql"

    def __init__(self, target: Target, session: Session) -> None:
        self._target, self._session, self._is_attached = target, session, False
        self._connection: Any = mysql_connection.connect(target)
        #: In every statement of DuckDB's client, so that a cancel can find those on the server.
        self._mark = f"datanika {uuid.uuid4().hex}"
        self._forget = on_cancel(self._stop)
        #: Tables with a TIME that is no time of day.
        self._distrusted: set[str] = set()

    def close(self) -> None:
        self._forget()
        self._connection.close()

    def _stop(self) -> None:
        """End what the server does for us: it would only notice at its next row."""
        mysql_connection.kill_query(self._target, self._connection.thread_id())
        with closing(mysql_connection.connect(self._target, read_seconds=5)) as other:
            running = rows_of(
                other,
                "SELECT id FROM information_schema.processlist WHERE info LIKE %s AND id <> CONNECTION_ID()",
                (f"%{self._mark}%",),
            )
        for (thread,) in running:
            mysql_connection.kill_query(self._target, int(thread))

    # --- the catalogue ---------------------------------------------------------------------------

    def tables(self, schema: str) -> list[str]:
        return [row[0] for row in self._rows(_TABLES, (self._schema(schema), _ORDINARY))]

    def views(self, schema: str) -> list[str]:
        return [row[0] for row in self._rows(_TABLES, (self._schema(schema), ("VIEW",)))]

    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        found: dict[str, SourceTable] = {}
        by_schema: dict[str, list[Resource]] = {}
        for resource in resources:
            if resource.query:
                found[resource.label] = self._query(resource)
            else:
                by_schema.setdefault(self._schema(resource.schema), []).append(resource)
        for schema, some in by_schema.items():
            tables = self._described(schema, [resource.name for resource in some])
            for resource in some:
                if table := tables.get(resource.name):
                    found[resource.label] = self._with_durations(resource.label, table)
        return found

    def _schema(self, name: str) -> str:
        return name or str(self._target.config["database"])

    def _described(self, schema: str, names: list[str]) -> dict[str, SourceTable]:
        place = (schema, names)
        keys: dict[str, list[str]] = {}
        for table, column in self._rows(_KEYS, place):
            keys.setdefault(table, []).append(column)
        documents = self._documents(place)
        columns: dict[str, list[SourceColumn]] = {}
        for table, column, kind, nullable in self._rows(_COLUMNS, place):
            kind = "json" if (table, column) in documents else str(kind)
            columns.setdefault(table, []).append(_column(column, kind, nullable == "YES"))
        return {
            table: SourceTable(
                schema=schema,
                name=table,
                columns=tuple(columns.get(table, ())),
                primary_key=tuple(keys.get(table, ())),
                kind="table" if kind in _ORDINARY else "view",
                rows=None if estimate is None or kind not in _ORDINARY else int(estimate),
                relation=qualified(schema, table, dialect=Dialect.MYSQL),
            )
            for table, kind, estimate in self._rows(_KINDS, place)
        }

    def _documents(self, place: tuple[str, list[str]]) -> set[tuple[str, str]]:
        if product_of(self._connection)[0] != "MariaDB":
            return set()
        checks = (
            (table, _JSON_CHECK.match(clause)) for table, clause in self._rows(_JSON_CHECKS, place)
        )
        return {(table, match[1].replace("``", "`")) for table, match in checks if match}

    def _query(self, resource: Resource) -> SourceTable:
        """The columns a query yields, in the types the server gives them; nothing is read."""
        relation = f"({resource.query}\n) AS resource"
        with self._connection.cursor() as cursor:
            self._execute(cursor, f"SELECT * FROM {relation} LIMIT 0")
            fields = cursor._result.fields
        columns = tuple(_column(field.name, type_of(field), True) for field in fields)
        table = SourceTable("", resource.name, columns, kind="query", relation=relation)
        return self._with_durations(resource.label, table)

    def _with_durations(self, label: str, table: SourceTable) -> SourceTable:
        """Columns of type TIME as text where they hold durations, once the load has met one."""
        times = [column for column in table.columns if base_of(column.type) == "time"]
        if label not in self._distrusted or not times:
            return table
        names = [ident(column.name, Dialect.MYSQL) for column in times]
        fields = ", ".join(
            f"MIN({name}) < '00:00:00' OR MAX({name}) >= '24:00:00'" for name in names
        )
        beyond = dict(zip(times, self.row(f"SELECT {fields} FROM {table.relation}"), strict=True))
        columns = tuple(
            _duration(column) if beyond.get(column) else column for column in table.columns
        )
        return SourceTable(
            table.schema,
            table.name,
            columns,
            table.primary_key,
            table.kind,
            table.rows,
            table.relation,
        )

    # --- rows ------------------------------------------------------------------------------------

    def row(self, statement: str) -> tuple[Any, ...]:
        rows = self._rows(statement)
        return rows[0] if rows else (None,)

    def rows(self, plan: TablePlan, conditions: Sequence[str], *, raw: bool) -> str:
        if not self._is_attached:
            con = self._session.connection
            mysql_connection.duckdb_attach(self._target, con, SOURCE, read_only=True)
            # A number stays one.
            con.execute("SET mysql_tinyint1_as_boolean = false")
            self._is_attached = True
        query = f"SELECT /* {self._mark} */ {select_list(plan, raw=raw)} FROM {plan.relation}{where(*conditions)}"
        return f"mysql_query({quote_text(SOURCE)}, {quote_text(query)})"

    def explain(self, error: Exception, label: str) -> Exception:
        if isinstance(error, duckdb.Error):
            text = str(error)
            if BEYOND_A_DAY in text and label not in self._distrusted:
                self._distrusted.add(label)
                return TypesChanged(label)
            is_lost = signature_of(error) in LOST_MARKS or _LOST.search(text)
            if isinstance(error, duckdb.IOException) and is_lost:
                lost = TransientError("The connection to the server was lost.", detail=text[:500])
                lost.signature = signature_of(error)
                return lost
        return error

    def _rows(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            self._execute(cursor, statement, values)
            return list(cursor.fetchall())

    def _execute(self, cursor: Any, statement: str, values: Any = None) -> None:
        try:
            cursor.execute(statement, values)
        except pymysql.Error as error:
            raise explain(error, self._target) from error


def _column(name: str, kind: str, nullable: bool) -> SourceColumn:
    # Compared as what it is: as text a FLOAT has six digits.
    expression = f"({ident(name, Dialect.MYSQL)} + 0e0)" if base_of(kind) == "float" else ""
    return SourceColumn(name, kind, nullable, expression)


def _duration(column: SourceColumn) -> SourceColumn:
    return SourceColumn(
        column.name,
        "text",
        column.nullable,
        expression=f"CAST({ident(column.name, Dialect.MYSQL)} AS CHAR)",
        note=f"{column.type}, durations kept as text",
    )
