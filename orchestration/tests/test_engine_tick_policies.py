"""The tick: overlaps, bounds, pauses, and that many are made as one is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError

from audit.models import AuditEvent
from common.errors import UserError
from connections.models import Connection
from orchestration import requests, services
from orchestration.engine.tick import tick
from orchestration.models import (
    MissedPolicy,
    OverlapPolicy,
    Run,
    RunLogLine,
    RunStep,
    Schedule,
    Status,
    Trigger,
)
from orchestration.tests import factories as make
from orchestration.tests.test_engine_tick import DUE, due_times, hourly
from pipelines.models import Pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make.make_connection(organization)


@pytest.fixture
def pipeline(organization: Organization, warehouse: Connection) -> Pipeline:
    return make.make_pipeline(organization, "Orders", warehouse)


def runs() -> list[Run]:
    return list(Run.all_organizations.order_by("number"))


def test_a_queued_start_comes_after_the_run_before(pipeline: Pipeline) -> None:
    hourly(pipeline, overlap=OverlapPolicy.QUEUE)
    tick(DUE)
    assert tick(DUE + HOUR) == []
    tick(DUE + 2 * HOUR)
    first, second, third = runs()
    assert (second.after, third.after) == (first, second)
    assert [make.steps(run)[0].is_ready for run in runs()] == [True, False, False]
    assert make.finish(make.steps(first)[0]) == [make.steps(second)[0].pk]
    assert [make.steps(run)[0].is_ready for run in (second, third)] == [True, False]


def test_each_missed_start_comes_after_the_one_before(pipeline: Pipeline) -> None:
    hourly(pipeline, missed=MissedPolicy.ALL)
    ready = tick(DUE + 3 * HOUR)
    assert due_times() == ["10:00", "11:00", "12:00", "13:00"]
    assert [run.after and run.after.number for run in runs()] == [None, 1, 2, 3]
    assert ready == [make.steps(runs()[0])[0].pk]


def test_the_run_before_is_cancelled_by_the_schedule(pipeline: Pipeline) -> None:
    hourly(pipeline, overlap=OverlapPolicy.CANCEL)
    tick(DUE)
    running = make.take(make.steps(runs()[0])[0])
    assert tick(DUE + HOUR) == []
    first, second = runs()
    assert first.cancelled_by == "Schedule Hourly"
    assert (first.status, second.after) == (Status.RUNNING, first)
    # The one that never began is gone at once; the newest still waits for the one that runs.
    assert tick(DUE + 2 * HOUR) == []
    first, second, third = runs()
    assert (second.status, third.after) == (Status.CANCELLED, first)
    assert not make.steps(third)[0].is_ready
    assert RunStep.all_organizations.get(pk=running.pk).status == Status.RUNNING


def test_a_queued_run_that_is_cancelled_holds_up_nothing(pipeline: Pipeline) -> None:
    hourly(pipeline, overlap=OverlapPolicy.CANCEL)
    tick(DUE)
    assert len(tick(DUE + HOUR)) == 1
    assert [run.status for run in runs()] == [Status.CANCELLED, Status.QUEUED]


def test_pausing_all_and_resuming(pipeline: Pipeline, organization: Organization) -> None:
    own = hourly(pipeline)
    resting = hourly(pipeline, name="Resting")
    services.set_schedule_active(schedule=resting, actor=make.OPERATOR, active=False)
    paused = services.pause_all_schedules(organization=organization, actor=make.OPERATOR)
    assert paused.schedules_paused_at is not None
    assert paused.schedules_paused_by == "Command line"
    # A tick that had read the row before.
    Schedule.all_organizations.filter(pk=own.pk).update(next_run_at=DUE)
    assert tick(DUE + 2 * HOUR) == []
    own.refresh_from_db()
    assert own.next_run_at is None
    services.pause_all_schedules(organization=organization, actor=make.OPERATOR)
    later = services.create_schedule(
        organization=paused, actor=make.OPERATOR, name="Later", expression="0 * * * *",
        time_zone="UTC",
    )  # fmt: skip
    assert later.next_run_at is None
    resumed = services.resume_all_schedules(organization=organization, actor=make.OPERATOR)
    assert (resumed.schedules_paused_at, resumed.schedules_paused_by) == (None, "")
    rows = Schedule.all_organizations.order_by("pk").values_list("is_active", "next_run_at")
    now = datetime.now(UTC)
    assert [(active, bool(at and at > now)) for active, at in rows] == [
        (True, True), (False, False), (True, True),
    ]  # fmt: skip
    assert runs() == []
    actions = AuditEvent.all_organizations.filter(action__startswith="schedule.all_")
    assert sorted(actions.values_list("action", flat=True)) == [
        "schedule.all_paused", "schedule.all_resumed",
    ]  # fmt: skip


def test_bounds(pipeline: Pipeline) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    begin, end = now + 10 * HOUR, now + 12 * HOUR
    schedule = hourly(pipeline, missed=MissedPolicy.ALL, starts_at=begin, ends_at=end)
    schedule.refresh_from_db()
    # What somebody had due before the bounds were set.
    Schedule.all_organizations.filter(pk=schedule.pk).update(next_run_at=now + 8 * HOUR)
    tick(now + 20 * HOUR)
    assert [run.scheduled_for for run in runs()] == [begin, begin + HOUR]
    schedule.refresh_from_db()
    assert schedule.next_run_at is None
    for ends_at, field in ((begin, "ends_at"), (now, "ends_at")):
        with pytest.raises(UserError) as caught:
            hourly(pipeline, name="Never", starts_at=begin, ends_at=ends_at)
        assert caught.value.field == field


def test_one_that_cannot_be_read_rests_and_says_why(pipeline: Pipeline) -> None:
    bad = hourly(pipeline, name="Bad")
    type(bad.crontab).objects.filter(pk=bad.crontab.pk).update(hour="25")
    good = hourly(pipeline, name="Good", expression="0 */1 * * *")
    tick(DUE)
    bad.refresh_from_db()
    assert "25" in bad.note
    assert bad.next_run_at is None
    assert [run.schedule for run in runs()] == [good]


def test_something_unforeseen_hits_the_one_it_comes_from(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = requests._title

    def fails_for_one(thing: Any, expression: str, options: Any) -> str:
        if expression == "orders":
            raise ZeroDivisionError
        return made(thing, expression, options)

    monkeypatch.setattr(requests, "_title", fails_for_one)
    bad = hourly(pipeline, name="Bad", target="dag", select="orders")
    for name in ("One", "Two"):
        hourly(pipeline, name=name)
    assert len(tick(DUE)) == 2
    assert {run.requested_by for run in runs()} == {"Schedule One", "Schedule Two"}
    bad.refresh_from_db()
    assert "ZeroDivisionError" in bad.note
    assert bad.next_run_at == DUE + HOUR


def test_a_database_of_another_version_costs_no_start(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: requests.Desk, pairs: Any) -> Any:
        raise ProgrammingError("column does not exist")

    schedule = hourly(pipeline)
    with monkeypatch.context() as patched:
        patched.setattr(requests.Desk, "_write", fails)
        with pytest.raises(ProgrammingError):
            tick(DUE)
    schedule.refresh_from_db()
    assert (schedule.next_run_at, schedule.note) == (DUE, "")
    assert len(tick(DUE)) == 1


def test_many_are_made_as_one_is(
    organization: Organization, warehouse: Connection, pipeline: Pipeline
) -> None:
    """A run of a schedule among others is what a run asked for alone is, to the last row."""
    make.make_pipeline(organization, "Users", warehouse)
    sql = "select * from {{ source('raw_orders', 'orders') }}"
    make.make_transformation(organization, "stg_orders", warehouse, sql)
    targets = [
        ("pipeline:orders", ""), ("pipeline:users", ""), ("transformation:stg_orders", ""),
        ("pipeline:orders", "orders+"), ("dag", "+stg_orders"), ("dag", ""), ("dag", ""),
    ]  # fmt: skip
    for number, (target, select) in enumerate(targets):
        hourly(pipeline, name=f"S{number}", target=target, select=select)
    tick(DUE)
    together = runs()
    for run in together:
        alone = make.make_run(organization, run.target, select=run.select, trigger=Trigger.SCHEDULE)
        assert _everything(run) == _everything(alone)


def _everything(run: Run) -> list[Any]:
    run.refresh_from_db()
    own = {"id", "number", "requested_at", "schedule_id", "scheduled_for", "requested_by"}
    fields: list[Any] = [_values(run, own)]
    fields += [
        _values(step, {"id", "run_id", "queued_at"})
        for step in RunStep.all_organizations.filter(run=run).order_by("position")
    ]
    who, number = run.requested_by, run.number
    lines = RunLogLine.all_organizations.filter(run=run).values_list("number", "level", "text")
    fields += [
        (n, level, text.replace(f"#{number} requested by {who}", "")) for n, level, text in lines
    ]
    event = AuditEvent.all_organizations.get(target_type="run", target_id=str(run.pk))
    return [*fields, event.action, event.changes, event.actor_label == who]


def _values(row: Any, without: set[str]) -> dict[str, Any]:
    names = [field.attname for field in row._meta.concrete_fields]
    return {name: getattr(row, name) for name in names if name not in without}
