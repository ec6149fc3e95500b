"""Reaching a database server: the judged address or a tunnel, TLS, and their errors as sentences.

Child side; shared by the connectors of servers.
"""

import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from common.errors import DatanikaError, TransientError, UserError
from common.signatures import signature_of
from connections import policy
from connections.connectors import ssh_tunnel
from connections.connectors.base import StageStatus, Target
from connections.connectors.checks import Outcome, Step

CONNECT_SECONDS = 10
APPLICATION_NAME = "datanika"
#: By which the sessions of this child are found on a server; a child does one thing in its life.
_session = {"name": APPLICATION_NAME}

_SYSTEM_CA_FILE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Route:
    """Where to dial for the server: its judged address, or the near end of a tunnel to it."""

    address: str
    port: int


def name_sessions(step: str) -> None:
    """From here on this child's sessions tell which step they work for."""
    _session["name"] = f"{APPLICATION_NAME} {step}"


def session_name() -> str:
    return _session["name"]


class Approach:
    """The first stages of a server's check; ``route`` is there once they passed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._addresses: list[str] = []
        self.route = Route("", 0)

    def steps(self) -> list[Step]:
        if ssh_tunnel.wanted(self._target):
            return [("resolve", self._resolve_ssh), ("tunnel", self._tunnel)]
        return [("resolve", self._resolve), ("connect", self._connect)]

    def _resolve(self) -> Outcome:
        self._addresses = resolve(self._target)
        return Outcome(f"{self._target.config['host']} is at {', '.join(self._addresses)}.")

    def _connect(self) -> Outcome:
        port = int(self._target.config["port"])
        self.route = Route(dial(self._target, self._addresses), port)
        return Outcome(f"{self.route.address} answers on port {port}.")

    def _resolve_ssh(self) -> Outcome:
        addresses = ssh_tunnel.resolve(self._target)
        return Outcome(f"{self._target.config['ssh_host']} is at {', '.join(addresses)}.")

    def _tunnel(self) -> Outcome:
        config = self._target.config
        tunnel = ssh_tunnel.tunnel_to(self._target)
        self.route = Route(tunnel.address, tunnel.port)
        return Outcome(
            f"{config['ssh_host']} is the server whose key was given, and leads to "
            f"{config['host']}:{config['port']}."
        )


def find_route(target: Target) -> Route:
    """Where to dial, found and tried: the tunnel is opened, or the host resolved and judged."""
    if ssh_tunnel.wanted(target):
        tunnel = ssh_tunnel.tunnel_to(target)
        return Route(tunnel.address, tunnel.port)
    return Route(dial(target, resolve(target)), int(target.config["port"]))


def resolve(target: Target) -> list[str]:
    """The addresses of the server that the egress policy allows."""
    return policy.resolve_addresses(
        target.config["host"], int(target.config["port"]), egress=target.egress
    )


def dial(target: Target, addresses: list[str]) -> str:
    """The first address that answers; a name such as ``localhost`` often has one that nobody
    listens on.
    """
    with _first_socket(target, addresses) as found:
        return str(found.getpeername()[0])


def open_server(target: Target, route: Route | None = None) -> socket.socket:
    """A socket to the server; without ``route`` the host is resolved and judged, or the tunnel
    opened. Raises ``UserError``.
    """
    if route is None and not ssh_tunnel.wanted(target):
        return _first_socket(target, resolve(target))
    try:
        return open_socket(route or find_route(target))
    except OSError as error:
        raise unreachable(target, error) from error


def _first_socket(target: Target, addresses: list[str]) -> socket.socket:
    failure: OSError | None = None
    for address in addresses:
        try:
            return open_socket(Route(address, int(target.config["port"])))
        except OSError as error:
            failure = error
    raise unreachable(target, failure)


def open_socket(route: Route) -> socket.socket:
    """A connected socket that gives up after ``CONNECT_SECONDS``, until told otherwise."""
    return socket.create_connection((route.address, route.port), timeout=CONNECT_SECONDS)


def unreachable(target: Target, error: OSError | None) -> UserError:
    """Why the server could not be dialled."""
    found = _unreachable(target, error)
    # Raised after the last of several addresses was tried, far from the error itself.
    found.signature = signature_of(error) if error else ""
    return found


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


# --- TLS -----------------------------------------------------------------------------------------


def tls_mode(target: Target) -> str:
    """``prefer``, ``require``, ``verify-full`` or ``disable``."""
    return str(target.config.get("sslmode") or "prefer")


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


def tls_context(target: Target) -> ssl.SSLContext:
    """Verifies as the connection demands; the name to verify is the server's host."""
    verified = tls_mode(target) == "verify-full"
    context = ssl.create_default_context(cafile=str(ca_file(target)) if verified else None)
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def shake_hands(target: Target, plain: socket.socket) -> Outcome:
    """Go over to TLS on a server that agreed to it, and say what was negotiated."""
    with tls_context(target).wrap_socket(
        plain, server_hostname=str(target.config["host"])
    ) as secure:
        text = f"Encrypted with {secure.version()}; "
    verified = tls_mode(target) == "verify-full"
    return Outcome(text + ("certificate verified." if verified else "certificate not verified."))


def without_tls(target: Target) -> Outcome:
    """What it means that the server offers no TLS."""
    if tls_mode(target) == "prefer":
        return _plain_inside_tunnel() if ssh_tunnel.wanted(target) else _plain()
    raise UserError(
        "The server offers no TLS, and this connection demands it.",
        field="sslmode",
        remedy="Switch TLS on at the server, or choose another encryption mode.",
    )


def tls_error(target: Target, error: ssl.SSLError) -> UserError:
    """Why the encrypted connection was not set up."""
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


def _plain() -> Outcome:
    return Outcome(
        "The server offers no TLS; the connection is not encrypted.",
        StageStatus.WARN,
        remedy="Switch TLS on at the server unless the network between is your own.",
    )


def _plain_inside_tunnel() -> Outcome:
    return Outcome("The server offers no TLS; the tunnel encrypts as far as the SSH server.")


def _private_file(target: Target, text: str) -> Path:
    if target.private_dir is None:
        raise DatanikaError("A certificate needs the child's private directory.")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = target.private_dir / f"ca-{digest}.pem"
    path.write_text(text.strip() + "\n")
    path.chmod(0o600)
    return path
