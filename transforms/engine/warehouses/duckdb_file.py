"""DuckDB: a file that one process writes, looked at through dbt's own handle."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from common.children.hooks import on_cancel
from common.errors import TransientError, UserError
from connections.connectors.sql import quote_table
from transforms.engine.failures import clean, excerpt_position
from transforms.engine.hardening import open_duckdb
from transforms.engine.warehouses.base import (
    HEAD,
    QueryFailed,
    Relation,
    Rows,
    Warehouse,
    cut,
    too_slow,
)


class DuckDB(Warehouse):
    """DuckDB lets one process write: while dbt builds, we look through dbt's own handle."""

    def __init__(self, open_cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._open_cursor = open_cursor

    @cached_property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        # At first use: dbt has opened the file by then.
        return self._open_cursor()

    def count(self, relation: Relation) -> int:
        row = self._cursor.execute(
            f"select count(*) from {quote_table(relation.schema, relation.name)}"
        ).fetchone()
        return int(row[0]) if row else 0

    def columns(self, relation: Relation) -> list[dict[str, str]]:
        rows = self._cursor.execute(
            f"describe {quote_table(relation.schema, relation.name)}"
        ).fetchall()
        return [{"name": row[0], "type": row[1].lower()} for row in rows]

    def head(self, sql: str, *, limit: int, seconds: int) -> Rows:
        with _interrupted(self._cursor.interrupt, seconds) as expired:
            try:
                self._refuse_all_but_select(sql)
                wrapped = f"{HEAD}{sql}\n) as preview limit {limit + 1}"
                described = self._cursor.execute(f"describe {wrapped}").fetchall()
                text = f"select columns(*)::varchar from (\n{wrapped}\n)"
                rows = self._cursor.execute(text).fetchall() if described else []
            except duckdb.InterruptException as error:
                if not expired():
                    raise
                raise too_slow(seconds) from error
            except duckdb.Error as error:
                raise _duckdb_words(str(error), sql) from error
        columns = [{"name": row[0], "type": row[1].lower()} for row in described]
        return cut(columns, [list(row) for row in rows], limit)

    def _refuse_all_but_select(self, sql: str) -> None:
        statements = self._cursor.extract_statements(sql)
        if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
            raise QueryFailed("A preview runs exactly one SELECT; this is something else.")

    def close(self) -> None:
        if "_cursor" in self.__dict__:
            self._cursor.close()


def cursor_of_dbt() -> duckdb.DuckDBPyConnection:
    environment: Any = DuckDBConnectionManager.env()
    cursor: duckdb.DuckDBPyConnection = environment.handle().cursor()
    return cursor


def open_file(path: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        return open_duckdb(path, read_only=read_only)
    except duckdb.IOException as error:
        raise file_not_opened(str(error)) from error


def file_not_opened(words: str) -> UserError:
    """DuckDB says why it cannot open the file; only a lock goes away by itself."""
    if "lock on file" in words:
        return TransientError(
            "Another process is writing to the warehouse file.",
            remedy="Wait until the run that writes it has finished.",
        )
    return UserError(
        "The warehouse file cannot be opened.",
        remedy="Load something into it first, or check the connection.",
        detail=words.splitlines()[0] if "does not exist" not in words else "",
    )


@contextmanager
def _interrupted(interrupt: Callable[[], None], seconds: int) -> Iterator[Callable[[], bool]]:
    """DuckDB has no statement timeout; a timer interrupts. Yields whether it did."""
    ends = time.monotonic() + seconds
    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    forget = on_cancel(interrupt)
    try:
        yield lambda: time.monotonic() >= ends
    finally:
        timer.cancel()
        forget()


def _duckdb_words(words: str, sql: str) -> QueryFailed:
    return QueryFailed(clean(words), position=excerpt_position(words, sql))
