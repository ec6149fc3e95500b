"""The tick: each due time once, missed ones by policy, overlaps by policy."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from connections.models import Connection
from orchestration import services
from orchestration.engine.tick import tick
from orchestration.models import MissedPolicy, OverlapPolicy, Run, Schedule, Status
from orchestration.tests import factories as make
from pipelines import services as pipelines
from pipelines.models import Pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db

DUE = make.START


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make.make_connection(organization)


@pytest.fixture
def pipeline(organization: Organization, warehouse: Connection) -> Pipeline:
    return make.make_pipeline(organization, "Orders", warehouse)


def hourly(pipeline: Pipeline, due: datetime = DUE, **values: Any) -> Schedule:
    """A schedule of the pipeline, each full hour, next at ``due``."""
    schedule = services.create_schedule(
        organization=pipeline.organization,
        actor=make.OPERATOR,
        **{
            "name": "Hourly",
            "expression": "0 * * * *",
            "time_zone": "UTC",
            "target": "pipeline:orders",
            **values,
        },
    )
    schedule.next_run_at = due
    schedule.save(update_fields=["next_run_at"])
    return schedule


def due_times() -> list[str]:
    times = Run.all_organizations.order_by("number").values_list("scheduled_for", flat=True)
    return [f"{moment:%H:%M}" for moment in times if moment]


def test_two_ticks_make_one_run(pipeline: Pipeline) -> None:
    schedule = hourly(pipeline)
    now = DUE + timedelta(seconds=1)
    assert tick(DUE - timedelta(seconds=1)) == []
    assert len(tick(now)) == 1
    assert tick(now) == []
    # A beat that had read the row before the first tick wrote it.
    Schedule.all_organizations.filter(pk=schedule.pk).update(next_run_at=DUE)
    assert tick(now) == []
    assert due_times() == ["10:00"]
    schedule.refresh_from_db()
    assert schedule.next_run_at == DUE + timedelta(hours=1)
    run = Run.all_organizations.get()
    assert run.requested_by == "Schedule Hourly"
    with pytest.raises(IntegrityError), transaction.atomic():
        Run(
            organization=run.organization,
            number=99,
            title="double",
            target="dag",
            requested_by="",
            schedule=schedule,
            scheduled_for=DUE,
        ).save()


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (MissedPolicy.SKIP, []),
        (MissedPolicy.ONCE, ["13:00"]),
        (MissedPolicy.ALL, ["10:00", "11:00", "12:00", "13:00"]),
    ],
)
def test_missed_starts(pipeline: Pipeline, missed: str, expected: list[str]) -> None:
    schedule = hourly(pipeline, missed=missed, overlap=OverlapPolicy.QUEUE)
    tick(DUE + timedelta(hours=3, minutes=30))
    assert due_times() == expected
    schedule.refresh_from_db()
    assert schedule.next_run_at == DUE + timedelta(hours=4)


def test_the_one_on_time_starts_also_when_missed_ones_are_skipped(pipeline: Pipeline) -> None:
    hourly(pipeline, missed=MissedPolicy.SKIP)
    tick(DUE + timedelta(hours=3, seconds=5))
    assert due_times() == ["13:00"]


def test_an_overlap_is_skipped_and_said_or_queued(pipeline: Pipeline) -> None:
    schedule = hourly(pipeline)
    tick(DUE)
    tick(DUE + timedelta(hours=1))
    schedule.refresh_from_db()
    assert due_times() == ["10:00"]
    assert schedule.note == "Skipped 11:00: run #1 was still going."
    Schedule.all_organizations.filter(pk=schedule.pk).update(overlap=OverlapPolicy.QUEUE)
    tick(DUE + timedelta(hours=2))
    assert due_times() == ["10:00", "12:00"]
    assert set(Run.all_organizations.values_list("status", flat=True)) == {Status.QUEUED}


def test_paused_and_deleted_schedules_start_nothing(pipeline: Pipeline) -> None:
    schedule = hourly(pipeline)
    services.set_schedule_active(schedule=schedule, actor=make.OPERATOR, active=False)
    assert tick(DUE + timedelta(days=400)) == []
    services.set_schedule_active(schedule=schedule, actor=make.OPERATOR, active=True)
    services.delete_schedule(schedule=schedule, actor=make.OPERATOR)
    assert tick(DUE + timedelta(days=400)) == []
    restored = services.restore_schedule(schedule=schedule, actor=make.OPERATOR)
    assert restored.next_run_at is not None
    assert Run.all_organizations.count() == 0


def test_a_schedule_of_something_paused_goes_on_of_something_deleted_rests_and_both_say_why(
    organization: Organization, pipeline: Pipeline
) -> None:
    schedule = hourly(pipeline)
    pipelines.set_paused(pipeline=pipeline, actor=make.OPERATOR, paused=True)
    assert tick(DUE) == []
    schedule.refresh_from_db()
    assert "paused" in schedule.note
    assert schedule.next_run_at == DUE + timedelta(hours=1)
    pipelines.delete_pipeline(pipeline=pipeline, actor=make.OPERATOR)
    assert tick(DUE + timedelta(hours=1)) == []
    schedule.refresh_from_db()
    assert schedule.note == "Paused: its pipeline “Orders” was deleted."
    assert not Schedule.all_organizations.filter(next_run_at__isnull=False).exists()


def test_one_schedule_that_fails_does_not_stop_the_others(
    organization: Organization, pipeline: Pipeline
) -> None:
    hourly(pipeline, name="Gone", select="")
    bad = Schedule.all_organizations.get(name="Gone")
    Schedule.all_organizations.filter(pk=bad.pk).update(select="nowhere")
    hourly(pipeline, name="Good")
    tick(DUE)
    assert Run.all_organizations.get().requested_by == "Schedule Good"
    bad.refresh_from_db()
    assert "nowhere" in bad.note
