"""Reaching a PostgreSQL server: libpq's parameters, the start-up options it takes, and its TLS.

Child side.
"""

import ssl
import struct
from typing import TYPE_CHECKING, Any

from common.errors import DatanikaError, UserError
from connections.connectors.base import StageStatus, Target
from connections.connectors.checks import Outcome
from connections.connectors.postgres_errors import explain
from connections.connectors.servers import (
    APPLICATION_NAME,
    CONNECT_SECONDS,
    Route,
    ca_file,
    find_route,
    open_socket,
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
#: query.
_FULL_OPTIONS = f"-c client_connection_check_interval=1000 {_PLAIN_OPTIONS}"
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
        "application_name": APPLICATION_NAME,
        "gssencmode": "disable",
        # An empty password must not make libpq try a password file of this machine's own user.
        "passfile": "/nonexistent",
    }
    if values["sslmode"] == "verify-full":
        values["sslrootcert"] = str(ca_file(target))
    chosen = accepted_options(target, values) if options is None else options
    return {key: value for key, value in values.items() if value} | (
        {"options": chosen} if chosen else {}
    )


def accepted_options(target: Target, values: dict[str, str]) -> str:
    """The richest start-up options the server takes, found by signing in once in a child's life."""
    key = tuple(sorted(values.items()))
    if key not in _accepted_options:
        connection, options = _sign_in(target, values)
        connection.close()
        _accepted_options[key] = options
    return _accepted_options[key]


def connect(target: Target, *, route: Route | None = None) -> "psycopg.Connection[Any]":
    """An autocommit connection with UTC and ISO dates. Raises ``UserError`` or ``TransientError``
    only.
    """
    values = parameters(target, route=route, options="")
    connection, options = _sign_in(target, values)
    if not options:
        connection.execute("SET timezone = 'UTC'")
        connection.execute("SET datestyle = 'ISO, YMD'")
    return connection


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
