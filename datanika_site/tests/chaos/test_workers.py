"""Workers and their machines die, freeze, lose the network, and come back."""

import signal
import time

import psutil
import pytest

from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.machines import Machine
from datanika_site.tests.chaos.processes import wait_until
from datanika_site.tests.chaos.site import Site
from datanika_site.tests.chaos.table import Table

pytestmark = pytest.mark.chaos

#: Between the loss of a worker and the moment when another one works at its step.
MOST_SECONDS = 45
LOADS = f"{len(shop.EXACT)} loads PostgreSQL, SQLite and CSV → PostgreSQL, {shop.ROWS:,} rows each"
PACE = 0.006


def _elsewhere(site: Site, numbers: list[int], lost: str, since: float) -> float:
    """Seconds since then until another worker than ``lost`` works at every one of them, or has."""
    wait_until(
        lambda: not set(numbers) & set(site.records.last_seen_on(site.acme.pk, lost)),
        f"runs {numbers} go on elsewhere",
        120,
        every=0.1,
    )
    return time.monotonic() - since


def _ready_but_idle(site: Site, machine: Machine) -> None:
    """A warm worker that takes nothing until its machine is thawed, however slow starts are here."""
    site.start_worker(machine)
    machine.freeze()


def test_worker_killed(site: Site, table: Table) -> None:
    """kill -9, and its supervisor starts another on the same machine."""
    alpha = site.machine("alpha")
    site.start_beat()
    worker = site.start_worker(alpha)
    (name,) = (name for name, _ in site.records.workers("alpha"))
    site.set_pace(PACE)
    numbers = site.request_all(shop.EXACT)
    hit = site.wait_busy(alpha, 4)
    lost = time.monotonic()
    worker.signal(signal.SIGKILL)
    gone = wait_until(lambda: not alpha.processes(), "its children are gone", 10)
    site.start_worker(alpha, ready=False)
    elsewhere = _elsewhere(site, hit, name, lost)
    table.at_most("worker killed: its children are gone", gone, "s", 2, LOADS)
    table.at_most("worker killed: its steps run again", elsewhere, "s", MOST_SECONDS, LOADS)
    exact = site.all_succeeded(numbers)
    table.exactly("worker killed: runs with every row once", numbers, exact, LOADS)
    assert site.told(hit, "was lost")
    table.assert_held()


def test_warm_parent_killed(site: Site, table: Table) -> None:
    """What children are forked from dies: they go with it, and the worker makes another."""
    alpha = site.machine("alpha")
    site.start_beat()
    site.start_worker(alpha)
    site.set_pace(PACE)
    numbers = site.request_all(shop.EXACT)
    site.wait_busy(alpha, 4)
    for process in alpha.processes():
        if "common.children.warm" in " ".join(process.cmdline()) and _is_parent(process):
            process.kill()
    exact = site.all_succeeded(numbers)
    table.exactly("warm parent killed: runs with every row once", numbers, exact, LOADS)
    table.assert_held()


def _is_parent(process: psutil.Process) -> bool:
    return "common.children.warm" not in " ".join(process.parent().cmdline())


def test_machine_lost(site: Site, table: Table) -> None:
    """The power is cut; another machine goes on when the lease has run out."""
    alpha, beta = site.machine("alpha"), site.machine("beta")
    site.start_beat()
    site.start_worker(alpha)
    _ready_but_idle(site, beta)
    site.set_pace(PACE)
    numbers = site.request_all(shop.EXACT)
    hit = site.wait_busy(alpha, 4)
    beta.thaw()
    lost = time.monotonic()
    alpha.cut_power()
    elsewhere = _elsewhere(site, hit, "alpha:%", lost)
    table.at_most("machine lost: its steps run elsewhere", elsewhere, "s", MOST_SECONDS, LOADS)
    exact = site.all_succeeded(numbers)
    table.exactly("machine lost: runs with every row once", numbers, exact, LOADS)
    assert site.told(hit, "was lost")
    # The machine comes back with what lay on its disk; only its own directories are not tidied up at once.
    alpha.power_on()
    site.start_worker(alpha)
    again = site.request_all(shop.QUICK)
    site.wait_final(again)
    assert {run.status for run in site.records.runs(site.acme.pk, again)} == {"succeeded"}
    table.assert_held()


def test_machine_frozen_or_cut_off(site: Site, table: Table) -> None:
    """One machine stands still, one lost its cable; both come back and find that their steps are another's."""
    frozen, cut, whole = (site.machine(name) for name in ("alpha", "gamma", "beta"))
    site.start_beat()
    two = {"DATANIKA_WORKER_SLOTS": "2"}
    for machine in (frozen, cut):
        site.start_worker(machine, env=two)
    _ready_but_idle(site, whole)
    site.set_pace(PACE)
    numbers = site.request_all(shop.SLOW)
    hit = {machine: site.wait_busy(machine, 2) for machine in (frozen, cut)}
    whole.thaw()
    lost = time.monotonic()
    frozen.freeze()
    cut.pull_cable()
    elsewhere = max(_elsewhere(site, hit[m], f"{m.name}:%", lost) for m in (frozen, cut))
    table.at_most(
        "machine frozen, cable pulled: steps run elsewhere", elsewhere, "s", MOST_SECONDS, LOADS
    )
    site.wait_final(numbers)
    before = _written(site, numbers)
    frozen.thaw()
    cut.plug_in()
    _quiet(site, frozen, cut)
    written = sum(a != b for a, b in zip(before, _written(site, numbers), strict=True))
    table.at_most("fenced workers: runs they still wrote to", written, "runs", 0, LOADS)
    exact = site.all_succeeded(numbers)
    table.exactly("frozen and cut off: runs with every row once", numbers, exact, LOADS)
    # Back in the fold: they take up new work.
    whole.end()
    site.set_pace(shop.PACE)
    more = site.request_all(shop.EXACT)
    assert site.all_succeeded(more)
    table.assert_held()


def _written(site: Site, numbers: list[int]) -> list[str]:
    return [site.records.everything(site.acme.pk, number) for number in numbers]


def _quiet(site: Site, *machines: Machine) -> None:
    """The fenced notice it and end their children."""
    deadline = time.monotonic() + 45
    while left := [fault for machine in machines for fault in site.left_on(machine)]:
        assert time.monotonic() < deadline, "\n".join([*left, site.story([], site.acme.pk)])
        time.sleep(0.3)
    time.sleep(2)
