"""Looking at the warehouse beside dbt: rows and columns of what was built, failing rows of a test, a preview.

Reading only, and the engine itself refuses the rest: the DuckDB file is opened read-only for a preview, and
PostgreSQL gets one prepared statement in a read-only transaction, so that no text can smuggle a second one in.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import duckdb
import psycopg
import psycopg2
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from psycopg import sql as pg

from common.children.hooks import on_cancel
from common.errors import TransientError, UserError
from transforms.engine.failures import clean, excerpt_position
from transforms.engine.hardening import open_duckdb

PREVIEW_SECONDS: Final = 10
#: A number that is nice to have must not hold up the run.
LOOK_SECONDS: Final = 60
SAMPLE_ROWS: Final = 20
#: SQLSTATE classes of a refused login or an unknown database: trying again changes nothing.
_REFUSED: Final = ("28", "3D")
#: Put before the tenant's SQL, on a line of its own: line numbers shift by exactly one.
_HEAD: Final = "select * from (\n"


@dataclass(frozen=True)
class Relation:
    """A table or view that dbt built, by its unquoted names."""

    schema: str
    name: str


@dataclass(frozen=True)
class Rows:
    """The head of a result, as text (None is NULL)."""

    columns: list[dict[str, str]]
    rows: list[list[str | None]]
    truncated: bool = False

    def as_value(self) -> dict[str, Any]:
        return {"columns": self.columns, "rows": self.rows, "truncated": self.truncated}


class QueryFailed(UserError):
    """The warehouse refused the query."""

    code = "query_failed"

    def __init__(self, message: str, *, position: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        #: Line and column in the SQL that was asked for, counted from 1.
        self.position = position


class Warehouse(ABC):
    """A connection of our own to the warehouse that dbt builds in."""

    @abstractmethod
    def count(self, relation: Relation) -> int:
        """How many rows stand in it."""

    @abstractmethod
    def columns(self, relation: Relation) -> list[dict[str, str]]:
        """Name and type of each column, in order."""

    @abstractmethod
    def head(self, sql: str, *, limit: int, seconds: int) -> Rows:
        """The first rows of one SELECT; raises ``QueryFailed``."""

    def alive(self) -> bool:
        """Whether the warehouse still answers; asked after a failure."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""


class DuckDB(Warehouse):
    """DuckDB lets one process write: while dbt builds, we look through dbt's own handle."""

    def __init__(self, open_cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._open_cursor = open_cursor

    @cached_property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        # At first use: dbt has opened the file by then.
        return self._open_cursor()

    def count(self, relation: Relation) -> int:
        row = self._cursor.execute(f"select count(*) from {_quoted(relation)}").fetchone()
        return int(row[0]) if row else 0

    def columns(self, relation: Relation) -> list[dict[str, str]]:
        rows = self._cursor.execute(f"describe {_quoted(relation)}").fetchall()
        return [{"name": row[0], "type": row[1].lower()} for row in rows]

    def head(self, sql: str, *, limit: int, seconds: int) -> Rows:
        with _interrupted(self._cursor.interrupt, seconds) as expired:
            try:
                self._refuse_all_but_select(sql)
                wrapped = f"{_HEAD}{sql}\n) as preview limit {limit + 1}"
                described = self._cursor.execute(f"describe {wrapped}").fetchall()
                text = f"select columns(*)::varchar from (\n{wrapped}\n)"
                rows = self._cursor.execute(text).fetchall() if described else []
            except duckdb.InterruptException as error:
                if not expired():
                    raise
                raise _too_slow(seconds) from error
            except duckdb.Error as error:
                raise _duckdb_words(str(error), sql) from error
        columns = [{"name": row[0], "type": row[1].lower()} for row in described]
        return _cut(columns, [list(row) for row in rows], limit)

    def _refuse_all_but_select(self, sql: str) -> None:
        statements = self._cursor.extract_statements(sql)
        if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
            raise QueryFailed("A preview runs exactly one SELECT; this is something else.")

    def close(self) -> None:
        if "_cursor" in self.__dict__:
            self._cursor.close()


class Postgres(Warehouse):
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
            raise _not_connected(error, wanted) from error
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
        wrapped = f"{_HEAD}{sql}\n) as preview limit {limit + 1}"
        with self._reading(seconds) as cursor:
            try:
                # Prepared: the server then takes one statement only, whatever the text holds.
                cursor.execute(wrapped.encode(), prepare=True)
            except psycopg.errors.QueryCanceled as error:
                raise _too_slow(seconds) from error
            except psycopg.Error as error:
                raise _postgres_words(error, wrapped) from error
            columns = [{"name": c.name, "type": c.type_display} for c in cursor.description or ()]
            return _cut(columns, _texts(cursor), limit)

    @contextmanager
    def _reading(self, seconds: int) -> Iterator[psycopg.Cursor[Any]]:
        with self._lock, self._connection.transaction(force_rollback=True):
            cursor = self._connection.cursor()
            cursor.execute(pg.SQL("set local statement_timeout = {}").format(seconds * 1000))
            yield cursor

    def alive(self) -> bool:
        try:
            with self._reading(LOOK_SECONDS) as cursor:
                cursor.execute("select 1")
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        self._forget()
        self._connection.close()


def open_for_build(output: dict[str, Any]) -> Warehouse | None:
    """Beside dbt; None where we have no reader for this kind. Raises where the warehouse cannot be reached."""
    match output["type"]:
        case "duckdb":
            _open_file(output["path"], read_only=False).close()
            return DuckDB(_cursor_of_dbt)
        case "postgres":
            return Postgres(output)
    return None


def _cursor_of_dbt() -> duckdb.DuckDBPyConnection:
    environment: Any = DuckDBConnectionManager.env()
    cursor: duckdb.DuckDBPyConnection = environment.handle().cursor()
    return cursor


def open_for_preview(output: dict[str, Any]) -> Warehouse:
    """For a preview: nothing can be written through it."""
    match output["type"]:
        case "duckdb":
            return DuckDB(lambda: _open_file(output["path"], read_only=True))
        case "postgres":
            return Postgres(output)
    raise UserError(
        "There is no preview for this kind of warehouse.", remedy="Compile it, or build it."
    )


def connection_problem(error: BaseException) -> UserError | None:
    """What dbt ran into, if it was the connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError):
            return TransientError(
                "The warehouse cannot be reached.", remedy="Check the warehouse connection."
            )
        if isinstance(cause, duckdb.IOException):
            return _file_not_opened(str(cause))
        cause = cause.__cause__ or cause.__context__
    return None


def _open_file(path: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        return open_duckdb(path, read_only=read_only)
    except duckdb.IOException as error:
        raise _file_not_opened(str(error)) from error


def _file_not_opened(words: str) -> UserError:
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


def _too_slow(seconds: int) -> QueryFailed:
    return QueryFailed(f"The query did not answer within {seconds} second{'s'[: seconds != 1]}.")


def _quoted(relation: Relation) -> str:
    return ".".join(
        '"' + part.replace('"', '""') + '"' for part in (relation.schema, relation.name)
    )


def _cut(columns: list[dict[str, str]], rows: list[list[str | None]], limit: int) -> Rows:
    return Rows(columns, rows[:limit], truncated=len(rows) > limit)


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


def _duckdb_words(words: str, sql: str) -> QueryFailed:
    return QueryFailed(clean(words), position=excerpt_position(words, sql))


def _postgres_words(error: psycopg.Error, wrapped: str) -> QueryFailed:
    message = error.diag.message_primary or str(error).splitlines()[0]
    position = None
    with suppress(TypeError, ValueError):
        at = int(error.diag.statement_position or "") - 1
        line = wrapped.count("\n", 0, at)
        if line:
            position = (line, at - wrapped.rfind("\n", 0, at))
    return QueryFailed(message, position=position)


def _not_connected(error: psycopg.OperationalError, wanted: dict[str, Any]) -> UserError:
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
