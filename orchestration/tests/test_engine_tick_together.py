"""Many ticks at once on PostgreSQL, from threads of several processes: one run of each due time."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.chaos

SCHEDULES, HOURS = 120, 8

SET_UP = f"""
from datetime import UTC, datetime
from django_celery_beat.models import CrontabSchedule
from orchestration.graph import node_for
from orchestration.models import Schedule
from orchestration.tests.factories import make_connection, make_pipeline
from tenants import services
organization = services.set_up(
    email="olga@example.com", name="Olga", password="correct horse battery", organization_name="Acme"
)
warehouse = make_connection(organization)
nodes = [node_for(make_pipeline(organization, f"P{{n}}", warehouse)) for n in range(3)]
crontab = CrontabSchedule.objects.create(minute="0", timezone="UTC")
Schedule.all_organizations.bulk_create([
    Schedule(
        organization=organization, name=f"S{{n}}", slug=f"s{{n}}", crontab=crontab, node=nodes[n % 3],
        missed="all", next_run_at=datetime(2026, 3, 1, 0, tzinfo=UTC),
    )
    for n in range({SCHEDULES})
])
"""

#: Four threads, each with its own idea of the time, which jumps ahead and back.
TICK = f"""
import random, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from django.db import connection
from orchestration.engine import tick
picked = random.Random({{seed}})
start = datetime(2026, 3, 1, tzinfo=UTC)
def go(seed):
    own = random.Random(seed)
    try:
        for _ in range(12):
            list(tick._ticks(start + timedelta(minutes=own.randrange({HOURS} * 60))))
        list(tick._ticks(start + timedelta(hours={HOURS} - 1)))
    finally:
        connection.close()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(go, [picked.random() for _ in range(4)]))
"""

COUNT = """
import json
from orchestration.models import Run, RunStep
rows = Run.all_organizations.values("schedule", "scheduled_for")
print(json.dumps([rows.count(), rows.distinct().count(), RunStep.all_organizations.count()]))
"""


def test_each_due_time_is_one_run(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    made = Installation.distributed(tmp_path / "data", postgres_url, redis_url)
    made.manage("migrate", "--verbosity", "0")
    made.python(SET_UP)

    def tick(seed: int) -> subprocess.CompletedProcess[str]:
        return made.manage("shell", "--no-imports", "-c", TICK.format(seed=seed))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(tick, range(3)))
    assert json.loads(made.python(COUNT).splitlines()[-1]) == [SCHEDULES * HOURS] * 3
