"""Both modes as people run them: real worker and beat, commands, SQLite with files and PostgreSQL with Redis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datanika_site.tests.installation import Installation

SET_UP = """
from datanika_site.tests.scenario import make_shop
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership
organization = services.set_up(
    email="olga@example.com", name="Olga", password="correct horse battery", organization_name="Acme"
)
actor = Actor.member(Membership.all_organizations.get())
shop = make_shop(organization, actor)
shop.transformation("stg_orders", "select * from {{ source('raw_shop', 'orders') }}")
"""

SCHEDULE = """
from orchestration.models import Schedule
from orchestration.services import create_schedule
from tenants.actors import Actor
from tenants.models import Organization
from django.utils import timezone
create_schedule(
    organization=Organization.objects.get(),
    actor=Actor.operator(),
    name="Each minute",
    expression="* * * * *",
    time_zone="UTC",
    target="pipeline:orders",
)
Schedule.all_organizations.update(next_run_at=timezone.now())
"""


@pytest.fixture(params=["embedded", "distributed"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    if request.param == "embedded":
        made = Installation(tmp_path / "data")
    else:
        made = Installation.distributed(
            tmp_path / "data",
            request.getfixturevalue("postgres_url"),
            request.getfixturevalue("redis_url"),
        )
    yield made
    made.stop()


def test_commands_worker_and_beat_work_together(installation: Installation) -> None:
    installation.manage("migrate", "--verbosity", "0")
    installation.python(SET_UP)
    installation.start_worker()

    done = installation.manage("run_dag", "acme", "--wait", "--json")
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["status"] == "succeeded", result
    assert result["rows_loaded"] == 3

    if installation.environment:
        _a_due_schedule_starts_a_run_by_itself(installation)
    else:
        _a_refusal_is_one_sentence(installation)


def _a_refusal_is_one_sentence(installation: Installation) -> None:
    refused = installation.manage("run_pipeline", "acme/nothing", "--wait", check=False)
    assert refused.returncode == 1
    assert "There is no 'pipeline:nothing'" in refused.stderr
    assert "Traceback" not in refused.stderr


def _a_due_schedule_starts_a_run_by_itself(installation: Installation) -> None:
    installation.start_beat()
    installation.python(SCHEDULE)
    scheduled = installation.wait_for(2, lambda run: run["status"] == "succeeded")
    assert "Schedule Each minute" in scheduled["log"]
