"""The embedded mode: a worker killed in the middle of a load loses and doubles nothing, and the run says so."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from bench.report import Row, report
from datanika_site.demo import build, data
from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.chaos

FLIGHTS = 336_776
REQUEST = """
from orchestration.services import request_run
from tenants.actors import Actor
from tenants.models import Organization
run = request_run(organization=Organization.objects.get(), actor=Actor.operator(), target="pipeline:flights")
print(run.number)
"""


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "data")
    yield made
    made.stop()


def flights(installation: Installation) -> list[tuple[int, int]]:
    (path,) = installation.data_dir.glob(f"files/*/{build.WAREHOUSE}")
    with duckdb.connect(str(path), read_only=True) as warehouse:
        query = "SELECT count(*), count(DISTINCT flight_id) FROM raw_flights.flights"
        return warehouse.execute(query).fetchall()


def test_a_killed_worker_loses_and_doubles_no_flight(installation: Installation) -> None:
    data.package_dir()  # Says how to install the data where they are missing.
    installation.manage("migrate", "--verbosity", "0")
    installation.python("from datanika_site.demo.build import build; build()")
    worker = installation.start_worker()
    number = int(installation.python(REQUEST))
    installation.wait_for(number, lambda run: sum(run["progress"]) > 0)
    installation.kill(worker)
    assert installation.run_status(number)["status"] == "running"

    installation.start_worker()
    ended = installation.wait_for(number, lambda run: run["status"] not in {"queued", "running"})
    assert ended["status"] == "succeeded", ended["log"]
    assert "resumed" in ended["log"]
    found = flights(installation)
    with_what = "worker killed with SIGKILL while it loads the flights of the demo by merge"
    holds = found == [(FLIGHTS, FLIGHTS)]
    row = Row("flights after a killed worker", found[0][0], "rows", f"{FLIGHTS}", holds, with_what)
    report("chaos", row)
    assert holds
