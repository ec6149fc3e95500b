"""What operators do: stop workers in order, replace all of them, give queues machines of their own."""

import itertools
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.founding import QUEUE
from datanika_site.tests.chaos.machines import ROOT
from datanika_site.tests.chaos.processes import wait_until
from datanika_site.tests.chaos.site import Site
from datanika_site.tests.chaos.table import Table
from datanika_site.tests.installation import free_port

pytestmark = pytest.mark.chaos

LOADS = f"{len(shop.EXACT)} loads PostgreSQL, SQLite and CSV → PostgreSQL, {shop.ROWS:,} rows each"
#: Given to what runs on a worker that is asked to stop.
DRAIN_SECONDS = 5


def test_drain_to_the_end(site: Site, table: Table) -> None:
    """SIGTERM: what runs is finished where it is, nothing new is taken, another machine has the rest."""
    alpha, beta = site.machine("alpha"), site.machine("beta")
    site.start_beat()
    worker = site.start_worker(alpha)
    site.set_pace(0.003)
    numbers = site.request_all(shop.EXACT)
    running = site.wait_busy(alpha, 4)
    worker.signal(signal.SIGTERM)
    asked = time.monotonic()
    time.sleep(1)
    running = sorted({*running, *site.records.running(site.acme.pk, "alpha")})
    site.start_worker(beta)
    worker.wait(90)
    took = time.monotonic() - asked
    exact = site.all_succeeded(numbers)
    on_alpha = set(site.records.last_seen_on(site.acme.pk, "alpha:%")) & set(numbers)
    table.at_most("drain: the worker has ended", took, "s", 45, LOADS)
    table.exactly("drain: runs with every row once", numbers, exact, LOADS)
    table.at_most(
        "drain: steps taken after SIGTERM", len(on_alpha - set(running)), "steps", 0, LOADS
    )
    again = sum(one.number > 1 for one in site.records.attempts(site.acme.pk, numbers))
    table.at_most("drain: steps begun a second time", again, "steps", 0, LOADS)
    assert not alpha.processes()
    table.assert_held()


def test_drain_hands_back(site: Site, table: Table) -> None:
    """What would take too long is handed back within the time given, and goes on elsewhere."""
    alpha, beta = site.machine("alpha"), site.machine("beta")
    site.start_beat()
    worker = site.start_worker(alpha, env={"DATANIKA_DRAIN_SECONDS": str(DRAIN_SECONDS)})
    site.set_pace(0.05)
    numbers = site.request_all(shop.SLOW)
    hit = site.wait_busy(alpha, 4)
    site.start_worker(beta)
    # What reads already goes on slowly; what is begun anew does not.
    site.set_pace(shop.PACE)
    worker.signal(signal.SIGTERM)
    took = worker.wait(60)
    words = f"{len(hit)} loads of 100 s, DATANIKA_DRAIN_SECONDS={DRAIN_SECONDS}"
    table.at_most("drain: steps handed back, worker ended", took, "s", DRAIN_SECONDS + 10, words)
    exact = site.all_succeeded(numbers)
    table.exactly("handed back: runs with every row once", numbers, exact, words)
    assert site.told(hit, "is being stopped")
    table.assert_held()


def test_rolling_upgrade(site: Site, table: Table) -> None:
    """Web and both workers are replaced while runs keep coming: none is lost, none runs twice."""
    alpha, beta = site.machine("alpha"), site.machine("beta")
    site.start_beat()
    olds = {machine: site.start_worker(machine) for machine in (alpha, beta)}
    with _requests(site) as (numbers, refused):
        time.sleep(3)
        for machine, old in olds.items():
            # The new one comes first, as an orchestrator of containers does it.
            site.start_worker(machine)
            old.signal(signal.SIGTERM)
            old.wait(60)
        port = free_port()
        new = site.start_web(port)
        old_web, site.web, site.port = site.web, new, port
        time.sleep(1)
        old_web.end()
        time.sleep(2)
    words = f"{len(numbers)} runs asked for meanwhile; web and 2 workers replaced one after another"
    exact = site.all_succeeded(numbers)
    table.exactly("rolling upgrade: runs with every row once", numbers, exact, words)
    table.at_most("rolling upgrade: requests refused", len(refused), "requests", 0, words)
    again = sum(one.number > 1 for one in site.records.attempts(site.acme.pk, numbers))
    table.at_most("rolling upgrade: steps begun a second time", again, "steps", 0, words)
    table.assert_held()


@contextmanager
def _requests(site: Site) -> Iterator[tuple[list[int], list[str]]]:
    """A run every half second until the end of the block: their numbers, and what was refused."""
    numbers: list[int] = []
    refused: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        for slug in itertools.cycle(shop.EXACT):
            if enough.wait(0.5):
                return
            try:
                numbers.append(site.request(f"pipeline:{slug}"))
            except (OSError, AssertionError) as error:
                refused.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield numbers, refused
    finally:
        enough.set()
        asking.join(30)


def test_queues(site: Site, table: Table) -> None:
    """An organization's own queue is served by its own machine, and by no other."""
    alpha, own = site.machine("alpha"), site.machine("own")
    site.start_beat()
    site.start_worker(alpha)
    waiting = site.request(f"pipeline:{shop.OTHER}", tenant=site.beta)
    numbers = site.request_all(shop.EXACT)
    runs = site.wait_final(numbers)
    assert {run.status for run in runs} == {"succeeded"}, site.story(numbers, site.acme.pk)
    status, steps = site.call("GET", f"runs/{waiting}/steps/", tenant=site.beta)
    assert status == 200
    assert steps[0]["status"] == "queued"
    told = QUEUE in steps[0]["waiting_for"]
    command = [sys.executable, str(ROOT / "manage.py"), "worker", "--queues", QUEUE]
    site.start_worker(own, command=command)
    # Loads here are slow on purpose, so it is the start that counts.
    took = wait_until(
        lambda: site.records.attempts(site.beta.pk, [waiting]), "the run of the other queue", 60
    )
    wait_until(
        lambda: all(run.is_final for run in site.records.runs(site.beta.pk, [waiting])),
        "the end of the run of the other queue",
        60,
    )
    mine = site.request_all(shop.EXACT)
    assert site.all_succeeded(mine)
    strays = set(site.records.last_seen_on(site.acme.pk, "own:%"))
    strays |= set(site.records.last_seen_on(site.beta.pk, "alpha:%"))
    words = f"two workers on two machines, one with --queues {QUEUE}; {LOADS}"
    table.at_most("queues: steps on a machine of another queue", len(strays), "steps", 0, words)
    table.at_most("queues: the waiting run begins, once its machine is there", took, "s", 5, words)
    assert told, steps[0]["waiting_for"]
    table.assert_held()
