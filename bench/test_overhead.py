"""What the engine itself costs: from an API call to the first line and the end, many tiny steps, memory, the start."""

import http.client
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench import orchestrators
from bench.report import at_most, report
from bench.sources import make_database
from bench.tiny import API_KEY, SET_UP
from datanika_site.tests.installation import Installation, free_port
from scripts.services import Server

pytestmark = pytest.mark.bench

DATABASE = "tiny"
#: (steps in a row, branches) of an organization.
SHAPES = {"single": (1, 1), "chain": (40, 1), "fan": (4, 10)}
TRIGGERS, REPEATS, MANY_RUNS = 20, 3, 1_000
#: Between two looks of the client, whose requests take processor time from what is measured.
_LOOK_SECONDS, _LONG_LOOK_SECONDS, _PATIENCE_SECONDS = 0.02, 0.1, 120


class Api:
    """The REST API of a running installation, over one connection kept open."""

    def __init__(self, port: int, organization: str, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._root = f"/api/v1/organizations/{organization}"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        text = None if body is None else json.dumps(body)
        self._connection.request(method, f"{self._root}{path}", text, self._headers)
        answer = self._connection.getresponse()
        found = json.loads(answer.read())
        assert answer.status < 300, (answer.status, found)
        return found

    def close(self) -> None:
        self._connection.close()

    def run(self, target: str) -> tuple[float, float]:
        """Seconds from the request to the first line of a step and to the end, both as the API shows them."""
        started = time.perf_counter()
        number = self.ask("POST", "/runs/", {"target": target})["number"]
        first = ended = 0.0
        while not (first and ended):
            assert time.perf_counter() - started < _PATIENCE_SECONDS
            now = time.perf_counter() - started
            if not first:
                lines = self.ask("GET", f"/runs/{number}/logs/")["lines"]
                if any(line["s"] != "run" for line in lines):
                    first = time.perf_counter() - started
            status = self.ask("GET", f"/runs/{number}/")["status"]
            if status not in {"queued", "running"}:
                assert status == "succeeded", status
                ended = time.perf_counter() - started
                first = first or now
            time.sleep(_LOOK_SECONDS)
        return first, ended

    def run_to_end(self, target: str) -> float:
        """Seconds from the request to the end, as the API shows it."""
        started = time.perf_counter()
        number = self.ask("POST", "/runs/", {"target": target})["number"]
        while (status := self.ask("GET", f"/runs/{number}/")["status"]) in {"queued", "running"}:
            assert time.perf_counter() - started < _PATIENCE_SECONDS
            time.sleep(_LONG_LOOK_SECONDS)
        assert status == "succeeded", status
        return time.perf_counter() - started


class Started:
    """An installation with everything running, as ``datanika up`` starts it."""

    def __init__(self, installation: Installation) -> None:
        self.installation, self.port = installation, free_port()
        started = time.perf_counter()
        self.process = installation.start_up(self.port)
        self.seconds = time.perf_counter() - started

    def processes(self) -> list[psutil.Process]:
        up = psutil.Process(self.process.pid)
        return [up, *up.children(recursive=True)]

    def memory_mb(self) -> float:
        """Proportional: a page that two processes share counts half for each."""
        return sum(float(one.memory_full_info().pss) for one in self.processes()) / 1e6

    def memory_of(self, *words: str) -> float:
        """Of the processes whose command has one of the words."""
        found = [p for p in self.processes() if any(w in " ".join(p.cmdline()) for w in words)]
        return sum(float(one.memory_full_info().pss) for one in found) / 1e6


@pytest.fixture(params=["embedded", "distributed"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def installation(
    mode: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Installation]:
    if mode == "embedded":
        made = Installation(tmp_path / "data")
    else:
        made = Installation.distributed(
            tmp_path / "data",
            request.getfixturevalue("postgres_url"),
            request.getfixturevalue("redis_url"),
        )
    yield made
    made.stop()


@pytest.fixture
def started(installation: Installation, postgres_server: Server) -> Iterator[Started]:
    made = Started(installation)
    make_database(postgres_server, DATABASE)
    reached = {
        "host": postgres_server.host,
        "port": postgres_server.port,
        "user": "datanika",
        "password": postgres_server.password,
        "sslmode": "disable",
    }
    given = {"server": reached, "database": DATABASE, "shapes": SHAPES}
    installation.python(SET_UP.format(given=json.dumps(given)))
    yield made
    assert installation.end(made.process) == []


def api_of(started: Started, organization: str) -> Api:
    key = started.installation.python(API_KEY.format(slug=organization)).splitlines()[-1]
    return Api(started.port, organization, key)


def test_from_the_request_to_the_end(started: Started, mode: str, surroundings: str) -> None:
    with closing(api_of(started, "single")) as api:
        api.run("pipeline:b0-p0")
        times = [api.run("pipeline:b0-p0") for _ in range(TRIGGERS)]
    with_what = f"{TRIGGERS} runs of one row, SQLite → PostgreSQL, over HTTP; {surroundings}"
    for place, name, middle, high in (
        (0, "first line of its step", 0.3, 0.6),
        (1, "end", 0.5, 0.9),
    ):
        values = sorted(one[place] for one in times)
        title = f"API call to the {name}, {mode}"
        half, most = statistics.median(values), values[int(len(values) * 0.95) - 1]
        report("bench", at_most(f"{title}, p50", half, "s", middle, with_what))
        report("bench", at_most(f"{title}, p95", most, "s", high, with_what))


@pytest.mark.parametrize(("shape", "goal"), [("chain", 4.0), ("fan", 3.0)])
def test_many_tiny_steps(
    started: Started, mode: str, surroundings: str, shape: str, goal: float
) -> None:
    length, branches = SHAPES[shape]
    with closing(api_of(started, shape)) as api:
        api.run_to_end("dag")
        wall = statistics.median(api.run_to_end("dag") for _ in range(REPEATS))
    what = f"{length} steps in a row" if branches == 1 else f"{branches} branches of {length} steps"
    with_what = (
        f"median of {REPEATS}, one row each, SQLite → PostgreSQL, a child each; {surroundings}"
    )
    report("bench", at_most(f"{what}, {mode}", wall, "s", goal, with_what))


def test_memory_and_start(tmp_path: Path, surroundings: str) -> None:
    made = Installation(tmp_path / "data")
    try:
        started = Started(made)
        with_what = f"`up` on an empty data directory, migrations included; {surroundings}"
        report(
            "bench", at_most("first start to a healthy page", started.seconds, "s", 6, with_what)
        )
        time.sleep(20)
        with_what = (
            f"PSS of supervisor, web, worker with beat and warm parent, 20 s after; {surroundings}"
        )
        report("bench", at_most("idle memory, embedded", started.memory_mb(), "MB", 400, with_what))
        assert made.end(started.process) == []
    finally:
        made.stop()


def test_memory_stays_flat(started: Started, mode: str, surroundings: str) -> None:
    names = ("uvicorn", "celery", "common.children.warm")
    with closing(api_of(started, "single")) as api:
        for _ in range(100):
            api.run("pipeline:b0-p0")
        before = {name: started.memory_of(name) for name in names}
        for _ in range(MANY_RUNS):
            api.run("pipeline:b0-p0")
    for name in names:
        grown = started.memory_of(name) - before[name]
        with_what = (
            f"{MANY_RUNS} runs after the first 100, from {before[name]:.0f} MB; {surroundings}"
        )
        report("bench", at_most(f"growth of {name}, {mode}", grown, "MB", 10, with_what))


@pytest.mark.skipif(not orchestrators.peers(), reason="BENCH_ORCHESTRATORS names none")
def test_other_orchestrators() -> None:
    orchestrators.measure()
