"""What is old goes, what something still looks back at stays, and nobody waits for it."""

import io
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from audit.models import AuditEvent
from audit.tests.factories import age
from connections.models import Connection
from orchestration import retention, tasks, upkeep
from orchestration.models import (
    Backfill,
    BackfillSlice,
    Node,
    Run,
    RunLogLine,
    RunStep,
    RunStepAttempt,
    Status,
    Upkeep,
)
from orchestration.retention import directories, pruners
from orchestration.tests import factories as make
from pipelines.models import Pipeline
from tenants import services as tenants
from tenants.models import Organization

NOW = timezone.now()
SERIAL = iter(range(1_000_000, 2_000_000))


@pytest.fixture
def pipeline(organization: Organization, stand: Connection) -> Pipeline:
    return Pipeline.objects.for_organization(organization).get(slug="orders")


def ended(pipeline: Pipeline, days: float, status: str = Status.FAILED, **more: Any) -> Run:
    """A run that ended so many days ago, with a step, an attempt, a result and three lines."""
    at = NOW - timedelta(days=days)
    organization = pipeline.organization
    values = {"capsule": {"nodes": {}}, "target": "pipeline:orders", **more}
    run: Run = Run.all_organizations.create(
        organization=organization,
        number=next(SERIAL),
        title="Orders",
        status=status,
        requested_by="Olga",
        requested_at=at,
        started_at=at,
        finished_at=at + timedelta(minutes=1),
        last_line=3,
        **values,
    )
    step = RunStep.all_organizations.create(
        organization=organization, run=run, position=1, kind="pipeline", name="orders",
        pipeline=pipeline, status=status, started_at=at, finished_at=at,
    )  # fmt: skip
    RunStepAttempt.all_organizations.create(organization=organization, step=step, number=1)
    RunLogLine.all_organizations.bulk_create(
        RunLogLine(organization=organization, run=run, number=n, at=at, level="info", text="x")
        for n in (1, 2, 3)
    )
    return run


def names_of_runs() -> set[int]:
    return set(Run.all_organizations.values_list("pk", flat=True))


def test_each_kind_goes_at_its_own_age(pipeline: Pipeline) -> None:
    very_old, old, month, young = (ended(pipeline, days) for days in (400, 100, 40, 2))
    report = retention.prune(NOW)
    assert report.is_complete
    assert report.as_json()["items"] == {
        "log_lines": 9, "runs": 1, "capsules": 1, "backfills": 0, "audit_events": 0,
        "sessions": 0, "sign_ups": 0, "directories": 0, "trash": 0, "organizations": 0,
    } | {name: 0 for name in report.as_json()["items"] if "alert" in name}  # fmt: skip
    assert names_of_runs() == {old.pk, month.pk, young.pk}
    assert not RunStep.all_organizations.filter(run_id=very_old.pk).exists()
    assert set(RunLogLine.all_organizations.values_list("run_id", flat=True)) == {young.pk}
    for run in (old, month):
        run.refresh_from_db()
    assert "over for this run" in old.capsule["note"]
    assert month.capsule == {"nodes": {}}
    again = retention.prune(NOW)
    assert again.taken == 0


def test_what_is_looked_back_at_stays(pipeline: Pipeline) -> None:
    only_success = ended(pipeline, 500, Status.SUCCEEDED)
    first = ended(pipeline, 490, Status.SUCCEEDED, target="dag")
    last = ended(pipeline, 480, Status.SUCCEEDED, target="dag")
    of_a_selection = ended(pipeline, 470, Status.SUCCEEDED, target="dag", select="tag:x")
    # Failed as a whole, while one of its nodes succeeded and has not since.
    half = ended(pipeline, 460)
    Node.all_organizations.create(
        organization=pipeline.organization,
        pipeline=pipeline,
        succeeded_at=half.requested_at + timedelta(seconds=30),
    )
    awaited = ended(pipeline, 450)
    active = ended(pipeline, 440, Status.RUNNING, after=awaited)
    going_on = Backfill.all_organizations.create(
        organization=pipeline.organization, number=1, pipeline=pipeline, resource="orders",
        range_from="1", range_to="9", slice_size="1", requested_by="Olga",
    )  # fmt: skip
    of_backfill = ended(pipeline, 430, backfill=going_on)
    gone = ended(pipeline, 420)
    assert retention.preview(NOW)["runs"] == 3
    retention.prune(NOW)
    kept = {only_success, last, half, awaited, active, of_backfill}
    assert names_of_runs() == {run.pk for run in kept}
    assert not {first.pk, of_a_selection.pk, gone.pk} & names_of_runs()
    # The lines of an active run are its own, however old.
    assert set(RunLogLine.all_organizations.values_list("run_id", flat=True)) == {active.pk}
    only_success.refresh_from_db()
    assert only_success.capsule == {"nodes": {}}


def test_finished_backfills_go_with_their_slices(pipeline: Pipeline) -> None:
    backfill = Backfill.all_organizations.create(
        organization=pipeline.organization, number=1, pipeline=pipeline, resource="orders",
        range_from="1", range_to="9", slice_size="1", requested_by="Olga",
        status="succeeded", finished_at=NOW - timedelta(days=400),
    )  # fmt: skip
    run = ended(pipeline, 401, backfill=backfill)
    BackfillSlice.all_organizations.create(
        organization=pipeline.organization, backfill=backfill, position=1, range_from="1",
        range_to="9", run=run,
    )  # fmt: skip
    retention.prune(NOW)
    assert not Backfill.all_organizations.exists()
    assert not BackfillSlice.all_organizations.exists()
    assert not names_of_runs()


def test_operators_decide_how_long(pipeline: Pipeline) -> None:
    tenants.update_platform(
        actor=make.OPERATOR,
        log_retention_days=None,
        capsule_retention_days=None,
        run_retention_days=None,
        audit_retention_days=30,
    )
    ended(pipeline, 3000)
    count = age(NOW - timedelta(days=31, minutes=1))
    Session.objects.create(session_key="old", session_data="", expire_date=NOW - timedelta(days=1))
    Session.objects.create(session_key="new", session_data="", expire_date=NOW + timedelta(days=1))
    items = retention.prune(NOW).as_json()["items"]
    assert items["audit_events"] == count > 0
    # Each chain that lost its beginning says so.
    left = set(AuditEvent.all_organizations.values_list("action", flat=True))
    assert left == {"audit.pruned"}
    assert (items["runs"], items["log_lines"], items["sessions"]) == (0, 0, 1)


def test_time_over_goes_on_next_time_and_two_do_not_meet(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(12):
        ended(pipeline, 400)
    monkeypatch.setattr(pruners, "SMALLEST", 1)
    monkeypatch.setattr(pruners.Pace, "__init__", lambda self: setattr(self, "size", 1))
    monkeypatch.setattr(pruners, "SHORT_SECONDS", 0)
    first = retention.prune(NOW, seconds=0.02)
    assert not first.is_complete
    assert upkeep.hold(upkeep.PRUNE, 60)
    assert retention.prune(NOW).is_busy
    upkeep.let_go(upkeep.PRUNE)
    for _ in range(20):
        if retention.prune(NOW, seconds=5).is_complete:
            break
    assert not names_of_runs()
    # One that was killed holds it only for its time.
    Upkeep.objects.filter(pk=upkeep.PRUNE).update(busy_until=NOW - timedelta(seconds=1))
    assert not retention.prune(NOW).is_busy


def test_one_kind_that_fails_does_not_stop_the_others(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(now: object, pace: object) -> Any:
        yield 0
        raise PermissionError(13, "Permission denied")

    ended(pipeline, 400)
    monkeypatch.setattr(retention, "_pruners", dict(retention._pruners))
    retention.register(retention.Pruner("broken", "Broken", stumble, lambda now, most: 0))
    report = retention.prune(NOW)
    assert not names_of_runs()
    assert report.errors == ["Broken: PermissionError: [Errno 13] Permission denied"]
    with pytest.raises(SystemExit) as ending:
        call_command("prune", stdout=io.StringIO(), stderr=(err := io.StringIO()))
    assert ending.value.code == 1
    assert "Not taken: Broken" in err.getvalue()


def test_the_command_counts_takes_and_says_when_another_is_at_it(pipeline: Pipeline) -> None:
    ended(pipeline, 400)

    def prune(*arguments: str) -> str:
        out = io.StringIO()
        call_command("prune", *arguments, stdout=out)
        return out.getvalue()

    counted = json.loads(prune("--dry-run", "--json"))
    assert (counted["runs"], counted["log_lines"]) == (1, 3)
    assert "Nothing was taken." in prune("--dry-run")
    assert names_of_runs()
    took = json.loads(prune("--json"))
    assert took["items"]["runs"] == 1
    assert took["complete"] is True
    assert "0 things taken" in prune()
    upkeep.hold(upkeep.PRUNE, 60)
    with pytest.raises(SystemExit) as ending:
        prune()
    assert ending.value.code == 2


def old_directory(*parts: str, hours: float) -> Path:
    path = Path(settings.DATA_DIR).joinpath(*parts)
    path.mkdir(parents=True)
    (path / "file").write_text("x")
    at = (NOW - timedelta(hours=hours)).timestamp()
    for one in (path / "file", path):
        os.utime(one, (at, at))
    return path


def test_directories_of_the_dead_and_the_gone(pipeline: Pipeline, stand: Connection) -> None:
    number = str(pipeline.organization_id)
    dead = old_directory("tmp", "datanika-child-dead", hours=5)
    young = old_directory("tmp", "datanika-child-young", hours=0.1)
    foreign = old_directory("tmp", "something", hours=99)
    kept = [
        old_directory("work", number, f"pipeline-{pipeline.pk}", hours=99),
        old_directory("cache", number, f"dbt-{stand.pk}", hours=99),
        old_directory("files", number, "pipeline-999999", hours=99),
    ]
    gone = [
        old_directory("work", number, "pipeline-999999", hours=0),
        old_directory("cache", number, "dbt-999999", hours=0),
    ]
    assert directories.tidy(NOW) == 3
    assert not any(path.exists() for path in (dead, *gone))
    assert all(path.exists() for path in (young, foreign, *kept))


def test_a_directory_that_a_long_step_may_have_is_left_alone(pipeline: Pipeline) -> None:
    from orchestration.engine.claims import worker_name

    run = ended(pipeline, 1, Status.RUNNING)
    steps = RunStep.all_organizations.filter(run=run)
    steps.update(worker=worker_name(), started_at=NOW - timedelta(hours=20))
    busy = old_directory("tmp", "datanika-child-busy", hours=10)
    dead = old_directory("tmp", "datanika-child-dead", hours=30)
    pipeline.put_in_trash()
    work = old_directory("work", str(pipeline.organization_id), f"pipeline-{pipeline.pk}", hours=99)
    directories.tidy(NOW)
    assert (busy.exists(), dead.exists(), work.exists()) == (True, False, True)
    steps.update(status=Status.FAILED)
    directories.tidy(NOW)
    assert (busy.exists(), work.exists()) == (False, False)


def test_the_first_kept_key_is_found_in_gaps(pipeline: Pipeline) -> None:
    runs = [ended(pipeline, days) for days in (9, 8, 7, 3, 2, 1)]
    runs[1].delete()
    runs[4].delete()
    found = pruners.first_kept(Run.all_organizations.all(), "requested_at", NOW - timedelta(days=5))
    assert runs[2].pk < found <= runs[3].pk


def test_beat_has_the_tasks_and_one_prune_calls_the_next(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    from celery import current_app
    from django_celery_beat.models import PeriodicTask

    names = set(PeriodicTask.objects.values_list("task", flat=True))
    assert {"orchestration.prune_old", "orchestration.send_heartbeat"} <= names
    assert names - {"celery.backend_cleanup"} <= set(current_app.tasks)
    called: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.prune_old, "apply_async", lambda **options: called.append(options))
    ended(pipeline, 400)
    tasks.prune_old()
    assert not names_of_runs()
    assert not called
    report = retention.PruneReport([retention.Pruned("runs", "Runs", taken=5)], is_complete=False)
    monkeypatch.setattr(retention, "prune", lambda now: report)
    tasks.prune_old()
    assert called[0]["countdown"] == tasks.PRUNE_AGAIN_SECONDS
