"""Connections by PyMySQL."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pymysql
from dbt.adapters.contracts.connection import AdapterResponse, Connection, Credentials
from dbt.adapters.exceptions import FailedToConnectError
from dbt.adapters.sql import SQLConnectionManager
from dbt_common.exceptions import DbtConfigError, DbtDatabaseError, DbtRuntimeError
from pymysql.constants import COMMAND, FIELD_TYPE
from pymysql.cursors import Cursor

#: What a cast to text, a long list of values and a join of many rows may need.
_SESSION = (
    "SET SESSION time_zone = '+00:00', group_concat_max_len = 1073741824,"
    " sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_TRANS_TABLES')"
)
CATALOG = "def"
#: Of the option for several statements in a text.
_ON, _OFF = b"\x00\x00", b"\x01\x00"
_VERIFY = ("none", "ca", "identity")


@dataclass
class MySQLCredentials(Credentials):
    """A server and the account on it; ``schema`` is the MySQL database that dbt builds in."""

    # dbt asks every adapter for a database above the schema; this is what information_schema calls the only one.
    database: str = CATALOG
    schema: str = ""
    host: str = "localhost"
    port: int = 3306
    user: str = ""
    password: str = ""
    unix_socket: str | None = None
    connect_timeout: int = 10
    ssl_ca: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    #: ``none``: TLS without a look at the certificate; ``ca``: it must be signed; ``identity``: and be the host's.
    ssl_verify: str | None = None

    def __post_init__(self) -> None:
        if self.database not in (CATALOG, self.schema):
            raise DbtConfigError("MySQL has no database above a schema: leave 'database' out.")
        self.database = CATALOG
        if self.ssl_verify not in (None, *_VERIFY):
            raise DbtConfigError(f"'ssl_verify' must be one of {', '.join(_VERIFY)}.")

    @property
    def type(self) -> str:
        return "mysql"

    @property
    def unique_field(self) -> str:
        return self.unix_socket or self.host

    def _connection_keys(self) -> tuple[str, ...]:
        return ("host", "port", "unix_socket", "user", "schema", "ssl_ca", "ssl_verify")

    def tls(self) -> ssl.SSLContext | None:
        """None where nothing about TLS is said: then it is used when the server offers nothing else."""
        if not (self.ssl_ca or self.ssl_cert or self.ssl_verify):
            return None
        context = ssl.create_default_context(cafile=self.ssl_ca)
        verify = self.ssl_verify or "identity"
        context.check_hostname = verify == "identity"
        if verify == "none":
            context.verify_mode = ssl.CERT_NONE
        if self.ssl_cert:
            context.load_cert_chain(self.ssl_cert, self.ssl_key)
        return context


class LastResultCursor(Cursor):
    """Several statements in one text: all are executed, an error of any is raised, the last rows are kept."""

    def execute(self, query: str, args: Any = None) -> int:
        affected = super().execute(query, args)
        kept = self._state() if self.description else None
        while super().nextset():
            affected = self.rowcount
            if self.description:
                kept = self._state()
        if kept is not None and not self.description:
            self.description, self._rows, self.rownumber, self.rowcount = kept
        return int(affected)

    def _state(self) -> tuple[Any, ...]:
        return self.description, self._rows, self.rownumber, self.rowcount


class MySQLConnectionManager(SQLConnectionManager):
    TYPE = "mysql"

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        try:
            yield
        except pymysql.MySQLError as error:
            with suppress(Exception):
                self.rollback_if_open()
            raise DbtDatabaseError(_words(error)) from error
        except DbtRuntimeError:
            with suppress(Exception):
                self.rollback_if_open()
            raise
        except Exception as error:
            with suppress(Exception):
                self.rollback_if_open()
            raise DbtRuntimeError(str(error)) from error

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        if connection.state == "open":
            return connection
        credentials: MySQLCredentials = connection.credentials

        def connect() -> Any:
            handle = _connect(credentials)
            with handle.cursor() as cursor:
                cursor.execute(_SESSION)
            several_statements(handle, allowed=True)
            return handle

        try:
            connection.handle = connect()
        except (pymysql.MySQLError, OSError) as error:
            connection.handle = None
            connection.state = "fail"
            raise FailedToConnectError(_words(error)) from error
        connection.state = "open"
        return connection

    def cancel(self, connection: Connection) -> None:
        """End what the connection does, by another one: its own is busy."""
        with suppress(pymysql.MySQLError, OSError):
            other = _connect(connection.credentials)
            try:
                other.cursor().execute(f"KILL {connection.handle.thread_id()}")
            finally:
                other.close()

    @classmethod
    def get_response(cls, cursor: Any) -> AdapterResponse:
        rows = max(cursor.rowcount, 0)
        return AdapterResponse(_message=f"OK {rows}", code="OK", rows_affected=rows)

    @classmethod
    def data_type_code_to_name(cls, type_code: int | str) -> str:
        """One name for types that a contract has to take for the same: what a query gives has no exact one."""
        return _NAMES.get(int(type_code), "text")


def _connect(credentials: MySQLCredentials) -> Any:
    return pymysql.connect(
        host=credentials.host,
        port=credentials.port,
        unix_socket=credentials.unix_socket,
        user=credentials.user,
        password=credentials.password,
        database=None,
        charset="utf8mb4",
        connect_timeout=credentials.connect_timeout,
        ssl=credentials.tls(),
        cursorclass=LastResultCursor,
        autocommit=True,
        local_infile=False,
    )


def several_statements(handle: Any, *, allowed: bool) -> None:
    """Whether the server takes more than one statement in a text, as dbt sends a DELETE and its INSERT.

    Asked for of the session: whoever signs in for us may not have done so, and who only reads must not have it.
    """
    handle._execute_command(COMMAND.COM_SET_OPTION, _ON if allowed else _OFF)
    handle._read_packet()


def _words(error: Exception) -> str:
    """``1146 (42S02): Table … doesn't exist`` has its number first."""
    if len(error.args) > 1:
        return f"{error.args[0]}: {error.args[1]}"
    return str(error)


_INTEGERS = ("TINY", "SHORT", "LONG", "LONGLONG", "INT24", "YEAR", "BIT")
_NAMES: dict[int, str] = {
    **{getattr(FIELD_TYPE, name): "bigint" for name in _INTEGERS},
    **{getattr(FIELD_TYPE, name): "decimal" for name in ("DECIMAL", "NEWDECIMAL")},
    **{getattr(FIELD_TYPE, name): "double" for name in ("FLOAT", "DOUBLE")},
    **{getattr(FIELD_TYPE, name): "date" for name in ("DATE", "NEWDATE")},
    **{getattr(FIELD_TYPE, name): "datetime" for name in ("DATETIME", "TIMESTAMP")},
    FIELD_TYPE.TIME: "time",
}
