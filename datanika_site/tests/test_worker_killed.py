"""The short form of ``make chaos``: kill -9 of a worker in the middle of a load, with PostgreSQL and Redis."""

import signal
import time
from pathlib import Path

from datanika_site.demo.data import postgres_values
from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.records import Records
from datanika_site.tests.installation import Installation

#: Slow enough to be hit midway.
PACE = 0.0015
SLUG = shop.SLOW[0]


def test_a_killed_worker_loses_and_doubles_nothing(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    site = Installation.distributed(tmp_path / "data", postgres_url, redis_url)
    records = Records(postgres_url)
    shop.fill(postgres_url)
    shop.set_pace(postgres_url, PACE)
    try:
        organization = int(site.python(_ask(postgres_url)))
        worker = site.start_worker()
        _wait(records, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY (%slow%'")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        site.start_worker()
        _wait(records, "SELECT count(*) FROM orchestration_run WHERE status = 'succeeded'")
    finally:
        site.stop()
    assert "was lost" in records.log(organization, 1)
    assert [one.status for one in records.attempts(organization, [1])] == ["lost", "succeeded"]
    assert shop.difference(postgres_url, SLUG, 1) == ""


def _ask(url: str) -> str:
    """One process does everything before there is a worker: its start is what costs."""
    ends = postgres_values(url)
    return f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
from datanika_site.tests.chaos.founding import found
from orchestration.services import request_run
from tenants.actors import Actor
from tenants.models import Organization
found({ends!r}, {ends!r})
acme = Organization.objects.get(slug="acme")
request_run(organization=acme, actor=Actor.operator(), target="pipeline:{SLUG}")
print(acme.pk)
"""


def _wait(records: Records, query: str) -> None:
    deadline = time.monotonic() + 90
    while not records.ask(query)[0][0]:
        assert time.monotonic() < deadline, query
        time.sleep(0.05)
