"""Planning a graph of 10,000 nodes: from rows to ordered steps, in four shapes, on PostgreSQL and on SQLite.

``BENCH_NODES`` makes it smaller. The goal of each measure is a second, loading the rows included.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.planning import SHAPES
from bench.report import at_most, report
from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.bench

NODES = int(os.environ.get("BENCH_NODES", "10000"))
GOAL = 1.0
#: It also writes every step, and what it runs exactly, into the run's row.
RUN_GOAL = 5.0


@pytest.fixture(params=["PostgreSQL", "SQLite"])
def installation(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str, redis_url: str
) -> Iterator[tuple[str, Installation]]:
    if request.param == "SQLite":
        yield request.param, Installation(tmp_path / "data")
    else:
        yield request.param, Installation.distributed(tmp_path / "data", postgres_url, redis_url)


def test_planning(installation: tuple[str, Installation]) -> None:
    database, site = installation
    site.manage("migrate", "--verbosity", "0")
    held = []
    for shape in SHAPES:
        site.python(f"from bench import planning\nplanning.set_up({shape!r}, {shape!r}, {NODES})")
        found = site.python(
            f"import json\nfrom bench import planning\nprint(json.dumps(planning.measure({shape!r})))"
        )
        times: dict[str, float] = json.loads(found.strip().splitlines()[-1])
        size = f"{database}, {int(times.pop('nodes')):,} nodes, {shape}, fastest of 5"
        for name, seconds in times.items():
            goal = RUN_GOAL if name == "a run of everything" else GOAL
            row = at_most(f"planning: {name}, {shape}, {database}", seconds, "s", goal, size)
            report("bench", row)
            held.append(row.holds)
    assert all(held)
