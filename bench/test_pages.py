"""Lists, overview and logs of an organization with a million runs and 10,000 pipelines beside other organizations.

Server time of a whole answer, p95, with what of it is the processor's and the database's, on both databases.
``BENCH_RUNS`` and ``BENCH_LINES`` make it smaller.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.report import at_most, report, shown
from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.bench

RUNS = int(os.environ.get("BENCH_RUNS", "1000000"))
LINES = int(os.environ.get("BENCH_LINES", "1000000"))
PIPELINES = 10_000
OTHERS, OTHER_RUNS, OTHER_PIPELINES = 3, 30_000, 300
DELIVERIES = 100_000
FILL_SECONDS = 900
SLUG = "busy"
LIST_GOAL, LOG_GOAL = 100, 200


@pytest.fixture(params=["PostgreSQL", "SQLite"])
def installation(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str, redis_url: str
) -> Iterator[tuple[str, Installation]]:
    if request.param == "SQLite":
        yield request.param, Installation(tmp_path / "data")
    else:
        yield request.param, Installation.distributed(tmp_path / "data", postgres_url, redis_url)


def _fill(installation: Installation) -> int:
    """The number of the run with the long log."""
    installation.manage("migrate")
    installation.manage("collectstatic", "--noinput")
    others = [f"other-{n}" for n in range(OTHERS)]
    code = f"""
from bench import filling
filling.set_up({SLUG!r})
filling.make_things({SLUG!r}, {PIPELINES})
for slug in {others!r}:
    filling.make_things(slug, {OTHER_PIPELINES})
with filling.quickly():
    filling.make_runs({SLUG!r}, {RUNS})
    for slug in {others!r}:
        filling.make_runs(slug, {OTHER_RUNS})
    filling.make_deliveries({SLUG!r}, {DELIVERIES})
    number = filling.make_log({SLUG!r}, {LINES})
print(number)
"""
    return int(installation.as_superuser().python(code, FILL_SECONDS))


def test_lists_and_logs(installation: tuple[str, Installation]) -> None:
    database, site = installation
    number = _fill(site)
    lists = f"pages.addresses({SLUG!r}, {RUNS})"
    logs = f"pages.log_addresses({SLUG!r}, {number}, {LINES})"
    size = f"{database}, {RUNS:,} runs, {PIPELINES:,} pipelines, {OTHERS} other organizations"
    held = _report(_measured(site, lists), database, LIST_GOAL, size)
    size = f"{database}, a log of {LINES:,} lines"
    held += _report(_measured(site, logs), database, LOG_GOAL, size)
    assert all(held)


def _measured(installation: Installation, urls: str) -> dict[str, Any]:
    code = f"from bench import pages\npages.measure(pages.owner({SLUG!r}), {urls})"
    found: dict[str, Any] = json.loads(installation.python(code, FILL_SECONDS))
    return found


def _report(times: dict[str, Any], database: str, goal: int, measured_with: str) -> list[bool]:
    held = []
    for name, found in times.items():
        page = f"page: {name}, {database}"
        row = at_most(f"{page}, p95", found["p95"], "ms", goal, measured_with)
        report("bench", row)
        for part, unit in (("cpu", "ms"), ("database", "ms"), ("queries", "")):
            report("bench", shown(f"{page}, {part}", found[part], unit, measured_with))
        held.append(row.holds)
    return held
