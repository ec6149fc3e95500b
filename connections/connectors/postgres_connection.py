"""Reaching a PostgreSQL server: the judged address, libpq's parameters, TLS, and its errors as
sentences. Child side.
"""

import hashlib
import socket
import ssl
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import DatanikaError, TransientError, UserError
from connections import policy
from connections.connectors.base import StageStatus, Target
from connections.connectors.checks import Outcome
from connections.connectors.postgres_errors import explain

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
APPLICATION_NAME = "datanika"
#: The dates and times of every session read the same, whatever the server's defaults are.
_PLAIN_OPTIONS = "-c timezone=UTC -c datestyle=ISO,YMD"
#: From version 14 on the server notices within a second that a killed child is gone, and ends its
#: query.
_FULL_OPTIONS = f"-c client_connection_check_interval=1000 {_PLAIN_OPTIONS}"
#: A connection pooler may refuse start-up options altogether.
_OPTION_LEVELS = (_FULL_OPTIONS, _PLAIN_OPTIONS, "")

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_SYSTEM_CA_FILE = Path("/etc/ssl/certs/ca-certificates.crt")

#: Options a server took, by all other parameters: asked once in a child's short life.
_accepted_options: dict[tuple[tuple[str, str], ...], str] = {}


def resolve(target: Target) -> list[str]:
    """The addresses of the server that the egress policy allows."""
    return policy.resolve_addresses(
        target.config["host"], int(target.config["port"]), egress=target.egress
    )


def dial(target: Target, addresses: list[str]) -> str:
    """The first address that answers; a name such as ``localhost`` often has one that nobody
    listens on.
    """
    port = int(target.config["port"])
    failure: OSError | None = None
    for address in addresses:
        try:
            with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
                return address
        except OSError as error:
            failure = error
    raise _unreachable(target, failure)


def parameters(target: Target, *, address: str = "", options: str | None = None) -> dict[str, str]:
    """libpq's parameters. Without ``address`` the host is resolved, judged and dialled first."""
    config = target.config
    values = {
        # The name stays: TLS is verified against it. libpq dials hostaddr and does not look the
        # name up again.
        "host": str(config["host"]),
        "hostaddr": address or dial(target, resolve(target)),
        "port": str(config["port"]),
        "dbname": str(config["database"]),
        "user": str(config["user"]),
        "password": target.secrets.get("password", ""),
        "sslmode": str(config.get("sslmode") or "prefer"),
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


def connect(target: Target, *, address: str = "") -> "psycopg.Connection[Any]":
    """An autocommit connection with UTC and ISO dates. Raises ``UserError`` or ``TransientError``
    only.
    """
    values = parameters(target, address=address, options="")
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


# --- TLS -----------------------------------------------------------------------------------------


def ca_file(target: Target) -> Path:
    """The certificate authorities to trust: the connection's own, written to the child's directory,
    or the system's.
    """
    text = str(target.config.get("ca_certificate") or "")
    if text:
        return _private_file(target, text)
    paths = ssl.get_default_verify_paths()
    for candidate in (paths.cafile, paths.openssl_cafile, str(_SYSTEM_CA_FILE)):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise UserError(
        "This machine has no list of certificate authorities.",
        field="ca_certificate",
        remedy="Paste the certificate of the server's authority.",
    )


def check_tls(target: Target, address: str) -> Outcome:
    """Ask the server for TLS as libpq does, before any sign-in, and verify as the connection
    demands.
    """
    mode = str(target.config.get("sslmode") or "prefer")
    if mode == "disable":
        return Outcome("TLS is switched off; the connection is not encrypted.", StageStatus.SKIPPED)
    try:
        with socket.create_connection(
            (address, int(target.config["port"])), timeout=CONNECT_SECONDS
        ) as plain:
            plain.sendall(_SSL_REQUEST)
            answer = plain.recv(1)
            if answer == b"S":
                return _shake_hands(target, plain, mode)
    except ssl.SSLError as error:
        raise _tls_error(target, error) from error
    except OSError as error:
        raise _unreachable(target, error) from error
    if answer != b"N":
        raise UserError(
            "Something answers there, but not a PostgreSQL server.",
            field="port",
            remedy="Check host and port; 5432 is PostgreSQL's usual one.",
        )
    return _without_tls(mode)


def _without_tls(mode: str) -> Outcome:
    if mode == "prefer":
        return Outcome(
            "The server offers no TLS; the connection is not encrypted.",
            StageStatus.WARN,
            remedy="Switch TLS on at the server unless the network between is your own.",
        )
    raise UserError(
        "The server offers no TLS, and this connection demands it.",
        field="sslmode",
        remedy="Switch TLS on at the server, or choose another encryption mode.",
    )


def _shake_hands(target: Target, plain: socket.socket, mode: str) -> Outcome:
    verified = mode == "verify-full"
    context = ssl.create_default_context(cafile=str(ca_file(target)) if verified else None)
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(plain, server_hostname=str(target.config["host"])) as secure:
        text = f"Encrypted with {secure.version()}; "
    return Outcome(text + ("certificate verified." if verified else "certificate not verified."))


def _tls_error(target: Target, error: ssl.SSLError) -> UserError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return UserError(
            f"The server's certificate does not prove that it is {target.config['host']}.",
            field="sslmode",
            remedy="Paste the authority's certificate, or use the host name in the certificate.",
            detail=error.verify_message,
        )
    return UserError(
        "The encrypted connection could not be set up.",
        field="sslmode",
        remedy="Check the server's TLS configuration.",
        detail=str(error.reason or error),
    )


def _private_file(target: Target, text: str) -> Path:
    if target.private_dir is None:
        raise DatanikaError("A certificate needs the child's private directory.")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = target.private_dir / f"ca-{digest}.pem"
    path.write_text(text.strip() + "\n")
    path.chmod(0o600)
    return path


def _unreachable(target: Target, error: OSError | None) -> UserError:
    where = f"{target.config['host']}:{target.config['port']}"
    detail = (error.strerror or str(error)) if error else ""
    if isinstance(error, ConnectionRefusedError):
        return TransientError(
            f"{where} refused the connection.",
            field="port",
            remedy="Check that the server runs, listens on that port, and lets this machine in.",
            detail=detail,
        )
    if isinstance(error, TimeoutError):
        return TransientError(
            f"{where} did not answer within {CONNECT_SECONDS} seconds.",
            field="host",
            remedy="Check host and port, and that no firewall drops the connection.",
            detail=detail,
        )
    return TransientError(
        f"{where} cannot be reached.",
        field="host",
        remedy="Check host, port and the network between.",
        detail=detail,
    )
