"""What row-level security costs: the same pages of one database, asked for as its owner and as a superuser.

Policies hold for the owner and not for the superuser; both processes take turns. ``BENCH_RUNS`` makes it smaller.
"""

import json
import os
import statistics
from pathlib import Path

import pytest

from bench.report import at_most, report, shown
from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.bench

RUNS = min(int(os.environ.get("BENCH_RUNS", "100000")), 100_000)
PIPELINES, ROUNDS = 1_000, 3
SLUG = "busy"
SECONDS = 900

FILL = f"""
from bench import filling
filling.set_up({SLUG!r})
filling.make_things({SLUG!r}, {PIPELINES})
with filling.quickly():
    filling.make_runs({SLUG!r}, {RUNS})
"""
ASK = f"from bench import pages\npages.measure(pages.owner({SLUG!r}), pages.addresses({SLUG!r}, {RUNS}))"


def test_what_it_costs(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    owner = Installation.distributed(tmp_path / "data", postgres_url, redis_url)
    owner.manage("migrate")
    owner.manage("collectstatic", "--noinput")
    superuser = owner.as_superuser()
    superuser.python(FILL, SECONDS)
    walls: dict[str, list[float]] = {"owner": [], "superuser": []}
    for _ in range(ROUNDS):
        for name, site in (("owner", owner), ("superuser", superuser)):
            found = json.loads(site.python(ASK, SECONDS))
            walls[name].append(sum(page["p50"] for page in found.values()) / len(found))
    with_it, without = statistics.median(walls["owner"]), statistics.median(walls["superuser"])
    words = f"mean of the medians of all list pages, {RUNS:,} runs, {PIPELINES:,} pipelines"
    report("bench", shown("row security: a page as the owner", with_it, "ms", words))
    report("bench", shown("row security: a page as a superuser", without, "ms", words))
    row = at_most("row security: owner over superuser", with_it / without, "x", 1.15, words)
    report("bench", row)
    assert row.holds
