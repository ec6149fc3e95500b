"""Beats come twice and die, clocks jump: each due time is one run."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from random import Random, SystemRandom

import pytest

from datanika_site.processes import beat_command
from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.machines import Machine
from datanika_site.tests.chaos.site import Site
from datanika_site.tests.chaos.table import Table

pytestmark = pytest.mark.chaos

SEED = os.environ.get("CHAOS_SEED") or str(SystemRandom().randrange(10**9))
SECONDS = 125


def test_beats_doubled_and_killed(site: Site, table: Table) -> None:
    """Up to three beats at once, killed and started at random around two full minutes; at times there is none."""
    rng = Random(SEED)
    alpha = site.machine("alpha")
    site.start_worker(alpha)
    schedules = [
        site.schedule(f"Minutely {slug}", f"pipeline:{slug}", "* * * * *") for slug in shop.EXACT
    ]
    beats = [site.start_beat(), site.start_beat()]
    deaths, deadline = 0, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(rng.uniform(1, 9))
        if beats and rng.random() < 0.55:
            beats.pop(rng.randrange(len(beats))).signal(signal.SIGKILL)
            deaths += 1
        elif len(beats) < 3:
            beats.append(site.start_beat())
    words = f"{len(schedules)} schedules each minute for {SECONDS} s; up to 3 beats, {deaths} killed; seed {SEED}"
    fired = site.end_schedules(schedules)
    table.once("beats doubled and killed: due times, each one run", fired, words)
    table.at_most(
        "beats doubled and killed: latest start of a run",
        max(one.late for one in fired),
        "s",
        10,
        words,
    )
    site.settle()
    site.assert_well()
    table.assert_held()


def test_clock_of_a_machine_steps(site: Site, table: Table) -> None:
    """One machine, with worker and the only beat, believes that it is an hour later, then an hour earlier."""
    clock = Clock()
    alpha, omega = site.machine("alpha"), site.machine("omega")
    env = clock.of(omega)
    site.start_worker(alpha, env={"DATANIKA_WORKER_SLOTS": "2"})
    site.start_worker(omega, env=env)
    omega.run("beat", beat_command(), site.env | env)
    site.set_pace(0.008)
    schedule = site.schedule("By the clock", f"pipeline:{shop.MERGE}", "* * * * *")
    numbers = site.request_all(shop.SLOW)
    site.wait_busy(omega, 1)
    clock.step(3600)
    _into_the_next_minute()
    numbers += site.request_all(shop.QUICK)
    clock.step(-3600)
    time.sleep(8)
    numbers += site.request_all(shop.SLOW)
    time.sleep(4)
    clock.step(0)
    words = (
        f"one of two workers and the beat an hour ahead, then an hour behind; {len(numbers)} loads"
    )
    site.wait_final(numbers)
    fired = site.end_schedules([schedule])
    exact = site.all_succeeded(numbers)
    table.exactly("clock stepped: runs with every row once", numbers, exact, words)
    table.once("clock stepped: due times, each one run", fired, words)
    again = sum(one.number > 1 for one in site.records.attempts(site.acme.pk, numbers))
    table.at_most("clock stepped: steps taken from their worker", again, "steps", 0, words)
    table.assert_held()


def _into_the_next_minute() -> None:
    """Until a few seconds after the next full minute of the true clock."""
    time.sleep(64 - time.time() % 60)


class Clock:
    """What the time is on one machine; the monotonic clock goes on, as on a real one."""

    def __init__(self) -> None:
        self.library = _faketime()
        self.file: Path | None = None

    def of(self, machine: Machine) -> dict[str, str]:
        self.file = machine.own / "clock"
        self.step(0)
        return {
            "LD_PRELOAD": self.library,
            "FAKETIME_TIMESTAMP_FILE": str(machine.mounted / "clock"),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def step(self, seconds: int) -> None:
        assert self.file is not None
        part = self.file.with_suffix(".part")
        part.write_text(f"{seconds:+d}s\n")
        part.replace(self.file)


def _faketime() -> str:
    """The library that makes a process believe in another time; installed where that is allowed."""
    pattern = "usr/lib/*/faketime/libfaketimeMT.so.1"
    may = os.environ.get("DATANIKA_INSTALL_SERVICES") == "1" and shutil.which("apt-get")
    if not list(Path("/").glob(pattern)) and may:
        subprocess.run(["apt-get", "install", "-y", "-qq", "libfaketime"], capture_output=True)
    found = [str(path) for path in Path("/").glob(pattern)]
    if not found:
        pytest.skip("the clock of a process is stepped by libfaketime: install it")
    return found[0]
