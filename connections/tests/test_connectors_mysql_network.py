"""MySQL behind TLS, behind servers that want too much, and inside a boxed child."""

import contextlib
import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from common.children.box import Box
from common.children.client import ChildPool, run_to_end
from common.errors import UserError
from connections.connectors import mysql_connection, mysql_errors
from connections.connectors.base import StageStatus, Target
from connections.connectors.duckdb_support import connect_duckdb
from connections.tests.certificates import self_signed
from connections.tests.mysql_endpoints import run, stages, target_of
from scripts import local_servers

Encrypted = tuple[str, str]


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Encrypted]:
    """A server of its own that offers TLS: its URL, and the certificate of its authority."""
    certificate, key = self_signed("localhost")
    # Not pytest's directory: the server runs as another user, who cannot walk to that.
    directory = Path(tempfile.mkdtemp(prefix="datanika-tls-"))
    directory.chmod(0o755)
    for name, text in (("server.pem", certificate), ("server.key", key)):
        (directory / name).write_text(text)
    options = [f"--ssl-cert={directory}/server.pem", f"--ssl-key={directory}/server.key"]
    try:
        server = local_servers.start_mariadb(options=options)
    except local_servers.ServiceUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    finally:
        # Read at the start, and never again.
        shutil.rmtree(directory)
    run(
        server.url_of(""),
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t AS SELECT 1 AS id",
        "CREATE USER 'tls'@'127.0.0.1' IDENTIFIED BY 'x' REQUIRE SSL",
        "GRANT ALL ON shop.* TO 'tls'@'127.0.0.1'",
    )
    yield server.url_of("shop"), certificate
    local_servers.stop(server)


def _cipher(target: Target) -> str:
    """What DuckDB's connection is encrypted with."""
    question = "SHOW SESSION STATUS LIKE ''Ssl_version''"
    with connect_duckdb() as con:
        mysql_connection.duckdb_attach(target, con, "my", read_only=True)
        row = con.execute(f"SELECT * FROM mysql_query('my', '{question}')").fetchone()
    assert row is not None
    return str(row[1])


def test_tls_is_verified_as_asked(encrypted: Encrypted, tmp_path: Path) -> None:
    url, certificate = encrypted
    for mode in ("prefer", "require"):
        target = target_of(url, tmp_path, sslmode=mode)
        tls = stages(target)[2]
        assert tls.status is StageStatus.OK
        assert "TLSv1.3; certificate not verified" in tls.text
        assert _cipher(target) == "TLSv1.3"
    plain = target_of(url, tmp_path, sslmode="disable")
    assert stages(plain)[2].status is StageStatus.SKIPPED
    assert _cipher(plain) == ""

    verified = {"sslmode": "verify-full", "ca_certificate": certificate}
    good = target_of(url, tmp_path, host="localhost", **verified)
    result = stages(good, "destination")
    assert "certificate verified" in result[2].text
    assert result[-1].status is StageStatus.OK
    assert _cipher(good) == "TLSv1.3"
    assert Path(mysql_connection.parameters(good)["ssl_ca"]).is_file()

    wrong_name = target_of(url, tmp_path, host="127.0.0.1", **verified)
    unknown = target_of(url, tmp_path, host="localhost", sslmode="verify-full")
    for target in (wrong_name, unknown):
        last = stages(target)[-1]
        assert (last.name, last.status) == ("tls", StageStatus.FAILED)
        for dial in (mysql_connection.connect, _cipher):
            with pytest.raises(UserError, match="does not prove"):
                dial(target)


def test_an_account_may_ask_for_tls(encrypted: Encrypted, tmp_path: Path) -> None:
    url, _ = encrypted
    account = {"user": "tls", "password": "x"}
    assert stages(target_of(url, tmp_path, **account))[-1].status is StageStatus.OK
    refused = stages(target_of(url, tmp_path, sslmode="disable", **account))[-1]
    assert (refused.name, refused.status) == ("sign in", StageStatus.FAILED)


# --- servers that are not what they seem ---------------------------------------------------------


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def _greeting(tls: bool = False) -> bytes:
    low = 0xFFFF & ~(1 << 11) | (tls << 11)
    head = b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"a" * 8 + b"\0"
    tail = struct.pack("<HBHHB", low, 45, 2, 0x00FF, 21) + bytes(10) + b"b" * 12 + b"\0"
    return _packet(0, head + tail + b"mysql_native_password\0")


Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def _impostor(talk: Talk) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as client:
                        client.settimeout(5)
                        with contextlib.suppress(OSError):
                            talk(client)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("method", [b"mysql_clear_password", b"dialog", b"mysql_old_password"])
def test_the_password_is_not_given_away_without_tls(tmp_path: Path, method: bytes) -> None:
    heard: list[bytes] = []

    def talk(client: socket.socket) -> None:
        client.sendall(_greeting())
        client.recv(65536)
        client.sendall(_packet(2, b"\xfe" + method + b"\0" + b"c" * 20 + b"\0"))
        heard.append(client.recv(65536))

    with _impostor(talk) as port:
        target = target_of(f"mysql://app:canary-horse@127.0.0.1:{port}/shop", tmp_path)
        with pytest.raises(UserError, match="method that is not supported"):
            mysql_connection.connect(target)
    assert b"".join(heard) == b""


def test_tls_cannot_be_talked_away(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def talk(client: socket.socket) -> None:
        client.sendall(_greeting(tls=False))
        heard.append(client.recv(65536))

    with _impostor(talk) as port:
        url = f"mysql://app:canary-horse@127.0.0.1:{port}/shop"
        with pytest.raises(UserError, match="offers no TLS"):
            mysql_connection.connect(target_of(url, tmp_path, sslmode="require"))
    assert b"".join(heard) == b""


@pytest.mark.parametrize(
    ("number", "words"), [(1040, "no connection to spare"), (1130, "does not let this machine in")]
)
def test_a_refusal_before_the_greeting_is_said(tmp_path: Path, number: int, words: str) -> None:
    refusal = _packet(0, b"\xff" + struct.pack("<H", number) + b"sorry")
    with _impostor(lambda client: client.sendall(refusal)) as port:
        target = target_of(f"mysql://app:x@127.0.0.1:{port}/shop", tmp_path)
        last = stages(target)[-1]
        assert (last.name, words in last.text) == ("tls", True)
        with pytest.raises(UserError, match=words):
            mysql_connection.connect(target)


def test_every_known_error_has_a_remedy(tmp_path: Path) -> None:
    import pymysql

    target = target_of("mysql://app:canary-horse@127.0.0.1:1/shop", tmp_path)
    for number in (*mysql_errors._BY_NUMBER, 2026, 9999):
        error = mysql_errors.explain(
            pymysql.OperationalError(number, "said canary-horse to app"), target
        )
        assert error.message.endswith(".")
        assert error.remedy
        assert "{" not in error.message
        assert "canary" not in error.detail


# --- in the box ----------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 60])
def test_the_relay_works_in_a_boxed_child(encrypted: Encrypted, tmp_path: Path, depth: int) -> None:
    url, certificate = encrypted
    # A directory so deep that its path is no address of a Unix socket.
    private = tmp_path / ("p" * depth) / ("q" * depth)
    private.mkdir(parents=True)
    target = target_of(
        url, tmp_path, host="localhost", sslmode="verify-full", ca_certificate=certificate
    )
    endpoint = {key: asdict(target)[key] for key in ("connector", "config", "secrets")}
    spec: dict[str, Any] = {
        "files_root": str(tmp_path),
        "private_dir": str(private),
        "endpoint": endpoint,
    }
    with closing(ChildPool([])) as pool:
        entry = "connections.tests.mysql_endpoints:count_in_child"
        outcome = run_to_end(pool, entry, spec, Box(str(private)), 60)
    assert outcome.error is None
    assert outcome.value == [[1]]
