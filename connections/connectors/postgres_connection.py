"""Reaching a PostgreSQL server: libpq's parameters, the start-up options it takes, and its TLS.

Child side.
"""

import ssl
import struct
import time
from typing import TYPE_CHECKING, Any

from common.errors import DatanikaError, UserError
from connections.connectors.base import StageStatus, Target
from connections.connectors.checks import Outcome
from connections.connectors.postgres_errors import explain
from connections.connectors.servers import (
    CONNECT_SECONDS,
    Route,
    ca_file,
    find_route,
    open_socket,
    session_name,
    shake_hands,
    tls_error,
    tls_mode,
    unreachable,
    without_tls,
)

if TYPE_CHECKING:
    import psycopg

#: The dates and times of every session read the same, whatever the server's defaults are.
_PLAIN_OPTIONS = "-c timezone=UTC -c datestyle=ISO,YMD"
#: From version 14 on the server notices within a second that a killed child is gone, and ends its
#: query; a machine that was cut off it notices within half a minute, not after two hours.
_FULL_OPTIONS = (
    "-c client_connection_check_interval=1000 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5"
    f" -c tcp_keepalives_count=3 -c tcp_user_timeout=30000 {_PLAIN_OPTIONS}"
)
#: The same on this side, for a server that was cut off.
_ALIVE = {
    "keepalives_idle": "15",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
#: A connection pooler may refuse start-up options altogether.
_OPTION_LEVELS = (_FULL_OPTIONS, _PLAIN_OPTIONS, "")

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)

#: Options a server took, by all other parameters: asked once in a child's short life.
_accepted_options: dict[tuple[tuple[str, str], ...], str] = {}


def parameters(
    target: Target, *, route: Route | None = None, options: str | None = None
) -> dict[str, str]:
    """libpq's parameters. Without ``route`` the host is resolved, judged and dialled first, or the
    tunnel to it opened.
    """
    values = _values(target, route)
    chosen = _accepted(target, values) if options is None else options
    return {key: value for key, value in values.items() if value} | (
        {"options": chosen} if chosen else {}
    )


def _values(target: Target, route: Route | None) -> dict[str, str]:
    way = route or find_route(target)
    config = target.config
    values = {
        # The name stays: TLS is verified against it. libpq dials hostaddr and does not look the
        # name up again.
        "host": str(config["host"]),
        "hostaddr": way.address,
        "port": str(way.port),
        "dbname": str(config["database"]),
        "user": str(config["user"]),
        "password": target.secrets.get("password", ""),
        "sslmode": tls_mode(target),
        "connect_timeout": str(CONNECT_SECONDS),
        "application_name": session_name(),
        **_ALIVE,
        "gssencmode": "disable",
        # An empty password must not make libpq try a password file of this machine's own user.
        "passfile": "/nonexistent",
    }
    if values["sslmode"] == "verify-full":
        values["sslrootcert"] = str(ca_file(target))
    return values


def sign_in(target: Target) -> "psycopg.Connection[Any]":
    """An autocommit connection with the richest start-up options, which later connection strings then have too."""
    values = _values(target, None)
    connection, _accepted_options[_key(values)] = _sign_in(target, values)
    return connection


def _key(values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def _accepted(target: Target, values: dict[str, str]) -> str:
    """The richest start-up options the server takes, found by signing in once in a child's life."""
    key = _key(values)
    if key not in _accepted_options:
        connection, options = _sign_in(target, values)
        connection.close()
        _accepted_options[key] = options
    return _accepted_options[key]


def connect(target: Target, *, route: Route | None = None) -> "psycopg.Connection[Any]":
    """An autocommit connection with UTC and ISO dates. Raises ``UserError`` or ``TransientError``
    only.
    """
    connection, options = _sign_in(target, _values(target, route))
    if not options:
        connection.execute("SET timezone = 'UTC'")
        connection.execute("SET datestyle = 'ISO, YMD'")
    return connection


def end_lost_sessions(target: Target) -> None:
    """End the other sessions on the server that bear this child's name, and wait until their locks are gone."""
    import psycopg

    mine = "application_name = %s AND pid <> pg_backend_pid() AND usename = current_user"
    with connect(target) as connection:
        try:
            connection.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}",
                [session_name()],
            )
            for _ in range(50):
                left = connection.execute(
                    f"SELECT count(*) FROM pg_stat_activity WHERE {mine}", [session_name()]
                ).fetchone()
                if left == (0,):
                    return
                time.sleep(0.1)
        except psycopg.Error as error:
            raise explain(error, target) from error


def _sign_in(target: Target, values: dict[str, str]) -> "tuple[psycopg.Connection[Any], str]":
    import psycopg
    from psycopg.conninfo import make_conninfo

    given = {key: value for key, value in values.items() if value}
    for options in _OPTION_LEVELS:
        try:
            text = make_conninfo("", **given, **({"options": options} if options else {}))
            connection = psycopg.connect(text, autocommit=True)
        except psycopg.Error as error:
            if options and _refuses_options(str(error)):
                continue
            raise explain(error, target) from error
        else:
            return connection, options
    raise DatanikaError("PostgreSQL refused an empty list of start-up options.")


def _refuses_options(message: str) -> bool:
    """libpq hands no SQLSTATE over before sign-in, but a parameter's name is in the text in every
    language.
    """
    return any(
        name in message
        for name in ("client_connection_check_interval", "datestyle", '"options"', ": options")
    )


def check_tls(target: Target, route: Route) -> Outcome:
    """Ask the server for TLS as libpq does, before any sign-in, and verify as the connection
    demands.
    """
    if tls_mode(target) == "disable":
        return Outcome("TLS is switched off; the connection is not encrypted.", StageStatus.SKIPPED)
    try:
        with open_socket(route) as plain:
            plain.sendall(_SSL_REQUEST)
            answer = plain.recv(1)
            if answer == b"S":
                return shake_hands(target, plain)
    except ssl.SSLError as error:
        raise tls_error(target, error) from error
    except OSError as error:
        raise unreachable(target, error) from error
    if answer != b"N":
        raise UserError(
            "Something answers there, but not a PostgreSQL server.",
            field="port",
            remedy="Check host and port; 5432 is PostgreSQL's usual one.",
        )
    return without_tls(target)
