"""A socket of this process behind which every connection is signed in to a MySQL server already.

For drivers that sign in themselves but cannot do it our way (DuckDB's extension verifies the name it
dials, so neither a judged address nor a tunnel can be given to it). They speak MySQL's protocol to a
Unix socket in the child's own directory and need no password; only this very process gets in.
"""

import contextlib
import os
import select
import socket
import ssl
import struct
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import DatanikaError, UserError
from connections.connectors.base import Target

_CHUNK = 256 * 1024
_CLIENT_CONNECT_WITH_DB, _CLIENT_SSL, _CLIENT_LOCAL_FILES = 1 << 3, 1 << 11, 1 << 7
_AUTOCOMMIT = 2
_UTF8MB4 = 45
_METHOD = b"mysql_native_password"
_ACCESS_DENIED = 1045
#: A path in the kernel's address of a Unix socket has room for about a hundred characters.
_LONGEST_PATH = 100
_BACKLOG = 64
_OK = b"\0\0\0" + struct.pack("<HH", _AUTOCOMMIT, 0)
#: A packet of one byte, the first of a command: COM_RESET_CONNECTION.
_RESET = b"\1\0\0\0\x1f"


class Relay:
    """Listens at ``path``; each client gets a connection that ``connect`` signed in.

    A client may reset its session between two uses; ``reset`` does it and sets it up again.
    """

    def __init__(
        self, target: Target, connect: Callable[[], Any], reset: Callable[[Any], None]
    ) -> None:
        if target.private_dir is None:
            raise DatanikaError("A relay needs the child's private directory.")
        self._connect = connect
        self._reset = reset
        #: Why the last client was not let in, as a sentence.
        self.failure: UserError | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path = _reachable(target.private_dir, f"mysql-{uuid.uuid4().hex[:8]}.sock")
        self._listener.bind(self.path)
        self._listener.listen(_BACKLOG)
        threading.Thread(target=self._accept, name="mysql-relay", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if not _is_ours(client):
                return
            try:
                connection = self._connect()
            except UserError as error:
                self.failure = error
                with contextlib.suppress(OSError):
                    client.sendall(_packet(0, _error(error)))
                return
            try:
                _greet(client, connection)
                self._pump(client, connection)
            except (OSError, UserError):
                return
            finally:
                connection._force_close()

    def _pump(self, client: socket.socket, connection: Any) -> None:
        """Pass everything on both ways until one side ends.

        In one thread, because one TLS connection must not be read and written at once; the two
        sides take turns anyway.
        """
        server, commands = connection._sock, _Commands()
        while True:
            pending = isinstance(server, ssl.SSLSocket) and server.pending()
            ready = [server] if pending else select.select([client, server], [], [])[0]
            if client in ready:
                data = client.recv(_CHUNK)
                if not data:
                    return
                server.settimeout(None)
                if commands.ends_with_reset(data):
                    server.sendall(data[: -len(_RESET)])
                    self._reset(connection)
                    client.sendall(_packet(1, _OK))
                else:
                    server.sendall(data)
            if server in ready:
                answer = _read_now(server)
                if answer == b"":
                    return
                if answer:
                    client.sendall(answer)


class _Commands:
    """Finds the packets in what a client sends, however it arrives."""

    def __init__(self) -> None:
        self._left = 0
        self._header = b""

    def ends_with_reset(self, data: bytes) -> bool:
        """Whether the last packet is the command to reset the session."""
        start = len(data)
        position = 0
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
            else:
                step = min(4 - len(self._header), len(data) - position)
                if not self._header:
                    start = position
                self._header += data[position : position + step]
                if len(self._header) == 4:
                    self._left = int.from_bytes(self._header[:3], "little")
                    self._header = b""
            position += step
        return data[start:] == _RESET


def _reachable(directory: Path, name: str) -> str:
    """The path of a socket there; through a descriptor where it would be too long."""
    plain = str(directory / name)
    if len(plain) <= _LONGEST_PATH or sys.platform != "linux":
        return plain
    # Stays open with the relay: the path leads through it.
    return f"/proc/self/fd/{os.open(directory, os.O_PATH | os.O_CLOEXEC)}/{name}"


def _is_ours(client: socket.socket) -> bool:
    """Whether this very process dialled; on Linux the kernel says who it was."""
    if sys.platform != "linux":
        return True
    size = struct.calcsize("3i")
    raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", raw)[0]) == os.getpid()


def _greet(client: socket.socket, connection: Any) -> None:
    """Greet as the server did, with what was agreed upon with it, and let the client in."""
    flags = connection.client_flag & connection.server_capabilities
    flags = (flags | _CLIENT_CONNECT_WITH_DB) & ~(_CLIENT_SSL | _CLIENT_LOCAL_FILES)
    salt = os.urandom(20).replace(b"\0", b"\1")
    greeting = b"".join(
        (
            b"\x0a" + connection.server_version.encode("latin1") + b"\0",
            struct.pack("<I", connection.server_thread_id[0]) + salt[:8] + b"\0",
            struct.pack("<HBHHB", flags & 0xFFFF, _UTF8MB4, _AUTOCOMMIT, flags >> 16, 21),
            bytes(10) + salt[8:] + b"\0" + _METHOD + b"\0",
        )
    )
    client.sendall(_packet(0, greeting))
    header = _exactly(client, 4)
    # Whoever it says it is: only this process can say it, and the server was told already.
    _exactly(client, int.from_bytes(header[:3], "little"))
    client.sendall(_packet(header[3] + 1, _OK))


def _read_now(server: socket.socket) -> bytes | None:
    """What is there; None where it was only a part of a TLS record."""
    server.settimeout(0)
    try:
        return server.recv(_CHUNK)
    except (ssl.SSLWantReadError, BlockingIOError):
        return None


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = client.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


def _packet(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def _error(error: UserError) -> bytes:
    return b"\xff" + struct.pack("<H", _ACCESS_DENIED) + b"#28000" + error.message.encode()
