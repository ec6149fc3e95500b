"""Reaching a MySQL or MariaDB server: its parameters, TLS, sign-in and session. Child side."""

import ssl
import struct
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from connections.connectors.base import StageStatus, Target
from connections.connectors.checks import Outcome
from connections.connectors.mysql_errors import NO_GREETING, explain, no_server, number_of
from connections.connectors.mysql_relay import Relay
from connections.connectors.servers import (
    APPLICATION_NAME,
    CONNECT_SECONDS,
    Route,
    ca_file,
    find_route,
    open_server,
    open_socket,
    shake_hands,
    tls_context,
    tls_error,
    tls_mode,
    unreachable,
    without_tls,
)
from connections.connectors.sql import quote_identifier, quote_text

if TYPE_CHECKING:
    import duckdb
    import pymysql

#: A long statement says nothing until its end; a lost server is noticed by TCP's keepalive sooner.
READ_SECONDS = 3600
#: Strict in every table, and a zero stays a zero in a column that counts by itself.
SQL_MODE = (
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
)

_UNKNOWN_THREAD = 1094
_COM_RESET_CONNECTION = 0x1F
_CLIENT_SSL = 1 << 11
#: Long passwords and columns, protocol 4.1 and its sign-in, sign-in methods, TLS.
_SSL_REQUEST_FLAGS = 1 | 1 << 2 | 1 << 9 | _CLIENT_SSL | 1 << 15 | 1 << 19
_UTF8MB4 = 45
#: The server may ask for file content in packets of its own size; small ones cost a call each.
_LOCAL_CHUNK = 256 * 1024

_relays: dict[tuple[Any, ...], Relay] = {}


def parameters(target: Target, *, route: Route | None = None) -> dict[str, Any]:
    """Host (the name TLS is verified against), ``hostaddr`` and ``port`` to dial, sign-in and TLS.

    Without ``route`` the host is resolved, judged and dialled first, or the tunnel to it opened.
    """
    way = route or find_route(target)
    values: dict[str, Any] = {
        "host": str(target.config["host"]),
        "hostaddr": way.address,
        "port": way.port,
        "user": str(target.config["user"]),
        "password": target.secrets.get("password", ""),
        "database": str(target.config["database"]),
        "sslmode": tls_mode(target),
    }
    if values["sslmode"] == "verify-full":
        values["ssl_ca"] = str(ca_file(target))
    return values


def connect(
    target: Target,
    *,
    route: Route | None = None,
    read_seconds: float = READ_SECONDS,
    local_data: bool = False,
) -> "pymysql.connections.Connection[Any]":
    """An autocommit connection: utf8mb4, UTC, strict. Raises ``UserError`` or ``TransientError``
    only.

    ``local_data`` allows ``load_local``; a server never gets to name a file of this machine.
    """
    import pymysql

    connection = _unconnected(target, local_data=local_data)
    try:
        connection.connect(open_server(target, route))
        inner: Any = connection
        inner._read_timeout = inner._write_timeout = read_seconds
        _prepare(connection, read_seconds)
    except pymysql.Error as error:
        raise explain(error, target) from error
    except OSError as error:
        raise unreachable(target, error) from error
    except NO_GREETING as error:
        raise no_server(target) from error
    return connection


def load_local(
    connection: "pymysql.connections.Connection[Any]", statement: str, chunks: Iterable[bytes]
) -> tuple[int, int]:
    """Run ``LOAD DATA LOCAL INFILE '…'`` with these bytes as the file: affected rows, warnings.

    The name in the statement is not looked at. Where ``chunks`` raises, the connection is closed, so
    that the server takes back what it got.
    """
    from pymysql.constants import COMMAND
    from pymysql.protocol import OKPacketWrapper

    # The driver would open a file of the server's choice; its packets are written here instead.
    inner: Any = connection
    inner._execute_command(COMMAND.COM_QUERY, statement)
    packet = inner._read_packet()
    if packet.is_load_local_packet():
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                for start in range(0, len(view), _LOCAL_CHUNK):
                    inner.write_packet(bytes(view[start : start + _LOCAL_CHUNK]))
            inner.write_packet(b"")
        except BaseException:
            inner._force_close()
            raise
        packet = inner._read_packet()
    answer = OKPacketWrapper(packet)
    return int(answer.affected_rows), int(answer.warning_count)


def kill_query(target: Target, connection_id: int) -> None:
    """Stop what that connection runs; one that has gone is stopped already."""
    import pymysql

    with closing(connect(target, read_seconds=CONNECT_SECONDS)) as connection:
        try:
            connection.query(f"KILL QUERY {int(connection_id)}")
        except pymysql.Error as error:
            if number_of(error) != _UNKNOWN_THREAD:
                raise explain(error, target) from error


def duckdb_attach(
    target: Target, con: "duckdb.DuckDBPyConnection", name: str, *, read_only: bool
) -> None:
    """Attach the database to DuckDB under that name. Raises ``UserError`` where it does not answer.

    DuckDB dials a socket of this process, behind which each of its connections is signed in as by
    ``connect``: its library cannot verify a name other than the one it dials, and so never sees the
    password.
    """
    import duckdb

    from connections.connectors.duckdb_support import explain_duckdb, load_extension

    relay = _relay(target)
    load_extension(con, "mysql")
    # A scan may take longer than five minutes, and must not fill the server's disk first.
    con.execute("SET mysql_query_timeout_enabled = false")
    con.execute("SET mysql_sql_buffer_result = false")
    secret = quote_identifier(f"{name}_sign_in")
    database = quote_text(str(target.config["database"]))
    con.execute(
        f"CREATE OR REPLACE TEMPORARY SECRET {secret} (TYPE mysql, SOCKET {quote_text(relay.path)}, "
        f"HOST 'localhost', USER 'relay', DATABASE {database}, SSL_MODE 'disabled')"
    )
    options = "TYPE mysql, READ_ONLY" if read_only else "TYPE mysql"
    try:
        con.execute(f"ATTACH '' AS {quote_identifier(name)} ({options}, SECRET {secret})")
    except duckdb.Error as error:
        if relay.failure is not None:
            raise relay.failure from None
        raise explain_duckdb(error, "DuckDB could not attach the database.") from None


def relay_path(target: Target) -> str:
    """A socket at which a driver of this process is signed in to the server whatever it says: for dbt."""
    return _relay(target).path


def check_tls(target: Target, route: Route) -> Outcome:
    """Ask the server for TLS before any sign-in, and verify as the connection demands."""
    if tls_mode(target) == "disable":
        return Outcome("TLS is switched off; the connection is not encrypted.", StageStatus.SKIPPED)
    try:
        with open_socket(route) as plain:
            if not _offers_tls(target, plain):
                return without_tls(target)
            request = struct.pack("<iIB23s", _SSL_REQUEST_FLAGS, 1 << 24, _UTF8MB4, b"")
            plain.sendall(len(request).to_bytes(3, "little") + b"\x01" + request)
            return shake_hands(target, plain)
    except ssl.SSLError as error:
        raise tls_error(target, error) from error
    except OSError as error:
        raise unreachable(target, error) from error


def _offers_tls(target: Target, plain: Any) -> bool:
    """What the greeting says of it; an error in its place is raised as a sentence."""
    import pymysql

    try:
        with plain.makefile("rb") as stream:
            size = int.from_bytes(stream.read(4)[:3], "little")
            greeting = stream.read(size)
        if greeting[0] == 0xFF:
            number = int.from_bytes(greeting[1:3], "little")
            error = pymysql.OperationalError(number, greeting[3:].decode(errors="replace"))
            raise explain(error, target)
        # Protocol, version up to a NUL, thread (4), salt (8), a filler, capabilities.
        start = greeting.index(b"\0", 1) + 1 + 4 + 8 + 1
        if greeting[0] != 10:
            raise no_server(target)
        return bool(int.from_bytes(greeting[start : start + 2], "little") & _CLIENT_SSL)
    except NO_GREETING as error:
        raise no_server(target) from error


def _unconnected(target: Target, *, local_data: bool) -> "pymysql.connections.Connection[Any]":
    import pymysql
    from pymysql.constants import CLIENT

    return pymysql.Connection(
        # The name: TLS is verified against it. The socket is dialled before.
        host=str(target.config["host"]),
        port=int(target.config["port"]),
        user=str(target.config["user"]),
        # As bytes: the driver would write a text in Latin-1.
        password=target.secrets.get("password", "").encode(),
        database=str(target.config["database"]),
        charset="utf8mb4",
        autocommit=True,
        defer_connect=True,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=CONNECT_SECONDS,
        write_timeout=CONNECT_SECONDS,
        client_flag=CLIENT.LOCAL_FILES if local_data else 0,
        program_name=APPLICATION_NAME,
        ssl=tls_context(target) if tls_mode(target) in {"require", "verify-full"} else None,
        ssl_disabled=tls_mode(target) == "disable",
        auth_plugin_map={
            "mysql_clear_password": _InClear,
            "dialog": _InClear,
            "mysql_old_password": _Refused,
        },
    )


def _prepare(connection: "pymysql.connections.Connection[Any]", read_seconds: float) -> None:
    """What every session has in common."""
    # The server's own patience with a client that is slow to read or write; one minute otherwise.
    patience = max(60, int(read_seconds))
    connection.query("SET NAMES utf8mb4")
    connection.query(
        f"SET SESSION time_zone = '+00:00', sql_mode = '{SQL_MODE}', sql_auto_is_null = 0, "
        f"net_read_timeout = {patience}, net_write_timeout = {patience}"
    )


def _reset(target: Target, connection: "pymysql.connections.Connection[Any]") -> None:
    """As after the sign-in: no transaction, no temporary table, our settings."""
    import pymysql

    inner: Any = connection
    try:
        inner._next_seq_id = 0
        inner.write_packet(bytes([_COM_RESET_CONNECTION]))
        inner._read_packet()
        _prepare(connection, READ_SECONDS)
    except pymysql.Error as error:
        raise explain(error, target) from error


def _relay(target: Target) -> Relay:
    """This process's relay to the target; signing in first says what is wrong as a sentence."""
    connect(target).close()
    config = target.config
    key = (*sorted((name, str(value)) for name, value in config.items()), target.private_dir)
    if key not in _relays:
        _relays[key] = Relay(
            target, lambda: connect(target), lambda connection: _reset(target, connection)
        )
    return _relays[key]


class _InClear:
    """Sends the password as it is, which a server may ask for; over TLS only."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def authenticate(self, _packet: Any) -> Any:
        if not self._connection._secure:
            raise _unsupported()
        self._connection.write_packet(self._connection.password + b"\0")
        packet = self._connection._read_packet()
        packet.check_error()
        return packet


class _Refused:
    """A method of before 2005 that gives the password away."""

    def __init__(self, _connection: Any) -> None:
        pass

    def authenticate(self, _packet: Any) -> Any:
        raise _unsupported()


def _unsupported() -> Exception:
    import pymysql

    error: Exception = pymysql.OperationalError(2061, "The sign-in method is refused here.")
    return error
