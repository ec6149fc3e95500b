"""What every test may ask for: private servers, and no way out of this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import redis
from psycopg import sql

from scripts import services

#: The cast of people and organizations.
pytest_plugins = ["conftest_site"]

STATE_KEY = pytest.StashKey[Path]()
_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_getaddrinfo = socket.getaddrinfo


# One set of servers a session --------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Give the session a directory for its servers, the same one in every xdist worker."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[STATE_KEY] = Path(worker_input["services_state"])
        return
    config.stash[STATE_KEY] = Path(tempfile.mkdtemp(prefix="datanika-session-"))
    (config.stash[STATE_KEY] / "owner").write_text(str(os.getpid()))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["services_state"] = str(node.config.stash[STATE_KEY])


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process that made the directory ends its servers, workers leave them alone."""
    if hasattr(config, "workerinput") or STATE_KEY not in config.stash:
        return
    services.stop_all(config.stash[STATE_KEY])
    shutil.rmtree(config.stash[STATE_KEY], ignore_errors=True)
    _sweep_abandoned_sessions()


def _sweep_abandoned_sessions() -> None:
    """End the servers of sessions that were killed before they could do it themselves."""
    for state in Path(tempfile.gettempdir()).glob("datanika-session-*"):
        with contextlib.suppress(OSError, ValueError):
            if state.stat().st_uid != os.getuid():
                continue
            try:
                os.kill(int((state / "owner").read_text()), 0)
            except ProcessLookupError:
                services.stop_all(state)
                shutil.rmtree(state, ignore_errors=True)


def _server(kind: str, config: pytest.Config) -> services.Server:
    try:
        return services.ensure(kind, config.stash[STATE_KEY])
    except services.ServiceUnavailable as error:
        # In CI a missing server is a failure, elsewhere a shorter suite.
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> services.Server:
    """A private PostgreSQL server of this session; skips where none can be had."""
    return _server("postgres", pytestconfig)


@pytest.fixture
def postgres_url(postgres_server: services.Server) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield postgres_server.url_of(name)
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        # FORCE: a test of a killed child may leave its connection behind.
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def redis_url(pytestconfig: pytest.Config) -> str:
    """The URL of an empty Redis database that no other test worker uses."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = _server("redis", pytestconfig).url_of(str(int(worker) % 16))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def session_directory(pytestconfig: pytest.Config) -> Path:
    """A directory that all test workers of this session share, gone after it."""
    return pytestconfig.stash[STATE_KEY]


@pytest.fixture(scope="session")
def mariadb_server(pytestconfig: pytest.Config) -> services.Server:
    """A private MariaDB server of this session; skips where none can be had."""
    return _server("mariadb", pytestconfig)


@pytest.fixture
def mariadb_url(mariadb_server: services.Server) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with contextlib.closing(_mariadb(mariadb_server)) as admin:
        admin.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield mariadb_server.url_of(name)
    with contextlib.closing(_mariadb(mariadb_server)) as admin:
        # A connection left behind by a killed child may hold a lock on a table.
        admin.query("SET SESSION lock_wait_timeout = 10")
        admin.query(f"DROP DATABASE {name}")


def _mariadb(server: services.Server) -> Any:
    return pymysql.connect(
        host=server.host, port=server.port, user="datanika", password=server.password
    )


# Loopback only -----------------------------------------------------------------------------------


class NetworkBlocked(RuntimeError):
    """A test tried to leave this machine.

    No ``OSError``, so that code which expects connections to fail does not take it for one.
    """


def _refuse_remote(address: object) -> None:
    if not isinstance(address, tuple) or not _is_remote(str(address[0])):
        return
    raise NetworkBlocked(f"Tests reach this machine only, not {address[0]}.")


def _is_remote(host: str) -> bool:
    if host in {"", "localhost"}:
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True


def _connect(self: socket.socket, address: Any) -> None:
    _refuse_remote(address)
    _real_connect(self, address)


def _connect_ex(self: socket.socket, address: Any) -> int:
    _refuse_remote(address)
    return _real_connect_ex(self, address)


def _getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    """Names of other machines are unknown here: no test depends on a resolver."""
    name = host.decode() if isinstance(host, bytes) else host
    if name and name not in {"localhost", socket.gethostname()}:
        try:
            ipaddress.ip_address(str(name).partition("%")[0])
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return _real_getaddrinfo(host, *arguments, **options)


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _connect)
        patch.setattr(socket.socket, "connect_ex", _connect_ex)
        patch.setattr(socket, "getaddrinfo", _getaddrinfo)
        yield
