"""A MariaDB that goes away in mid-load, at either end: an error of the system, explained, and tried again exactly.

The server is a real one of this test alone, killed with SIGKILL while rows are on their way, or told to end sessions.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

from common.errors import DatanikaError, TransientError
from common.signatures import causes_of
from datanika_site.tests.chaos.servers import _Restartable
from orchestration.explanations import explain
from pipelines.engine.main import load
from pipelines.tests.engine_support import Bench, duck, file_endpoint
from pipelines.tests.mysql_support import my, mysql_endpoint
from scripts import local_servers

pytestmark = pytest.mark.chaos

ROWS = 3_000_000
FILL = f"INSERT INTO orders SELECT seq, REPEAT('x', 100) FROM seq_1_to_{ROWS}"
LOST = {"connection-lost", "server-restarted", "server-starting", "connection-refused"}


class _MariaDb(_Restartable):
    def __init__(self) -> None:
        super().__init__("mariadb", "127.0.0.1")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        # It does not listen to SIGINT.
        super().stop(number)

    def _configure(self) -> list[str]:
        return [str(part) for part in self._process.cmdline()]

    def _answers(self) -> bool:
        try:
            with closing(self.connect()):
                return True
        except pymysql.Error:
            return False

    def is_moving_rows(self) -> bool:
        """Whether the load's long statement is at work: its SELECT with our mark, or its LOAD DATA."""
        with closing(self.connect()) as admin, admin.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
                " AND (info LIKE '%/* datanika %orders%' OR info LIKE 'LOAD DATA LOCAL%')"
            )
            return bool(cursor.fetchone()[0])

    def connect(self) -> Any:
        server = self.server
        return pymysql.connect(
            host=server.host, port=server.port, user="datanika", password=server.password
        )


@pytest.fixture(scope="module")
def server() -> Iterator[_MariaDb]:
    try:
        found = _MariaDb()
    except local_servers.ServiceUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield found
    found.close()


@pytest.fixture
def url(server: _MariaDb) -> str:
    name = f"lost_{os.urandom(4).hex()}"
    with closing(server.connect()) as admin:
        admin.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return server.server.url_of(name)


def _end_of(server: _MariaDb, bench: Bench, resource: dict[str, Any], hit: Any) -> TransientError:
    """The error of a load in whose middle ``hit`` is called."""
    events: list[dict[str, Any]] = []
    failures: list[DatanikaError] = []

    def run() -> None:
        try:
            load({**bench.spec, "resources": [resource], "load_id": "1.1"}, events.append)
        except DatanikaError as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.is_moving_rows():
        assert thread.is_alive(), (failures, events[-3:])
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)
    hit()
    thread.join(120)
    assert not thread.is_alive()
    assert len(failures) == 1, events[-1]
    (error,) = failures
    assert isinstance(error, TransientError), error.as_event()
    event = error.as_event()
    assert event["transient"]
    explained = explain(event["code"], event["signature"], "pipeline")
    assert explained is not None, event
    assert explained.key in LOST, (event, [repr(cause) for cause in causes_of(error)])
    return error


def _killed(server: _MariaDb) -> Any:
    def hit() -> None:
        server.stop(signal.SIGKILL)
        server.start()

    return hit


def _ended(server: _MariaDb, verb: str) -> Any:
    """As an administrator, or wait_timeout, ends a session."""

    def hit() -> None:
        with closing(server.connect()) as admin, admin.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
                " AND user = 'datanika'"
            )
            for (thread,) in cursor.fetchall():
                cursor.execute(f"{verb} {int(thread)}")

    return hit


@pytest.fixture(params=["server killed", "sessions ended"])
def hit(request: pytest.FixtureRequest, server: _MariaDb) -> Any:
    return _killed(server) if request.param == "server killed" else _ended(server, "KILL HARD")


def test_the_source_goes_away(tmp_path: Path, server: _MariaDb, url: str, hit: Any) -> None:
    my(url, "CREATE TABLE orders (id INT PRIMARY KEY, v VARCHAR(200))", FILL)
    bench = Bench(tmp_path, mysql_endpoint(url), file_endpoint("duckdb", "warehouse.duckdb"))
    resource = {"name": "orders", "schema": mysql_endpoint(url)["config"]["database"]}
    _end_of(server, bench, resource, hit)
    bench.load(resource, load_id="1.1", attempt=2)
    query = "SELECT count(*), count(DISTINCT id) FROM raw.orders"
    assert duck(bench.files / "warehouse.duckdb", query) == [(ROWS, ROWS)]


def test_the_destination_goes_away(tmp_path: Path, server: _MariaDb, url: str, hit: Any) -> None:
    database = mysql_endpoint(url)["config"]["database"]
    bench = Bench(tmp_path, file_endpoint("duckdb", "shop.duckdb"), mysql_endpoint(url))
    bench.spec["dataset"] = database
    _fill(bench)
    _end_of(server, bench, {"name": "orders", "schema": "main"}, hit)
    bench.load({"name": "orders", "schema": "main"}, load_id="1.1", attempt=2)
    assert my(url, "SELECT COUNT(*), COUNT(DISTINCT id) FROM orders") == [(ROWS, ROWS)]


def _fill(bench: Bench) -> None:
    import duckdb

    with duckdb.connect(str(bench.files / "shop.duckdb")) as connection:
        connection.execute(
            f"CREATE TABLE orders AS SELECT r AS id, repeat('x', 100) AS v FROM range({ROWS}) t(r)"
        )
