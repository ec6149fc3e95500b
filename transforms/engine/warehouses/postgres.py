"""PostgreSQL: one prepared statement in a read-only transaction, so that no text can smuggle a second one in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import sql as pg

from common.children.hooks import on_cancel
from common.errors import TransientError, UserError
from transforms.engine.warehouses.base import (
    HEAD,
    LOOK_SECONDS,
    QueryFailed,
    Relation,
    Rows,
    Server,
    cut,
    too_slow,
)

#: SQLSTATE classes of a refused login or an unknown database: trying again changes nothing.
_REFUSED: Final = ("28", "3D")


class Postgres(Server):
    errors = psycopg.Error

    def __init__(self, output: dict[str, Any]) -> None:
        wanted: dict[str, Any] = {
            "dbname": output.get("dbname") or output.get("database"),
            "password": output.get("password") or output.get("pass"),
            "connect_timeout": output.get("connect_timeout") or 10,
        }
        for name in ("host", "port", "user", "sslmode", "sslcert", "sslkey", "sslrootcert"):
            wanted[name] = output.get(name)
        try:
            self._connection = psycopg.connect(
                **{name: value for name, value in wanted.items() if value is not None}
            )
        except psycopg.OperationalError as error:
            raise not_connected(error, wanted) from error
        self._connection.read_only = True
        self._forget = on_cancel(self._connection.cancel)
        # dbt finishes models in several threads; a transaction is for one of them at a time.
        self._lock = threading.Lock()

    def count(self, relation: Relation) -> int:
        table = pg.Identifier(relation.schema, relation.name)
        with self._reading(LOOK_SECONDS) as cursor:
            row = cursor.execute(pg.SQL("select count(*) from {}").format(table)).fetchone()
        return int(row[0]) if row else 0

    def columns(self, relation: Relation) -> list[dict[str, str]]:
        table = pg.Identifier(relation.schema, relation.name)
        with self._reading(LOOK_SECONDS) as cursor:
            cursor.execute(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
                (table.as_string(self._connection),),
            )
            return [{"name": name, "type": type_} for name, type_ in cursor.fetchall()]

    def head(self, sql: str, *, limit: int, seconds: int) -> Rows:
        wrapped = f"{HEAD}{sql}\n) as preview limit {limit + 1}"
        with self._reading(seconds) as cursor:
            try:
                # Prepared: the server then takes one statement only, whatever the text holds.
                cursor.execute(wrapped.encode(), prepare=True)
            except psycopg.errors.QueryCanceled as error:
                raise too_slow(seconds) from error
            except psycopg.Error as error:
                raise _postgres_words(error, wrapped) from error
            columns = [{"name": c.name, "type": c.type_display} for c in cursor.description or ()]
            return cut(columns, _texts(cursor), limit)

    @contextmanager
    def _reading(self, seconds: int) -> Iterator[psycopg.Cursor[Any]]:
        with self._lock, self._connection.transaction(force_rollback=True):
            cursor = self._connection.cursor()
            cursor.execute(pg.SQL("set local statement_timeout = {}").format(seconds * 1000))
            yield cursor


def _texts(cursor: psycopg.Cursor[Any]) -> list[list[str | None]]:
    """The server's own text of each value, which is what psql would show."""
    result = cursor.pgresult
    if result is None:
        return []
    return [
        [_text(result.get_value(row, column)) for column in range(result.nfields)]
        for row in range(result.ntuples)
    ]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _postgres_words(error: psycopg.Error, wrapped: str) -> QueryFailed:
    message = error.diag.message_primary or str(error).splitlines()[0]
    position = None
    with suppress(TypeError, ValueError):
        at = int(error.diag.statement_position or "") - 1
        line = wrapped.count("\n", 0, at)
        if line:
            position = (line, at - wrapped.rfind("\n", 0, at))
    return QueryFailed(message, position=position)


def not_connected(error: psycopg.OperationalError, wanted: dict[str, Any]) -> UserError:
    refused = (error.sqlstate or "").startswith(_REFUSED)
    kind = UserError if refused else TransientError
    words = " ".join(str(error).split())
    if wanted["password"]:
        words = words.replace(str(wanted["password"]), "***")
    return kind(
        "The warehouse refused the connection." if refused else "The warehouse cannot be reached.",
        remedy="Check the warehouse connection.",
        detail=words,
    )
