"""The one way a request of ours leaves over HTTP: to the address that the egress policy judged, in bounded time.

A library would look the name up again, follow redirects or ask a proxy; here the checked address is the one dialled.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Timer
from urllib.parse import SplitResult, quote, urlsplit

from common.errors import TransientError, UserError
from connections import policy, restrictions

CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 10.0
#: An answer is read so far, for its words in a log.
MOST_ANSWER = 1000
_PORTS = {"http": 80, "https": 443}


class Unreachable(TransientError):
    """The other side did not answer."""

    code = "unreachable"


class InvalidAddress(UserError):
    """This is no address that can be asked."""

    code = "invalid_address"


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    text: str
    #: Where a redirect leads; none is followed.
    location: str = ""


def parse(url: str, field: str = "url") -> SplitResult:
    """The URL's parts, once its shape is right and its host is not one that no policy allows. Resolves no name."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise InvalidAddress(
            "This is no URL.", field=field, remedy="Paste the whole address, with https://."
        ) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InvalidAddress(
            "The URL has to begin with https:// (or http:// in your own network).",
            field=field,
            remedy="Paste the whole address.",
        )
    if parts.username is not None or port == 0:
        raise InvalidAddress(
            "The URL may hold neither a user nor port 0.",
            field=field,
            remedy="Take that out; a token belongs into the path or the query.",
        )
    try:
        policy.check_far_host(parts.hostname)
    except UserError as error:
        raise InvalidAddress(
            error.message, field=field, remedy="Paste the URL that the receiver gave you."
        ) from error
    return parts


def ask(
    method: str,
    url: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str],
    seconds: float = TOTAL_SECONDS,
) -> Answer:
    """Ask once. Raises ``InvalidAddress``, the policy's ``UserError``, or ``Unreachable`` when nobody answers.

    No message names more of the URL than host and port: the rest may be a secret.
    """
    parts = parse(url)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    deadline = time.monotonic() + seconds
    sock = _dial(host, port, deadline)
    # A receiver that answers one byte at a time keeps every single read short, so the whole has an end of its own.
    handle = sock.dup()
    guard = Timer(max(deadline - time.monotonic(), 0.1), _hang_up, [handle])
    guard.daemon = True
    guard.start()
    try:
        with _wrapped(sock, parts) as line:
            return _exchange(parts, line, method, body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise _in_words(error, host, port, time.monotonic() >= deadline, seconds) from error
    finally:
        guard.cancel()
        handle.close()
        sock.close()


def _dial(host: str, port: int, deadline: float) -> socket.socket:
    failure: OSError = TimeoutError()
    for address in policy.resolve_addresses(host, port, egress=restrictions.egress()):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=min(CONNECT_SECONDS, left))
        except OSError as error:
            failure = error
    raise _in_words(failure, host, port, False, CONNECT_SECONDS) from failure


def _wrapped(sock: socket.socket, parts: SplitResult) -> socket.socket:
    sock.settimeout(TOTAL_SECONDS)
    if parts.scheme == "http":
        return sock
    return ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)


def _exchange(
    parts: SplitResult, sock: socket.socket, method: str, body: bytes, headers: Mapping[str, str]
) -> Answer:
    # With its socket set, the connection dials nothing itself.
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.sock = sock
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        target = quote(target, safe="%/:?#[]@!$&'()*+,;=~")
        connection.request(method, target, body, {**headers, "Host": _host_header(parts)})
        response = connection.getresponse()
        text = response.read(MOST_ANSWER).decode("utf-8", "replace")
        return Answer(response.status, response.reason, text, response.headers.get("Location", ""))
    finally:
        connection.close()


def _host_header(parts: SplitResult) -> str:
    """The host as receivers know it: without the scheme's own port."""
    host = str(parts.hostname)
    try:
        host = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        host = host.encode("idna").decode("ascii")
    usual = parts.port in {None, _PORTS[parts.scheme]}
    return host if usual else f"{host}:{parts.port}"


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # It is closed already.


def _in_words(error: Exception, host: str, port: int, late: bool, seconds: float) -> Unreachable:
    """The failure as a sentence. The URL is a secret, so nothing but host and port is named."""
    where = f"{host}, port {port},"
    if late or isinstance(error, TimeoutError):
        message = f"{where} did not answer within {seconds:.2g} seconds."
        return Unreachable(message, remedy="Look whether the receiver is up and quick enough.")
    if isinstance(error, ConnectionRefusedError):
        message = f"{where} refused the connection."
        return Unreachable(message, remedy="Look whether the receiver is up, and at the port.")
    if isinstance(error, ssl.SSLCertVerificationError):
        message = f"The certificate of {host} is not valid: {error.verify_message}."
        return Unreachable(message, remedy="Renew the certificate of the receiver.")
    if isinstance(error, ssl.SSLError):
        message = f"{where} speaks no TLS that fits: {error.reason}."
        return Unreachable(message, remedy="Check the port, and whether the URL means http://.")
    if isinstance(error, http.client.HTTPException):
        message = f"{where} did not answer in HTTP."
        return Unreachable(message, remedy="Check the port of the URL.")
    reason = getattr(error, "strerror", None) or type(error).__name__
    message = f"{where} cannot be reached: {reason}."
    return Unreachable(message, remedy="Check the host, and the network between.")
