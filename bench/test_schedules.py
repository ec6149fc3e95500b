"""Two hundred and ten thousand schedules due in one minute, with real beat and worker processes and the broker."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.report import at_most, report, shown
from bench.test_run_start import ten_rows
from datanika_site.tests.installation import Installation
from scripts.services import Server

pytestmark = pytest.mark.bench

FEW, MANY = 200, 10_000
#: Airflow, the best of the peers, has started its last of 200 after this (shared research, orchestrators).
BEST_PEER = 42.3

#: Pipelines from SQLite into PostgreSQL, each into a dataset of its own; schedules of them, all due at ``due``.
SET_UP = """
import json, sqlite3
from contextlib import closing
from datetime import datetime
from django_celery_beat.models import CrontabSchedule
from connections import runner
from connections.services import create_connection
from orchestration.graph import node_for
from orchestration.models import Schedule
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, WriteDisposition
from pipelines.services import create_pipeline
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership
given = json.loads('''{given}''')
organization = services.set_up(
    email="olga@example.com", name="Olga", password="correct horse battery", organization_name="Acme"
)
actor = Actor.member(Membership.all_organizations.get())
with closing(sqlite3.connect(runner.files_root(organization) / "shop.sqlite")) as connection:
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount TEXT)")
    connection.executemany("INSERT INTO orders VALUES (?, '19.90')", [(n,) for n in range(10)])
    connection.commit()
def connect(name, connector, values):
    return create_connection(
        organization=organization, actor=actor, name=name, connector=connector, values=values
    )
source = connect("Shop", "sqlite", {{"path": "shop.sqlite"}})
destination = connect("To", "postgres", given["server"] | {{"database": given["target"]}})
nodes = []
for number in range(given["pipelines"]):
    pipeline = create_pipeline(
        organization=organization, actor=actor, source=source, destination=destination,
        definition=PipelineDefinition(
            name=f"P{{number}}", dataset=f"raw_{{number}}", mode=Mode.SINGLE_TABLE, source_schema="main",
            resources=(
                ResourceDefinition(
                    name="orders", target="orders", write_disposition=WriteDisposition.REPLACE
                ),
            ),
        ),
    )
    nodes.append(node_for(pipeline))
organization.max_concurrent_runs = 32
organization.queue = given["queue"]
organization.save()
crontab = CrontabSchedule.objects.create(minute="0", hour="0", timezone="UTC")
Schedule.all_organizations.bulk_create([
    Schedule(organization=organization, name=f"S{{n}}", slug=f"s{{n}}", crontab=crontab,
             node=nodes[n % len(nodes)], next_run_at=None)
    for n in range(given["schedules"])
], batch_size=1000)
"""

#: Makes them due in some seconds, then looks until every run is there (and, if asked, has begun).
MEASURE = """
import json, time
from datetime import timedelta
from django.utils import timezone
from orchestration.models import Run, RunStep, Schedule
from tenants.models import Organization
due = timezone.now().replace(microsecond=0) + timedelta(seconds=4)
Schedule.all_organizations.update(next_run_at=due)
deadline = time.monotonic() + {patience}
created = []
while len(created) < {schedules} and time.monotonic() < deadline:
    time.sleep(0.02)
    # A run counts from when another process can see it; its number is written in its own transaction.
    there = Organization.objects.values_list("last_run_number", flat=True).get()
    late = (timezone.now() - due).total_seconds()
    created += [late] * (there - len(created))
while {begun} and time.monotonic() < deadline and (
    RunStep.all_organizations.exclude(started_at=None).count() < {schedules}
):
    time.sleep(0.1)
begun = sorted((at - due).total_seconds() for at in RunStep.all_organizations.exclude(
    started_at=None).values_list("started_at", flat=True))
print(json.dumps({{
    "created": created, "begun": begun,
    "schedules": Run.all_organizations.values("schedule", "scheduled_for").distinct().count(),
    "runs": Run.all_organizations.count(), "steps": RunStep.all_organizations.count(),
}}))
"""


@dataclass(frozen=True)
class Site:
    mode: str
    made: Installation


@pytest.fixture(params=["embedded", "distributed"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "embedded":
        made = Installation(tmp_path / "data")
    else:
        made = Installation.distributed(
            tmp_path / "data",
            request.getfixturevalue("postgres_url"),
            request.getfixturevalue("redis_url"),
        )
    yield Site(request.param, made)
    made.stop()


def measured(
    site: Site, server: Server, *, schedules: int, pipelines: int, queue: str, begun: bool
) -> dict[str, Any]:
    given = json.loads(ten_rows(server))
    given |= {"schedules": schedules, "pipelines": pipelines, "queue": queue}
    site.made.manage("migrate", "--verbosity", "0")
    site.made.python(SET_UP.format(given=json.dumps(given)))
    site.made.start_worker()
    site.made.start_beat()
    # The worker imports, the warm parent too, and beat finds its rhythm.
    time.sleep(20)
    measure = MEASURE.format(schedules=schedules, begun=begun, patience=150)
    found: dict[str, Any] = json.loads(site.made.python(measure).splitlines()[-1])
    return found


def percent(values: list[float], share: int) -> float:
    return values[max(0, len(values) * share // 100 - 1)]


def test_two_hundred_of_one_minute(site: Site, postgres_server: Server, surroundings: str) -> None:
    """The goal is about the start of a run: its row and its place in the queue. Workers take the steps as they can."""
    found = measured(site, postgres_server, schedules=FEW, pipelines=FEW, queue="", begun=True)
    assert found["runs"] == found["schedules"] == found["steps"] == FEW
    with_what = f"{FEW} pipelines, SQLite → PostgreSQL, 10 rows, one worker; {surroundings}"
    title = f"{FEW} schedules of one minute, {site.mode},"
    created, begun = found["created"], found["begun"]
    row = "run started (its row there, its step queued)"
    report("bench", at_most(f"{title} {row}, p95", percent(created, 95), "s", 2, with_what))
    report("bench", at_most(f"{title} {row}, last", created[-1], "s", 5, with_what))
    assert len(begun) == FEW
    for share in (50, 95):
        claimed = percent(begun, share)
        report("bench", shown(f"{title} step claimed, p{share}", claimed, "s", with_what))
    last = at_most(f"{title} step claimed, last", begun[-1], "s", BEST_PEER, with_what)
    report("bench", last)


def test_ten_thousand_of_one_minute(site: Site, postgres_server: Server, surroundings: str) -> None:
    """Their steps go to a queue of workers that are not there: this is about the rows."""
    found = measured(
        site, postgres_server, schedules=MANY, pipelines=200, queue="elsewhere", begun=False
    )
    assert found["runs"] == found["schedules"] == found["steps"] == MANY
    with_what = f"{MANY} schedules of 200 pipelines, beat and one worker; {surroundings}"
    title = f"{MANY} schedules of one minute, {site.mode}, run row there after"
    created = found["created"]
    report("bench", shown(f"{title}, p50", percent(created, 50), "s", with_what))
    report("bench", at_most(f"{title}, last", created[-1], "s", 5, with_what))
