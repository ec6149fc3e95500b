"""The SSH tunnel, with a real sshd in front of real databases."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import psycopg
import pymysql
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL

from common.children.box import Box
from common.children.client import ChildPool, run_to_end
from common.errors import UserError
from connections import runner
from connections.connectors import mysql_connection, ssh_tunnel
from connections.connectors.base import Stage, StageStatus, Target
from connections.connectors.duckdb_support import connect_duckdb, load_extension
from connections.connectors.sql import quote_text
from connections.tests import mysql_endpoints, postgres_endpoints, ssh_server
from connections.tests.ssh_server import SshServer

CHECK = "connections.connectors.operations:check"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    if ssh_server.binary() is None:
        reason = "There is no sshd here: install the package openssh-server."
        # In CI a missing server is a failure, elsewhere a shorter suite.
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    server = ssh_server.start(tmp_path_factory.mktemp("sshd"))
    yield server
    ssh_tunnel.close_all()
    server.stop()


@pytest.fixture
def far_postgres(postgres_url: str, tmp_path: Path, sshd: SshServer) -> Iterator[Target]:
    plain = postgres_endpoints.target_of(postgres_url, tmp_path)
    yield behind(plain, sshd)
    ssh_tunnel.close_all()


@pytest.fixture
def far_mysql(mariadb_url: str, tmp_path: Path, sshd: SshServer) -> Iterator[Target]:
    yield behind(mysql_endpoints.target_of(mariadb_url, tmp_path), sshd)
    ssh_tunnel.close_all()


def behind(target: Target, sshd: SshServer, key: str = "all", **changes: Any) -> Target:
    """The same server, seen through the tunnel."""
    values = sshd.settings(key, **changes)
    secrets = {name: values.pop(name) for name in sorted(values) if name in _SECRETS}
    return replace(target, config=target.config | values, secrets={**target.secrets, **secrets})


_SECRETS = ("ssh_password", "ssh_private_key", "ssh_passphrase")


def last(target: Target) -> Stage:
    return mysql_endpoints.stages(target)[-1]


def test_mysql_through_the_tunnel(far_mysql: Target) -> None:
    found = mysql_endpoints.stages(far_mysql, "both")
    assert [s.name for s in found] == ["resolve", "tunnel", "tls", "sign in", "read", "write"]
    assert found[-1].status is StageStatus.OK
    assert "the tunnel encrypts" in found[2].text
    values = mysql_connection.parameters(far_mysql)
    assert values["hostaddr"] == "127.0.0.1"
    assert values["port"] != far_mysql.config["port"]
    with connect_duckdb() as con:
        mysql_connection.duckdb_attach(far_mysql, con, "my", read_only=False)
        table = f"my.{far_mysql.config['database']}.many"
        con.execute(
            f"CREATE TABLE {table} AS SELECT range AS id, repeat('x', 100) AS v FROM range(50000)"
        )
        assert con.execute(f"SELECT SUM(id), SUM(length(v)) FROM {table}").fetchall() == [
            (1_249_975_000, 5_000_000)
        ]


def test_postgres_through_the_tunnel(far_postgres: Target) -> None:
    connector = postgres_endpoints.CONNECTOR
    found = postgres_endpoints.stages(far_postgres, "destination")
    assert [s.name for s in found] == ["resolve", "tunnel", "tls", "sign in", "write"]
    assert found[-1].status is StageStatus.OK
    with psycopg.connect(connector.conninfo(far_postgres), autocommit=True) as con:
        con.execute("CREATE TABLE many AS SELECT n AS id FROM generate_series(1, 200000) AS n")
        with con.cursor().copy("COPY many TO STDOUT") as copy:
            assert sum(len(part) for part in copy) == 1_288_895
    with connect_duckdb() as duck:
        load_extension(duck, "postgres")
        source = quote_text(connector.libpq_string(far_postgres))
        duck.execute(f"ATTACH {source} AS pg (TYPE postgres)")
        assert duck.execute("SELECT SUM(id) FROM pg.many").fetchone() == (20_000_100_000,)
    # dbt's driver takes the address from the environment and the port from its profile.
    port = connector.dbt_profile(far_postgres, schema="x", threads=1)["port"]
    assert port == ssh_tunnel.tunnel_to(far_postgres).port
    assert connector.driver_environment(far_postgres)["PGHOSTADDR"] == "127.0.0.1"


def test_a_tunnel_that_was_cut_is_dug_again(far_mysql: Target) -> None:
    with closing(mysql_connection.connect(far_mysql)) as con:
        tunnel = ssh_tunnel.tunnel_to(far_mysql)
        assert tunnel._transport is not None
        tunnel._transport.close()
        with pytest.raises(pymysql.OperationalError):
            con.query("SELECT 1")
    with closing(mysql_connection.connect(far_mysql)) as con:
        con.query("SELECT 1")
    assert ssh_tunnel.tunnel_to(far_mysql) is tunnel


@pytest.mark.parametrize(
    ("key", "changes", "stage", "words", "remedy"),
    [
        ("all", {"ssh_host_key": ""}, "tunnel", "none was given", "paste the line"),
        ("all", {"ssh_host_key": "other"}, "tunnel", "another host key", "in between"),
        ("all", {"ssh_user": "nobody_at_all"}, "tunnel", "did not accept the private key", "user"),
        ("none", {}, "tunnel", "may not forward", "AllowTcpForwarding"),
        ("locked", {}, "tunnel", "protected by a passphrase", "passphrase"),
        ("locked", {"ssh_passphrase": "wrong one"}, "tunnel", "does not open", "passphrase"),
        ("all", {"port": 1}, "tunnel", "SSH server cannot reach 127.0.0.1:1", "known on the SSH"),
        ("all", {"host": "no.such.host.invalid"}, "tunnel", "cannot reach", "known on the SSH"),
        ("all", {"ssh_port": 1}, "tunnel", "cannot be reached", "lets this machine in"),
        ("all", {"ssh_private_key": "x"}, "tunnel", "cannot be read", "Paste the whole file"),
        ("all", {"ssh_private_key": ""}, "tunnel", "neither a password nor", "Give one"),
        ("all", {"ssh_host": "no.such.host.invalid"}, "resolve", "does not exist", "spelling"),
        ("all", {"ssh_host": "169.254.169.254"}, "resolve", "metadata", "egress"),
        ("all", {"host": "169.254.169.254"}, "resolve", "metadata", "database server"),
        ("all", {"host": "0xa9fea9fe"}, "resolve", "metadata", "database server"),
        ("all", {"host": "metadata.google.internal"}, "resolve", "metadata", "database server"),
        ("all", {"host": "fe80::1"}, "resolve", "link-local", "database server"),
    ],
)
def test_the_check_says_what_is_wrong(
    far_mysql: Target,
    sshd: SshServer,
    key: str,
    changes: dict[str, Any],
    stage: str,
    words: str,
    remedy: str,
) -> None:
    if changes.get("ssh_host_key") == "other":
        other = paramiko.ECDSAKey.generate()
        changes = {"ssh_host_key": f"ssh-ed25519 {other.get_base64()}"}
    target = behind(far_mysql, sshd, key, **changes)
    found = last(target)
    assert (found.name, found.status) == (stage, StageStatus.FAILED), found
    assert words in found.text
    assert remedy in found.remedy
    secret = sshd.keys[key].splitlines()[1]
    assert secret not in repr(found)
    with pytest.raises(UserError):
        mysql_connection.connect(target)


def test_the_passphrase_opens_a_key_and_a_host_has_keys_of_several_kinds(
    far_mysql: Target, sshd: SshServer
) -> None:
    target = behind(far_mysql, sshd, "locked", ssh_passphrase=ssh_server.PASSPHRASE)
    assert last(target).name == "read"
    assert last(behind(far_mysql, sshd, ssh_host_key=sshd.rsa_host_key)).name == "read"
    shown = last(behind(far_mysql, sshd, ssh_host_key=""))
    assert sshd.host_key in shown.detail
    assert "SHA256:" in shown.detail
    ecdsa = paramiko.ECDSAKey.generate()
    missing = last(behind(far_mysql, sshd, ssh_host_key=f"{ecdsa.get_name()} {ecdsa.get_base64()}"))
    assert "no common way" in missing.text


def test_nothing_is_sent_to_a_server_without_a_host_key(far_mysql: Target, sshd: SshServer) -> None:
    before = sshd.log.read_text().count("Accepted")
    last(behind(far_mysql, sshd, ssh_host_key=""))
    time.sleep(0.2)
    assert sshd.log.read_text().count("Accepted") == before


class OnePassword(paramiko.ServerInterface):
    """sshd checks passwords against the machine's accounts, which a test must not touch."""

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == ("tunnel", "s3cret")
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ({"ssh_password": "s3cret"}, "may not forward"),
        ({"ssh_password": "wrong-canary"}, "did not accept the password"),
        ({}, "takes no private key"),
    ],
)
def test_a_password_signs_in(far_mysql: Target, secrets: dict[str, str], words: str) -> None:
    host_key = paramiko.ECDSAKey.generate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            transport.add_server_key(host_key)
            transport.start_server(server=OnePassword())

        threading.Thread(target=serve, daemon=True).start()
        config = far_mysql.config | {
            "ssh_port": port,
            "ssh_user": "tunnel",
            "ssh_host_key": f"{host_key.get_name()} {host_key.get_base64()}",
        }
        if secrets:
            secrets = {"password": far_mysql.secrets["password"], **secrets}
        target = replace(far_mysql, config=config, secrets=secrets or far_mysql.secrets)
        found = last(target)
    assert words in found.text
    assert "canary" not in repr(found)


def test_what_greets_as_something_else_is_named(far_mysql: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        found = last(replace(far_mysql, config=far_mysql.config | {"ssh_port": port}))
    assert "did not greet as an SSH server" in found.text


_STRANGER = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as s:
    print(len(s.recv(100)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's table of sockets is Linux's")
def test_another_process_does_not_get_through(far_mysql: Target) -> None:
    port = ssh_tunnel.tunnel_to(far_mysql).port
    with socket.create_connection(("127.0.0.1", port), 5) as ours:
        assert len(ours.recv(100)) > 4
    stranger = subprocess.run(
        [sys.executable, "-c", _STRANGER, str(port)], capture_output=True, text=True
    )
    assert stranger.stdout == "0\n", stranger.stderr


def test_the_egress_policy_judges_the_ssh_server_not_the_database(far_mysql: Target) -> None:
    closed = replace(far_mysql, egress="public-only")
    found = last(closed)
    assert "private address" in found.text
    with pytest.raises(UserError) as refused:
        mysql_connection.connect(closed)
    assert refused.value.field == "ssh_host"


@pytest.mark.django_db
def test_a_step_gets_a_port_for_each_endpoint_behind_a_tunnel(tmp_path: Path) -> None:
    plain, far = {"config": {"use_tunnel": False}}, {"config": {"use_tunnel": True}}
    for spec, count in (
        ({"source": plain, "destination": plain, "mode": "query"}, 0),
        ({"source": far, "destination": plain}, 1),
        ({"source": far, "destination": far}, 2),
        ({"endpoint": far}, 1),
        ({"warehouse": far}, 1),
    ):
        assert runner.box(str(tmp_path), writable=(), spec=spec).loopback_listeners == count


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    with contextlib.closing(ChildPool(["connections.connectors.operations"])) as pool:
        yield pool


@pytest.mark.parametrize("listeners", [1, 0])
def test_a_boxed_child_has_a_tunnel_only_where_it_was_given_a_port(
    pool: ChildPool, far_postgres: Target, tmp_path: Path, listeners: int
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    endpoint = {
        "connector": "postgres",
        "config": far_postgres.config,
        "secrets": far_postgres.secrets,
    }
    spec = {
        "files_root": str(tmp_path),
        "private_dir": str(private),
        "endpoint": endpoint,
        "role": "destination",
    }
    box = Box(str(private), loopback_listeners=listeners)
    outcome = run_to_end(pool, CHECK, spec, box, 60)
    if listeners:
        assert [e["status"] for e in outcome.events if e["event"] == "stage"][-1] == "ok"
        assert outcome.error is None
    else:
        assert outcome.error is not None
        assert outcome.error["code"] == "no_listener"
