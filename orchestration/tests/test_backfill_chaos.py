"""Backfills in real processes on PostgreSQL and Redis: no slice twice, none lost, whoever dies."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connections.tests.helpers import values_of
from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.chaos

SECONDS = 150
#: Rows of every hour of 20 days; the range that is loaded again has 12 of them.
HOURS = 480

PREPARE = """
from connections import services as connections
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition
from tenants import services
from tenants.actors import Actor
organization = services.set_up(
    email="o@example.com", name="Olga", password="sardine-lighthouse-42", organization_name="Acme"
)
actor = Actor.operator()
shop = connections.create_connection(
    organization=organization, actor=actor, name="Shop", connector="postgres", values={values!r}
)
pipelines.create_pipeline(
    organization=organization, actor=actor, source=shop, destination=shop,
    definition=PipelineDefinition.parse({{
        "name": "Events", "dataset": "raw", "mode": "single_table", "source_schema": "public",
        "resources": [{{"name": "events", "target": "events", "write_disposition": "append",
            "cursor_column": "at"}}],
    }}),
)
"""
HEAD = """
import json
from orchestration import services
from orchestration.models import Backfill, BackfillSlice, Run, RunStep
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Organization
actor, organization = Actor.operator(), Organization.objects.get()
pipeline = Pipeline.all_organizations.get()
"""
START = """
backfill = services.request_backfill(
    organization=organization, actor=actor, pipeline=pipeline, resource="events",
    cursor_from="2024-01-03", cursor_to="2024-01-15", slice_size="1 day",
)
"""
LOOK = """
backfill = Backfill.all_organizations.get()
slices = BackfillSlice.all_organizations.filter(backfill=backfill)
print(json.dumps({
    "status": backfill.status,
    "problem": backfill.problem,
    "slices": list(slices.values_list("status", flat=True)),
    "attempts": list(slices.values_list("attempts", flat=True)),
    "runs": Run.all_organizations.filter(backfill=backfill).count(),
    "workers": list(RunStep.all_organizations.filter(status="running").values_list("worker", flat=True)),
}))
"""
#: Eight threads on connections of their own advance it, again and again, while others pause and resume it.
RACE = """
import threading
from django.db import connection
from orchestration.engine.advance import advance
from orchestration.engine.backfills import advance_backfill, repair
from orchestration.models import Status
backfill = Backfill.all_organizations.get()
failures = []
def work(place):
    try:
        for _ in range(25):
            repair() if place % 2 else advance_backfill(backfill.pk)
            run = Run.all_organizations.filter(backfill=backfill, status="queued").first()
            if run is not None and place == 0:
                # Its end, as a worker would write it.
                RunStep.all_organizations.filter(run=run).update(status=Status.SUCCEEDED)
            if run is not None:
                advance(run.pk)
    except Exception as error:
        failures.append(repr(error))
    finally:
        connection.close()
threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failures, failures
"""


@pytest.fixture
def site(
    tmp_path: Path, postgres_url: str, redis_url: str, empty_database: str
) -> Iterator[Installation]:
    with psycopg.connect(empty_database, autocommit=True) as shop:
        shop.execute("CREATE TABLE events (id int PRIMARY KEY, at timestamptz, note text)")
        shop.execute(
            "INSERT INTO events SELECT n, timestamptz '2024-01-01 00:00Z' + n * interval '1 hour',"
            f" 'first' FROM generate_series(0, {HOURS - 1}) n"
        )
    found = Installation.distributed(tmp_path / "data", postgres_url, redis_url)
    found.environment["DATANIKA_EGRESS"] = "private-allowed"
    found.manage("migrate", "--verbosity", "0")
    found.python(PREPARE.format(values=values_of(empty_database)))
    yield found
    found.stop()


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """Another database of the same server: the shop and its warehouse."""
    name = "shop_" + postgres_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    yield postgres_url.replace(postgres_url.rpartition("/")[2].partition("?")[0], name)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def look(site: Installation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.python(HEAD + LOOK))
    return found


def wait_for(site: Installation, wanted: str) -> dict[str, Any]:
    deadline = time.monotonic() + SECONDS
    while (found := look(site))["status"] != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    return found


def test_nobody_starts_a_slice_twice(site: Installation) -> None:
    site.python(HEAD + START)
    site.python(HEAD + RACE)
    found = look(site)
    assert (found["status"], found["runs"]) == ("succeeded", 12)
    assert found["attempts"] == [1] * 12


def test_killed_in_the_middle(site: Installation, empty_database: str) -> None:
    """A worker and beat die by kill -9 again and again; every slice is loaded, and its rows are there once."""
    workers = [site.start_worker(), site.start_beat()]
    site.python(
        HEAD
        + "services.request_run(organization=organization, actor=actor, target='pipeline:events')"
    )
    site.wait_for(1, lambda status: status["status"] == "succeeded")
    with psycopg.connect(empty_database, autocommit=True) as shop:
        shop.execute("UPDATE events SET note = 'second' WHERE at < '2024-01-15 00:00Z'")
        shop.execute("DELETE FROM events WHERE at = '2024-01-05 05:00Z'")
    site.python(HEAD + START)
    for _ in range(3):
        time.sleep(1.2)
        for process in workers:
            site.kill(process)
        workers = [site.start_worker(), site.start_beat()]
    found = wait_for(site, "succeeded")
    assert found["slices"] == ["succeeded"] * 12
    assert (found["runs"], found["attempts"]) == (12, [1] * 12)
    with psycopg.connect(empty_database) as shop:
        rows = shop.execute("SELECT id, at, note FROM raw.events ORDER BY id").fetchall()
        wanted = shop.execute(
            "SELECT id, at, CASE WHEN at < '2024-01-03 00:00Z' THEN 'first' ELSE note END"
            " FROM public.events ORDER BY id"
        ).fetchall()
    assert rows == wanted
