"""Lists, overview and logs of an organization with a million runs and 10,000 pipelines beside other organizations.

Server time of a whole answer, p95, on PostgreSQL and on SQLite. ``BENCH_RUNS`` and ``BENCH_LINES`` make it smaller.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.report import at_most, report
from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.bench

RUNS = int(os.environ.get("BENCH_RUNS", "1000000"))
LINES = int(os.environ.get("BENCH_LINES", "1000000"))
PIPELINES = 10_000
OTHERS, OTHER_RUNS, OTHER_PIPELINES = 3, 30_000, 300
PORTION = 200_000
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


def _do(installation: Installation, code: str) -> str:
    return installation.python(f"from bench import pages\n{code}")


def _fill(installation: Installation) -> None:
    installation.manage("migrate")
    installation.manage("collectstatic", "--noinput")
    _do(installation, f"pages.set_up({SLUG!r})\npages.make_things({SLUG!r}, {PIPELINES})")
    _make_runs(installation, SLUG, RUNS)
    for n in range(OTHERS):
        slug = f"other-{n}"
        _do(installation, f"pages.make_things({slug!r}, {OTHER_PIPELINES})")
        _make_runs(installation, slug, OTHER_RUNS)


def _make_runs(installation: Installation, slug: str, count: int) -> None:
    # A command may take three minutes.
    for first in range(1, count + 1, PORTION):
        last = min(first + PORTION - 1, count)
        _do(installation, f"pages.make_runs({slug!r}, {count}, {first}, {last})")


def test_lists_and_logs(installation: tuple[str, Installation]) -> None:
    database, site = installation
    _fill(site)
    number = int(_do(site, f"print(pages.make_log({SLUG!r}, {LINES}))\npages.settle()"))
    measured = "print(pages.as_json(pages.measure(pages.owner({slug!r}), pages.{urls})))"
    lists = measured.format(slug=SLUG, urls=f"addresses({SLUG!r}, {RUNS})")
    logs = measured.format(slug=SLUG, urls=f"log_addresses({SLUG!r}, {number}, {LINES})")
    size = f"{database}, {RUNS:,} runs, {PIPELINES:,} pipelines, {OTHERS} other organizations"
    held = _report(json.loads(_do(site, lists)), database, LIST_GOAL, size)
    size = f"{database}, a log of {LINES:,} lines"
    held += _report(json.loads(_do(site, logs)), database, LOG_GOAL, size)
    assert all(held)


def _report(times: dict[str, Any], database: str, goal: int, measured_with: str) -> list[bool]:
    held = []
    for name, milliseconds in times.items():
        row = at_most(f"page: {name}, {database}, p95", milliseconds, "ms", goal, measured_with)
        report("bench", row)
        held.append(row.holds)
    return held
