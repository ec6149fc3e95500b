"""PostgreSQL: COPY as it is for another PostgreSQL, DuckDB's own client for everything else."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import duckdb
import psycopg

from common.children.hooks import on_cancel
from common.errors import TransientError
from connections.connectors.base import Target
from connections.connectors.duckdb_support import load_extension
from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.endpoints import (
    postgres_connect,
    postgres_dsn,
    postgres_end_sessions,
)
from pipelines.engine.model import Resource, SourceColumn, SourceTable, TablePlan
from pipelines.engine.readers.base import Reader, select_list
from pipelines.engine.readers.copy_out import CopyOut
from pipelines.engine.session import SOURCE, Session
from pipelines.engine.sqltext import ident, qualified, where
from pipelines.engine.types.to_postgres import portable_binary

#: Blocks of about 256 kB read ahead of the writer.
_QUEUED_BLOCKS = 8

#: libpq's own words; there is no code in what DuckDB raises.
_LOST = ("terminating connection", "server closed the connection", "SSL connection has been closed")

_CATALOGUE = """
SELECT n.nspname, c.relname, c.relkind::text, c.reltuples::bigint, a.attname, a.attnotnull,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
            ELSE format_type(a.atttypid, a.atttypmod) END,
       coalesce(array_position(i.indkey::int2[], a.attnum), -1)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
ORDER BY 1, 2, a.attnum
"""


class PostgresReader(Reader):
    dialect = Dialect.POSTGRES
    kind = "postgres"

    def __init__(self, target: Target, session: Session) -> None:
        self._target, self._session, self._is_attached = target, session, False
        self._forget_attached: Callable[[], None] | None = None
        self._relations: dict[str, str] = {}
        self._open()

    def _open(self) -> None:
        self._current, self._forget = postgres_connect(self._target, read_only=True)
        self._current.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    @property
    def _connection(self) -> "psycopg.Connection[Any]":
        """Opened anew after a COPY was left before its end, which costs the connection."""
        if self._current.closed:
            self._forget()
            self._open()
        return self._current

    def close(self) -> None:
        if self._forget_attached:
            self._forget_attached()
        self._forget()
        self._current.close()

    def tables(self, schema: str) -> list[str]:
        query = """
            SELECT c.relname FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            ORDER BY 1"""
        with self._connection.transaction():
            return [str(row[0]) for row in self._connection.execute(query, [schema])]

    def views(self, schema: str) -> list[str]:
        query = """
            SELECT c.relname FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relkind IN ('v', 'm', 'f') ORDER BY 1"""
        with self._connection.transaction():
            return [str(row[0]) for row in self._connection.execute(query, [schema])]

    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        tables = [resource for resource in resources if not resource.query]
        schemas = [resource.schema or "public" for resource in tables]
        names = [resource.name for resource in tables]
        with self._connection.transaction():
            rows = self._connection.execute(_CATALOGUE, [schemas, names]).fetchall()
        grouped: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for row in rows:
            grouped.setdefault((row[0], row[1]), []).append(row)
        found = {resource.label: self._query(resource) for resource in resources if resource.query}
        for resource in tables:
            if group := grouped.get((resource.schema or "public", resource.name)):
                found[resource.label] = _table(group)
        self._relations |= {label: table.relation for label, table in found.items()}
        return found

    def _query(self, resource: Resource) -> SourceTable:
        """The columns a query yields, in the types the server gives them; nothing is read."""
        relation = f"({resource.query}\n) AS resource"
        with self._connection.transaction():
            cursor = self._connection.execute(f"SELECT * FROM {relation} LIMIT 0".encode())
            described = [(one.name, one.type_code, one._fmod) for one in cursor.description or ()]
            columns = []
            for name, oid, modifier in described:
                row = self._connection.execute(
                    "SELECT format_type(%s, %s)", [oid, modifier]
                ).fetchone()
                columns.append(SourceColumn(name, str(row[0]) if row else "text"))
        return SourceTable("", resource.name, tuple(columns), kind="query", relation=relation)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._connection.transaction():
            yield

    def row(self, statement: str) -> tuple[Any, ...]:
        return self._connection.execute(statement.encode()).fetchone() or (None,)

    def rows(self, plan: TablePlan, conditions: Sequence[str], *, raw: bool) -> str:
        if not self._is_attached:
            self._attach()
        query = f"SELECT {select_list(plan, raw=raw)} FROM {plan.relation}{where(*conditions)}"
        return f"postgres_query({quote_text(SOURCE)}, {quote_text(query)})"

    def _attach(self) -> None:
        load_extension(self._session.connection, "postgres")
        # The extension does not cancel on the server: its sessions are found there by a name of their own.
        name = f"datanika {uuid4()}"
        dsn = postgres_dsn(self._target, application_name=name)
        self._session.connection.execute(
            f"ATTACH {quote_text(dsn)} AS {ident(SOURCE)} (TYPE postgres, READ_ONLY)"
        )
        self._is_attached = True
        self._forget_attached = on_cancel(lambda: postgres_end_sessions(self._target, name))

    def explain(self, error: Exception, label: str) -> Exception:
        """DuckDB hands on the server's words without their code: the server itself is asked once more."""
        if not isinstance(error, duckdb.Error) or not self._is_attached:
            return error
        try:
            with self.snapshot():
                self.row(f"SELECT 1 FROM {self._relations.get(label, '(SELECT 1) AS t')} LIMIT 0")
        except psycopg.Error as found:
            return found
        if any(words in str(error) for words in _LOST):
            return TransientError("The connection to the source was lost.", detail=str(error)[:500])
        return error

    def copy(self, plan: TablePlan, conditions: Sequence[str], load_id: str) -> "CopyRows":
        """The rows as COPY writes them, each column in the destination's own type; within ``snapshot()``."""
        parts = [f"{column.direct} AS {ident(column.name)}" for column in plan.columns]
        parts.append(f"{quote_text(load_id, self.dialect)}::text AS _dlt_load_id")
        query = f"SELECT {', '.join(parts)} FROM {plan.relation}{where(*conditions)}"
        binary = all(portable_binary(column.type) for column in plan.columns)
        return CopyRows(self._connection, query, "binary" if binary else "text")


class CopyRows:
    """COPY … TO STDOUT, read by a thread of its own while the caller writes what came before."""

    def __init__(self, connection: "psycopg.Connection[Any]", query: str, form: str) -> None:
        self._connection, self._query, self.form = connection, query, form
        self.seen = self.rows = 0

    def blocks(self) -> Iterator[bytes]:
        blocks = CopyOut(self._connection, f"COPY ({self._query}) TO STDOUT (FORMAT {self.form})")
        found: queue.Queue[bytes | BaseException | int] = queue.Queue(_QUEUED_BLOCKS)
        stopped = threading.Event()

        def put(item: bytes | BaseException | int) -> None:
            while not stopped.is_set():
                with suppress(queue.Full):
                    found.put(item, timeout=0.2)
                    break

        def read() -> None:
            try:
                for block in blocks:
                    put(block)
                    if stopped.is_set():
                        break
                put(blocks.rows)
            except BaseException as error:  # noqa: BLE001, raised again by the caller's thread
                put(error)
            finally:
                blocks.close()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            while not isinstance(item := found.get(), int):
                if isinstance(item, BaseException):
                    raise item
                yield item
                self.seen = blocks.seen
            self.rows = item
        finally:
            stopped.set()
            reader.join()


def _table(rows: list[tuple[Any, ...]]) -> SourceTable:
    schema, name, kind, estimate = rows[0][:4]
    columns = tuple(SourceColumn(row[4], row[6], not row[5]) for row in rows)
    key = sorted((row[7], row[4]) for row in rows if row[7] >= 0)
    return SourceTable(
        schema=schema,
        name=name,
        columns=columns,
        primary_key=tuple(column for _, column in key),
        kind="table" if kind in ("r", "p") else "view",
        rows=estimate if estimate > 0 else None,
        relation=qualified(schema, name),
    )
