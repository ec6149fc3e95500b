"""A hundred cancels of what would never end: loads and builds, from the page and from the API."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.machines import Machine
from datanika_site.tests.chaos.processes import wait_until
from datanika_site.tests.chaos.site import Site
from datanika_site.tests.chaos.table import Table

pytestmark = pytest.mark.chaos

CANCELS = int(os.environ.get("CHAOS_CANCELS", "100"))
MOST_SECONDS = 5
TARGETS = (
    *(f"pipeline:{slug}" for slug in shop.ENDLESS),
    f"transformation:{shop.ENDLESS_BUILD}",
)
#: What tells the queries of a load and of a build on the servers.
LOAD, BUILD = "%endless%", "%generate_series(1, 600)%"


@dataclass(frozen=True)
class Cancelled:
    number: int
    #: From the click until the run is final and nothing of it is left anywhere.
    seconds: float
    by: str


def test_cancels(site: Site, table: Table) -> None:
    alpha = site.machine("alpha")
    site.start_beat()
    site.start_worker(alpha, env={"DATANIKA_WORKER_SLOTS": "5"})
    done: list[Cancelled] = []
    while len(done) < CANCELS:
        done += _round(site, alpha, TARGETS[: CANCELS - len(done)])
    runs = site.records.runs(site.acme.pk, [one.number for one in done])
    right = [
        one
        for one, run in zip(done, runs, strict=True)
        if run.status == "cancelled" and one.by in run.cancelled_by and one.seconds <= MOST_SECONDS
    ]
    site.assert_well()
    slowest = max(one.seconds for one in done)
    words = (
        f"{CANCELS} running loads and dbt builds, {len(TARGETS)} at a time; page and API in turn"
    )
    numbers = [one.number for one in done]
    all_right = len(right) == len(numbers) == CANCELS
    table.exactly("cancelled by NAME, nothing left within 5 s", numbers, all_right, words)
    table.at_most("cancelled: the slowest", slowest, "s", MOST_SECONDS, words)
    assert site.told([done[0].number], "Olga")
    table.assert_held()


def _round(site: Site, machine: Machine, targets: Sequence[str]) -> list[Cancelled]:
    """All of them run; then one after another is cancelled, while the others go on."""
    numbers = {site.request(target): target for target in targets}
    wait_until(lambda: _there(site, targets), "all of them are on the server", 60)
    return [
        _cancel(site, machine, number, targets[place + 1 :], by_page=bool(place % 2))
        for place, number in enumerate(numbers)
    ]


def _there(site: Site, targets: Sequence[str]) -> bool:
    """Exactly these work on the servers, and of them at most one session each on the warehouse's side."""
    builds = sum(target.startswith("transformation:") for target in targets)
    loads = len(targets) - builds
    return (
        len(site.queries(LOAD, shop.SHOP)) == loads
        and len(site.queries(BUILD, shop.WAREHOUSE)) == builds
        and len(site.queries("%", shop.WAREHOUSE)) <= len(targets)
    )


def _cancel(
    site: Site, machine: Machine, number: int, others: Sequence[str], *, by_page: bool
) -> Cancelled:
    asked = time.monotonic()
    if by_page:
        status, _ = site.page(f"runs/{number}/cancel/", post=True)
        assert status in {200, 204, 302}, status
    else:
        status, _ = site.call("POST", f"runs/{number}/cancel/")
        assert status == 200, status

    def over() -> bool:
        (run,) = site.records.runs(site.acme.pk, [number])
        # A child and its directory each.
        return run.is_final and len(site.left_on(machine)) <= 2 * len(others)

    wait_until(over, f"run #{number} is over and its process gone", 30, every=0.1)
    wait_until(
        lambda: _there(site, others), "its query is gone, the others are there", 30, every=0.1
    )
    return Cancelled(number, time.monotonic() - asked, "Olga" if by_page else "Machine")
