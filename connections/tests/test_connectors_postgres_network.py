"""PostgreSQL behind TLS, and behind something that refuses start-up options."""

import contextlib
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from common.errors import UserError
from connections.connectors import postgres_connection
from connections.connectors.base import StageStatus
from connections.tests.certificates import self_signed
from connections.tests.postgres_endpoints import CONNECTOR, stages, target_of
from scripts import services


class Gatekeeper(socketserver.BaseRequestHandler):
    """Passes everything on to the real server, except start-up parameters it does not know."""

    refused: ClassVar[bytes]
    message: ClassVar[bytes]
    behind: ClassVar[tuple[str, int]]

    def handle(self) -> None:
        hello = self.request.recv(65536)
        if hello[4:8] == b"\x04\xd2\x16\x2f":  # may we speak TLS?
            self.request.sendall(b"N")
            hello = self.request.recv(65536)
        if self.refused in hello:
            fields = b"SFATAL\0VFATAL\0C42704\0M" + self.message + b"\0\0"
            self.request.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)
            return
        with socket.create_connection(self.behind) as server:
            server.sendall(hello)
            upstream = threading.Thread(target=self._pass, args=(self.request, server))
            upstream.start()
            self._pass(server, self.request)
            upstream.join(5)

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("refused", "message", "kept"),
    [
        (
            b"client_connection_check_interval",
            b'unrecognized configuration parameter "client_connection_check_interval"',
            "-c timezone=UTC -c datestyle=ISO,YMD",
        ),
        (b"options\0", b"unsupported startup parameter: options", None),
    ],
)
def test_a_server_that_refuses_options_still_works(
    postgres_url: str, tmp_path: Path, refused: bytes, message: bytes, kept: str | None
) -> None:
    real = target_of(postgres_url, tmp_path)
    behind = ("127.0.0.1", int(real.config["port"]))
    names = {"refused": refused, "message": message, "behind": behind}
    with socketserver.ThreadingTCPServer(
        ("127.0.0.1", 0), type("Keeper", (Gatekeeper,), names)
    ) as keeper:
        thread = threading.Thread(target=keeper.serve_forever, daemon=True)
        thread.start()
        port = keeper.server_address[1]
        target = target_of(postgres_url, tmp_path, port=port)
        assert conninfo_to_dict(CONNECTOR.conninfo(target)).get("options") == kept
        with closing(postgres_connection.connect(target)) as con:
            shown = con.execute("SELECT current_setting('timezone')").fetchone()
        assert shown == ("UTC",)
        assert stages(target, "destination")[-1].status is StageStatus.OK
        keeper.shutdown()
        thread.join(5)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server of its own that offers TLS: its URL, and the certificate of its authority."""
    state = tmp_path_factory.mktemp("tls-server")
    try:
        server = services.ensure("postgres", state)
    except services.ServiceUnavailable as error:
        pytest.skip(str(error))
    certificate, key = self_signed("localhost")
    with psycopg.connect(server.url, autocommit=True) as con:
        row = con.execute("SHOW data_directory").fetchone()
        assert row is not None
        data = Path(row[0])
        for name, text in (("server.crt", certificate), ("server.key", key)):
            (data / name).write_text(text)
            (data / name).chmod(0o600)
            os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
        con.execute("ALTER SYSTEM SET ssl = on")
        con.execute("SELECT pg_reload_conf()")
    yield server.url, certificate
    services.stop_all(state)


def test_tls_is_verified_as_asked(encrypted: tuple[str, str], tmp_path: Path) -> None:
    url, certificate = encrypted
    for mode in ("prefer", "require"):
        tls = stages(target_of(url, tmp_path, sslmode=mode))[2]
        assert tls.status is StageStatus.OK
        assert "TLSv1.3; certificate not verified" in tls.text
    verified = {"sslmode": "verify-full", "ca_certificate": certificate}
    good = target_of(url, tmp_path, host="localhost", **verified)
    result = stages(good, "destination")
    assert "certificate verified" in result[2].text
    assert result[-1].status is StageStatus.OK
    with psycopg.connect(CONNECTOR.conninfo(good)) as con:
        assert con.pgconn.ssl_in_use
    assert Path(CONNECTOR.dbt_profile(good, schema="x", threads=1)["sslrootcert"]).is_file()

    wrong_name = target_of(url, tmp_path, host="127.0.0.1", **verified)
    unknown = target_of(url, tmp_path, host="localhost", sslmode="verify-full")
    for target in (wrong_name, unknown):
        last = stages(target)[-1]
        assert (last.name, last.status) == ("tls", StageStatus.FAILED)
        assert "does not prove" in last.text
        with pytest.raises(UserError, match="certificate was not accepted"):
            CONNECTOR.conninfo(target)
