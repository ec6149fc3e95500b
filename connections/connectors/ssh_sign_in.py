"""Signing in to an SSH server: the judged address, its host key, then the password or key.

Child side.
"""

import socket
from typing import TYPE_CHECKING, Any

from common.errors import TransientError, UserError
from connections import policy
from connections.connectors.base import Target
from connections.connectors.meanings import without_secrets

if TYPE_CHECKING:
    import paramiko

CONNECT_SECONDS = 10
_KEEPALIVE_SECONDS = 30
#: Encrypts and authenticates in one pass of OpenSSL: about twice as fast as a cipher with a MAC.
_FAST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


def resolve(target: Target) -> list[str]:
    """The addresses of the SSH server that the egress policy allows."""
    try:
        return policy.resolve_addresses(
            str(target.config["ssh_host"]), _port(target), egress=target.egress
        )
    except UserError as error:
        # The policy speaks of "host", which is another field here.
        error.field = "ssh_host"
        raise


def sign_in(target: Target) -> "paramiko.Transport":
    """A connection to the SSH server that was given, signed in. Raises ``UserError`` only."""
    import paramiko

    transport = None
    try:
        transport = _transport(target, _dial(target, resolve(target)))
        transport.start_client(timeout=CONNECT_SECONDS)
        _check_host_key(target, transport.get_remote_server_key())
        _authenticate(target, transport)
        transport.set_keepalive(_KEEPALIVE_SECONDS)
    except BaseException as error:
        if transport is not None:
            transport.close()
        if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
            raise _explain(error, target) from error
        raise
    return transport


def _port(target: Target) -> int:
    return int(target.config.get("ssh_port") or 22)


def _where(target: Target) -> str:
    return f"{target.config['ssh_host']}:{_port(target)}"


def _dial(target: Target, addresses: list[str]) -> socket.socket:
    failure: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, _port(target)), timeout=CONNECT_SECONDS)
        except OSError as error:
            failure = error
    raise TransientError(
        f"The SSH server {_where(target)} cannot be reached.",
        field="ssh_host",
        remedy="Check SSH host and port, and that it lets this machine in.",
        detail=(failure.strerror or str(failure)) if failure else "",
    ) from failure


def _transport(target: Target, sock: socket.socket) -> "paramiko.Transport":
    import paramiko

    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(sock)
    transport.banner_timeout = transport.auth_timeout = CONNECT_SECONDS
    options = transport.get_security_options()
    fast = [name for name in _FAST_CIPHERS if name in options.ciphers]
    options.ciphers = (*fast, *(name for name in options.ciphers if name not in fast))
    kind = _given_key(target).partition(" ")[0]
    if kind:
        # A server has keys of several kinds and shows the one that is asked for.
        kinds = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
        options.key_types = tuple(name for name in options.key_types if name in kinds)
    return transport


def _given_key(target: Target) -> str:
    return str(target.config.get("ssh_host_key") or "")


def _check_host_key(target: Target, shown: "paramiko.PKey") -> None:
    line = f"{shown.get_name()} {shown.get_base64()}"
    given = _given_key(target)
    if given == line:
        return
    detail = f"{line} ({shown.fingerprint})"
    if not given:
        raise UserError(
            f"{_where(target)} shows a host key, and none was given to compare it with.",
            field="ssh_host_key",
            remedy="Compare the fingerprint with one from the server's administrator, then paste "
            "the line into the field Host key. Nothing was sent to the server.",
            detail=detail,
        )
    raise UserError(
        f"{_where(target)} shows another host key than the one given.",
        field="ssh_host_key",
        remedy="Somebody may be in between. Only where the server got a new key: compare the "
        "fingerprint with its administrator's, then paste the new line.",
        detail=detail,
    )


def _authenticate(target: Target, transport: "paramiko.Transport") -> None:
    user = str(target.config["ssh_user"])
    key, password = target.secrets.get("ssh_private_key"), target.secrets.get("ssh_password")
    if key:
        passphrase = target.secrets.get("ssh_passphrase", "")
        left = transport.auth_publickey(user, _private_key(key, passphrase))
    elif password:
        left = transport.auth_password(user, password)
    else:
        raise UserError(
            "The tunnel has neither a password nor a private key to sign in with.",
            field="ssh_private_key",
            remedy="Give one of them.",
        )
    if left or not transport.is_authenticated():
        raise UserError(
            f"{_where(target)} asks for a second proof ({', '.join(left) or 'unnamed'}).",
            field="ssh_user",
            remedy="Use an account that signs in with a key alone.",
        )


def _private_key(text: str, passphrase: str) -> "paramiko.PKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    load = (
        serialization.load_ssh_private_key
        if "BEGIN OPENSSH" in text
        else serialization.load_pem_private_key
    )
    try:
        loaded = load(text.encode(), passphrase.encode() or None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _key_error(text, passphrase, error) from None
    return _as_paramiko(loaded)


def _key_error(text: str, passphrase: str, error: Exception) -> UserError:
    """The library's words are left out: they may quote what was pasted."""
    words = str(error).lower()
    if not passphrase and ("password" in words or "encrypted" in words):
        return UserError(
            "The private key is protected by a passphrase.",
            field="ssh_passphrase",
            remedy="Give the passphrase, or a key without one.",
        )
    if passphrase and ("password" in words or "corrupt" in words or "checkint" in words):
        return UserError(
            "The passphrase does not open the private key.",
            field="ssh_passphrase",
            remedy="Check the passphrase; leave it empty for a key that has none.",
        )
    return UserError(
        "The private key cannot be read.",
        field="ssh_private_key",
        remedy="Paste the whole file of an Ed25519, ECDSA or RSA key.",
    )


def _as_paramiko(key: Any) -> "paramiko.PKey":
    import io

    import paramiko
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    kinds = (
        (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
        (rsa.RSAPrivateKey, paramiko.RSAKey),
        (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
    )
    for ours, theirs in kinds:
        if isinstance(key, ours):
            plain = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            return theirs.from_private_key(io.StringIO(plain.decode()))
    raise UserError(
        "The private key is of a kind that is not supported.",
        field="ssh_private_key",
        remedy="Use an Ed25519, ECDSA or RSA key.",
    )


def _explain(error: Exception, target: Target) -> UserError:
    """A failed handshake or sign-in as a sentence."""
    import paramiko
    from paramiko.ssh_exception import IncompatiblePeer

    detail = without_secrets(str(error), target)
    if isinstance(error, paramiko.AuthenticationException):
        return _refused(error, target, detail)
    if isinstance(error, IncompatiblePeer):
        kind = _given_key(target).partition(" ")[0]
        return UserError(
            f"{_where(target)} and Datanika found no common way to encrypt.",
            field="ssh_host_key",
            remedy=f"Check that the server has a host key of kind {kind}; it changes with the "
            "software of the server."
            if kind
            else "Upgrade the SSH server.",
            detail=detail,
        )
    if "banner" in detail.lower() or isinstance(error, EOFError):
        return TransientError(
            f"Something answers at {_where(target)}, but it did not greet as an SSH server.",
            field="ssh_port",
            remedy="Check SSH host and port; 22 is the usual one. A busy server may refuse for a "
            "while.",
            detail=detail,
        )
    return TransientError(
        f"The connection to the SSH server {_where(target)} was lost.",
        field="ssh_host",
        remedy="Try again.",
        detail=detail,
    )


def _refused(error: "paramiko.AuthenticationException", target: Target, detail: str) -> UserError:
    import paramiko

    with_key = bool(target.secrets.get("ssh_private_key"))
    what, field = ("private key", "ssh_private_key") if with_key else ("password", "ssh_password")
    user = target.config["ssh_user"]
    if isinstance(error, paramiko.BadAuthenticationType):
        allowed = ", ".join(error.allowed_types)
        return UserError(
            f'The SSH server takes no {what} of user "{user}".',
            field=field,
            remedy=f"It takes: {allowed}.",
        )
    if "timeout" in detail.lower():
        return TransientError(
            "The SSH server took too long to let us in.", field="ssh_user", remedy="Try again."
        )
    return UserError(
        f'The SSH server did not accept the {what} of user "{user}".',
        field=field,
        remedy="Check the user, and that the public key stands in its authorized_keys."
        if with_key
        else "Check user and password.",
        detail=detail,
    )
