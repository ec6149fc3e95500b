"""The broker and the databases go away, forget, deliver twice and run full."""

import os
import signal
import time

import pytest

from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.processes import wait_until
from datanika_site.tests.chaos.site import Site
from datanika_site.tests.chaos.table import Table

pytestmark = pytest.mark.chaos

#: ``CHAOS_BROKER_DOWN=600 make chaos`` plays the ten minutes out.
DOWN_SECONDS = int(os.environ.get("CHAOS_BROKER_DOWN", "60"))
LOADS = f"{len(shop.EXACT)} loads PostgreSQL, SQLite and CSV → PostgreSQL, {shop.ROWS:,} rows each"
PACE = 0.003


def test_broker_down(site: Site, table: Table) -> None:
    """Down when runs are asked for and long after; workers look for themselves, and so do schedules."""
    alpha = site.machine("alpha")
    speakers = [site.start_beat(), site.start_worker(alpha)]
    schedule = site.schedule("Minutely", f"pipeline:{shop.MERGE}", "* * * * *")
    site.redis.stop(signal.SIGKILL)
    down_at = time.monotonic()
    waits, numbers = [], []
    for slug in shop.EXACT:
        asked = time.monotonic()
        numbers.append(site.request(f"pipeline:{slug}"))
        waits.append(time.monotonic() - asked)
    words = f"Redis killed for {DOWN_SECONDS} s; {LOADS}"
    table.at_most("broker down: a request is answered", max(waits), "s", 1, words)
    site.wait_final(numbers)
    while time.monotonic() - down_at < DOWN_SECONDS:
        time.sleep(0.5)
    late = site.request_all(shop.QUICK)
    site.redis.start()
    site.wait_final(late)
    exact = site.all_succeeded([*numbers, *late])
    table.exactly("broker down: runs with every row once", [*numbers, *late], exact, words)
    fired = site.end_schedules([schedule])
    table.once("broker down: minutes of a schedule, each once", fired, words)
    for speaker in speakers:
        said = speaker.log.read_text(errors="replace")
        assert "Traceback" not in said, said[-3000:]
        most = DOWN_SECONDS // 30 + 3
        assert 1 <= said.count("The broker ") <= most, (speaker.name, said[-3000:])
    table.assert_held()


def test_database_restarts(site: Site, table: Table) -> None:
    """The metadata database is restarted and then crashes in mid-run; what was answered stands."""
    alpha = site.machine("alpha")
    site.start_beat()
    site.start_worker(alpha)
    site.set_pace(PACE)
    numbers, back = site.request_all(shop.EXACT), 0.0
    for how, seconds in ((signal.SIGINT, 4), (signal.SIGKILL, 8)):
        site.wait_busy(alpha, 3)
        site.postgres.stop(how)
        time.sleep(seconds)
        site.postgres.start()
        back = max(back, wait_until(site.web_works, "the web works again", 30))
        numbers += site.request_all(shop.SLOW[:2])
    words = f"PostgreSQL restarted (4 s) and killed (8 s) in mid-run; {LOADS}"
    table.at_most("database back: pages are back", back, "s", 5, words)
    exact = site.all_succeeded(numbers)
    table.exactly("database restarted: runs with every row once", numbers, exact, words)
    attempts = site.records.attempts(site.acme.pk, numbers)
    again = sum(attempt.number > 1 for attempt in attempts)
    table.at_most("database restarted: steps that had to run again", again, "steps", 0, words)
    table.assert_held()


def test_warehouse_crashes(site: Site, table: Table) -> None:
    """Source and warehouse crash in mid-load: an error of the system, tried again by itself."""
    alpha = site.machine("alpha")
    site.start_beat()
    site.start_worker(alpha)
    site.set_pace(PACE)
    numbers = site.request_all(shop.EXACT)
    hit = site.wait_busy(alpha, 4)
    site.store.stop(signal.SIGKILL)
    time.sleep(2)
    site.store.start()
    words = f"the tenants' PostgreSQL killed for 2 s in mid-load; {LOADS}"
    exact = site.all_succeeded(numbers)
    table.exactly("warehouse crashed: runs with every row once", numbers, exact, words)
    told = [number for number in hit if "Attempt 1 failed" in site.log(number)]
    assert told, site.story(hit, site.acme.pk)
    table.assert_held()


def test_flushed_and_delivered_again(site: Site, table: Table) -> None:
    """Redis forgets everything, and hands out again what it had handed out: each step runs once."""
    short = {"CHAOS_VISIBILITY_SECONDS": "3"}
    alpha, beta = site.machine("alpha"), site.machine("beta")
    site.start_beat(short)
    for machine in (alpha, beta):
        site.start_worker(machine, env=short)
    site.set_pace(PACE)
    numbers = site.request_all([*shop.EXACT, *shop.SLOW])
    with site.redis.client() as redis:
        redis.flushall()
    site.wait_busy(alpha, 1)
    bells = site.ring_again(numbers, times=5)
    time.sleep(4)  # beyond the time-out, so that what is held unacknowledged is handed out again
    bells += site.ring_again(numbers, times=5)
    words = f"FLUSHALL, time-out of 3 s, {bells} bells more; two workers; {LOADS}"
    exact = site.all_succeeded(numbers)
    table.exactly("redelivered: runs with every row once", numbers, exact, words)
    again = sum(one.number > 1 for one in site.records.attempts(site.acme.pk, numbers))
    table.at_most("redelivered: steps that ran twice", again, "steps", 0, words)
    table.assert_held()


def test_disk_of_the_machine_full(site: Site, table: Table) -> None:
    """What needs room says so; when there is room again the same run goes through."""
    alpha = site.machine("alpha", disk_mb=24)
    site.start_beat()
    site.start_worker(alpha)
    filler = alpha.inside() / "filler"
    _fill(filler)
    numbers = site.request_all(shop.EXACT)
    site.wait_final(numbers)
    # A load writes nothing down on its way; dbt writes its project.
    numbers.append(site.request(f"transformation:{shop.TOTALS}"))
    runs = site.wait_final(numbers)
    failed = [run for run in runs if run.status == "failed"]
    words = f"a disk of 24 MB, full to the last byte; {LOADS}"
    unsaid = [run.error for run in failed if "disk" not in run.error.lower()]
    table.at_most("disk full: failed runs that do not name the disk", len(unsaid), "runs", 0, words)
    assert failed, "a full disk was noticed by nobody"
    filler.unlink()
    retried = [site.retry(run.number) for run in failed]
    exact = site.all_succeeded(retried)
    table.exactly("disk full: runs that go through once there is room", retried, exact, words)
    assert not unsaid, unsaid
    table.assert_held()


def _fill(path: os.PathLike[str]) -> None:
    block = b"\0" * 65_536
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(block):
                pass
        except OSError:
            return
