"""An SSH tunnel to a database server: a loopback port of this process that leads there.

Child side. Every driver dials that port; TLS is still verified against the server's own name. The
tunnel stays open for the life of the process, and connects again when its SSH server was lost.
Nothing is sent to an SSH server whose host key was not given and does not match.
"""

import contextlib
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.children import listeners
from common.errors import UserError
from connections import policy
from connections.connectors import ssh_sign_in
from connections.connectors.base import Target
from connections.connectors.ssh_errors import explain_channel

if TYPE_CHECKING:
    import paramiko

#: A large buffer matters more than anything else in a pump written in Python.
_CHUNK = 256 * 1024
_WINDOW = 16 * 1024 * 1024
_OPEN_SECONDS = 10

_tunnels: dict[tuple[Any, ...], "Tunnel"] = {}
_lock = threading.Lock()


def wanted(target: Target) -> bool:
    """Whether the connection goes through an SSH server."""
    return bool(target.config.get("use_tunnel"))


def resolve(target: Target) -> list[str]:
    """The addresses of the SSH server that the egress policy allows."""
    policy.check_far_host(str(target.config["host"]))
    return ssh_sign_in.resolve(target)


def tunnel_to(target: Target) -> "Tunnel":
    """This process's tunnel to the target's server, opened at first use and tried every time.

    Raises ``UserError`` that names the field of the SSH server at fault, or says that the far host
    does not answer.
    """
    config, secrets = target.config, target.secrets
    names = ("host", "port", "ssh_host", "ssh_port", "ssh_user", "ssh_host_key")
    key = (*(str(config.get(name)) for name in names), *sorted(secrets.items()), target.egress)
    with _lock:
        tunnel = _tunnels.get(key)
        if tunnel is None:
            # Kept also where the far host does not answer yet: the port was given only once.
            tunnel = _tunnels[key] = Tunnel(target)
    tunnel.probe()
    return tunnel


def close_all() -> None:
    """Close every tunnel of this process; a child that ends need not."""
    with _lock:
        for tunnel in _tunnels.values():
            tunnel.close()
        _tunnels.clear()


class Tunnel:
    """One listening loopback port, and the SSH connection its clients share."""

    address = listeners.LOOPBACK

    def __init__(self, target: Target) -> None:
        self._target = target
        self._far = (policy.check_far_host(str(target.config["host"])), int(target.config["port"]))
        self._transport_lock = threading.Lock()
        self._transport: paramiko.Transport | None = self._connected()
        self._listener = listeners.take()
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="ssh-tunnel", daemon=True).start()

    def probe(self) -> None:
        """Have the SSH server dial the far host once, or raise why it does not."""
        self._channel((self.address, 0)).close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # Wakes the thread in accept(), which close() alone does not.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._transport is not None:
            self._transport.close()

    def _connected(self) -> "paramiko.Transport":
        return ssh_sign_in.sign_in(self._target)

    def _live(self) -> "paramiko.Transport":
        with self._transport_lock:
            if self._transport is None or not self._transport.is_active():
                self._transport = self._connected()
            return self._transport

    def _channel(self, source: tuple[str, int]) -> "paramiko.Channel":
        import paramiko

        transport = self._live()
        try:
            return transport.open_channel(
                "direct-tcpip", self._far, source, window_size=_WINDOW, timeout=_OPEN_SECONDS
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise explain_channel(error, self._target) from error

    def _accept(self) -> None:
        while True:
            try:
                client, source = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, source), daemon=True).start()

    def _serve(self, client: socket.socket, source: tuple[str, int]) -> None:
        with client:
            if not _is_ours(source[1], self.port):
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                channel = self._channel(source)
            except UserError:
                # The driver reports a lost connection; whoever tries again is told the reason.
                return
            upwards = threading.Thread(target=_upload, args=(client, channel), daemon=True)
            upwards.start()
            _download(channel, client)
            upwards.join()
            channel.close()


def _upload(client: socket.socket, channel: "paramiko.Channel") -> None:
    try:
        while data := client.recv(_CHUNK):
            channel.sendall(data)
        channel.shutdown_write()
    except (OSError, EOFError):
        channel.close()


def _download(channel: "paramiko.Channel", client: socket.socket) -> None:
    try:
        while data := channel.recv(_CHUNK):
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)
    except (OSError, EOFError):
        channel.close()
        with contextlib.suppress(OSError):
            # Wakes the other direction, which waits for the client.
            client.shutdown(socket.SHUT_RDWR)


def _is_ours(client_port: int, own_port: int) -> bool:
    """Whether this very process dialled. Other organizations' children share the loopback."""
    if sys.platform != "linux":
        return True
    inode = _inode_of(client_port, own_port)
    if not inode:
        return False
    wanted_link = f"socket:[{inode}]"
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}") == wanted_link:
                return True
        except OSError:
            continue
    return False


def _inode_of(client_port: int, own_port: int) -> str:
    """The socket that dialled, from the kernel's table; loopback sockets are all in this one."""
    ends = (f":{client_port:04X}", f":{own_port:04X}")
    with Path("/proc/self/net/tcp").open() as table:
        for line in table:
            words = line.split()
            if words[1].endswith(ends[0]) and words[2].endswith(ends[1]):
                return words[9]
    return ""
