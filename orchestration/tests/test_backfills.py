"""Backfills with real loads: what stands in the warehouse afterwards, and how they stop, go on and are repeated."""

from typing import Any

import pytest

from audit.models import AuditEvent
from common.errors import PermissionDenied, UserError
from conftest_site import Person
from orchestration import services
from orchestration.engine import backfills as engine
from orchestration.engine import executor
from orchestration.engine.sweep import sweep
from orchestration.models import Backfill, BackfillSlice, Run, Status, Trigger
from orchestration.tests.backfilling import RANGE, Filling
from pipelines import services as pipelines
from pipelines.models import Pipeline

pytestmark = pytest.mark.django_db

HALVES = {**RANGE, "slice_size": "2 days"}
ALL = "SELECT id, status, updated_at FROM raw_shop.orders ORDER BY id"


@pytest.fixture
def loaded(filling: Filling) -> Filling:
    """Loaded once, and changed since behind the cursor's back."""
    filling.shop.load()
    filling.shop.sql(
        "UPDATE orders SET status = 'changed' WHERE id IN (1, 3)", "DELETE FROM orders WHERE id = 2"
    )
    return filling


def test_a_range_is_loaded_again_slice_by_slice(loaded: Filling) -> None:
    before = loaded.shop.rows(
        "SELECT cursor_value FROM raw_shop._dlt_commits ORDER BY committed_at"
    )
    backfill = loaded.start(cursor_to="2024-01-04")
    assert [(one.range_from, one.range_to) for one in loaded.slices(backfill)] == [
        ("2024-01-01", "2024-01-02"),
        ("2024-01-02", "2024-01-03"),
        ("2024-01-03", "2024-01-04"),
    ]
    # One at a time: the pipeline never runs twice.
    assert loaded.statuses(backfill) == ["running", "queued", "queued"]
    assert loaded.work() == 3
    assert loaded.statuses(backfill) == ["succeeded"] * 3
    backfill.refresh_from_db()
    assert backfill.status == "succeeded"
    assert backfill.finished_at is not None
    rows = loaded.shop.rows(ALL)
    # Changed and deleted rows of the range are as at the source; the row behind it was not touched.
    assert [(row[0], row[1]) for row in rows] == [(1, "changed"), (3, "changed"), (4, "sent")]
    after = loaded.shop.rows("SELECT cursor_value FROM raw_shop._dlt_commits ORDER BY committed_at")
    assert {*before} == {*after}, "the cursor stays"
    runs = list(Run.all_organizations.filter(backfill=backfill).order_by("number"))
    assert [run.trigger for run in runs] == [Trigger.BACKFILL] * 3
    assert {run.requested_by for run in runs} == {"Edith"}
    assert [one.rows_loaded for one in loaded.slices(backfill)] == [1, 0, 1]


def test_only_what_failed_is_repeated(loaded: Filling) -> None:
    shop = loaded.shop
    backfill = loaded.start()
    shop.sql("ALTER TABLE orders RENAME TO away")
    loaded.work(1)
    assert loaded.statuses(backfill)[:2] == ["failed", "running"]
    shop.sql("ALTER TABLE away RENAME TO orders")
    loaded.work()
    backfill.refresh_from_db()
    assert backfill.status == "failed"
    assert loaded.statuses(backfill) == ["failed", "succeeded", "succeeded", "succeeded"]
    good = [one.run_id for one in loaded.slices(backfill)][1:]
    loaded.change(services.retry_backfill, backfill)
    assert loaded.work() == 1
    backfill.refresh_from_db()
    assert backfill.status == "succeeded"
    slices = loaded.slices(backfill)
    assert [one.run_id for one in slices][1:] == good
    assert [one.attempts for one in slices] == [2, 1, 1, 1]
    assert {row[1] for row in shop.rows(ALL)} == {"changed", "sent"}
    with pytest.raises(UserError, match="No slice"):
        loaded.change(services.retry_backfill, backfill)


def test_a_run_repeated_by_hand_counts_for_its_slice(loaded: Filling) -> None:
    loaded.shop.sql("ALTER TABLE orders RENAME TO away")
    backfill = loaded.start(slice_size="1 week")
    loaded.work()
    backfill.refresh_from_db()
    assert backfill.status == "failed"
    loaded.shop.sql("ALTER TABLE away RENAME TO orders")
    (failed,) = loaded.slices(backfill)
    assert failed.run is not None
    again = services.retry_run(run=failed.run, actor=loaded.shop.actor)
    loaded.work()
    (mended,) = loaded.slices(backfill)
    assert (mended.run, mended.status, mended.attempts) == (again, Status.SUCCEEDED, 2)
    backfill.refresh_from_db()
    assert backfill.status == "succeeded"
    # A repetition of what is good already changes nothing here.
    again.refresh_from_db()
    services.retry_run(run=again, actor=loaded.shop.actor)
    loaded.shop.sql("ALTER TABLE orders RENAME TO away")
    loaded.work()
    assert loaded.statuses(backfill) == ["succeeded"]


def test_many_failures_in_a_row_pause_it(loaded: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_FAILURES_IN_A_ROW", 2)
    loaded.shop.sql("ALTER TABLE orders RENAME TO away")
    backfill = loaded.start()
    assert loaded.work() == 2
    backfill.refresh_from_db()
    assert (backfill.status, loaded.statuses(backfill)) == (
        "paused",
        ["failed", "failed", "queued", "queued"],
    )
    assert "slice 2" in backfill.problem
    assert "resume" in backfill.problem
    loaded.shop.sql("ALTER TABLE away RENAME TO orders")
    loaded.change(services.resume_backfill, backfill)
    loaded.work()
    backfill.refresh_from_db()
    assert (backfill.status, backfill.problem) == ("failed", "")
    assert loaded.statuses(backfill) == ["failed", "failed", "succeeded", "succeeded"]


def test_pause_and_resume(loaded: Filling) -> None:
    backfill = loaded.start()
    loaded.work(1)
    waiting = loaded.slices(backfill)[1].run
    assert waiting is not None
    loaded.change(services.pause_backfill, backfill)
    # A run that only waits for its place is taken back; it is no failure.
    assert loaded.statuses(backfill) == ["succeeded", "queued", "queued", "queued"]
    waiting.refresh_from_db()
    assert (waiting.status, waiting.cancelled_by) == (Status.CANCELLED, "Edith")
    assert loaded.work() == 0
    assert sweep() == []
    with pytest.raises(UserError, match="not running"):
        loaded.change(services.pause_backfill, backfill)
    loaded.change(services.resume_backfill, backfill)
    assert loaded.work() == 3
    backfill.refresh_from_db()
    assert backfill.status == "succeeded"
    with pytest.raises(UserError, match="not paused"):
        loaded.change(services.resume_backfill, backfill)


def test_a_running_slice_ends_in_peace_when_paused(loaded: Filling) -> None:
    backfill = loaded.start()
    run = loaded.slices(backfill)[0].run
    Run.all_organizations.filter(pk=run.pk).update(status=Status.RUNNING)  # type: ignore[union-attr]
    loaded.change(services.pause_backfill, backfill)
    assert loaded.statuses(backfill)[0] == "running"
    assert loaded.work() == 1
    assert loaded.statuses(backfill) == ["succeeded", "queued", "queued", "queued"]


def test_cancel_and_load_the_rest(loaded: Filling) -> None:
    backfill = loaded.start()
    loaded.work(1)
    loaded.change(services.cancel_backfill, backfill)
    backfill.refresh_from_db()
    assert backfill.status == "cancelled"
    assert loaded.statuses(backfill) == ["succeeded", "cancelled", "cancelled", "cancelled"]
    assert loaded.work() == 0
    assert not Run.all_organizations.filter(status__in=["queued", "running"]).exists()
    with pytest.raises(UserError, match="ended already"):
        loaded.change(services.cancel_backfill, backfill)
    loaded.change(services.retry_backfill, backfill)
    assert loaded.work() == 3
    assert loaded.statuses(backfill) == ["succeeded"] * 4


def test_a_lost_process_loses_nothing(loaded: Filling) -> None:
    """Killed between the end of a run and what follows from it: the sweep of another goes on."""
    shop = loaded.shop
    backfill = services.request_backfill(
        organization=shop.organization, actor=shop.actor, pipeline=shop.pipeline, **HALVES
    )
    assert loaded.statuses(backfill) == ["queued"] * 2
    assert len(sweep()) == 1
    # Its end is written with the run's, the start of the next one is lost with the process.
    with loaded.committing(execute=False):
        executor.execute(sweep()[0])
    assert loaded.statuses(backfill) == ["succeeded", "queued"]
    assert len(sweep()) == 1
    # A run that was deleted before it ended is made anew.
    Run.all_organizations.filter(backfill=backfill, status=Status.QUEUED).delete()
    assert len(sweep()) == 1
    loaded.work()
    backfill.refresh_from_db()
    assert (backfill.status, loaded.statuses(backfill)) == ("succeeded", ["succeeded"] * 2)


def test_advancing_twice_starts_one(loaded: Filling) -> None:
    backfill = loaded.start(**HALVES)
    for _ in range(3):
        assert engine.advance_backfill(backfill.pk) == []
    loaded.work()
    engine.advance_backfill(backfill.pk)
    assert Run.all_organizations.filter(backfill=backfill).count() == 2
    backfill.refresh_from_db()
    assert backfill.status == "succeeded"


def test_a_paused_pipeline_pauses_it(loaded: Filling) -> None:
    backfill = loaded.start(**HALVES)
    pipelines.set_paused(pipeline=loaded.shop.pipeline, actor=loaded.shop.actor, paused=True)
    loaded.work(1)
    backfill.refresh_from_db()
    assert backfill.status == "paused"
    assert backfill.problem.startswith("Slice 2 could not be started: This pipeline is paused.")
    with pytest.raises(UserError, match="is paused") as wrong:
        loaded.start()
    assert wrong.value.field == "pipeline"
    pipelines.set_paused(pipeline=loaded.shop.pipeline, actor=loaded.shop.actor, paused=False)
    loaded.change(services.resume_backfill, backfill)
    loaded.work()
    assert loaded.statuses(backfill) == ["succeeded"] * 2


def test_a_deleted_pipeline_pauses_it(loaded: Filling) -> None:
    backfill = loaded.start()
    pipelines.delete_pipeline(pipeline=loaded.shop.pipeline, actor=loaded.shop.actor)
    loaded.work(1)
    backfill.refresh_from_db()
    assert backfill.status in {"paused", "failed"}
    assert Pipeline.all_organizations.filter(pk=loaded.shop.pipeline.pk).exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"resource": "customers"}, "resource"),
        ({"resource": ""}, "resource"),
        ({"cursor_from": "x"}, "cursor_from"),
        ({"cursor_to": "2024-01-01"}, "cursor_to"),
        ({"slice_size": "1 minute"}, "slice_size"),
        ({"slice_size": "yes"}, "slice_size"),
        ({"cursor_from": "1", "cursor_to": "9", "slice_size": "2"}, "cursor_from"),
    ],
)
def test_refusals(filling: Filling, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError) as wrong:
        filling.start(**changes)
    assert wrong.value.field == field
    assert wrong.value.remedy
    assert not Backfill.all_organizations.exists()
    assert not Run.all_organizations.filter(trigger=Trigger.BACKFILL).exists()


def test_one_of_a_table_at_a_time(filling: Filling) -> None:
    first = filling.start()
    with pytest.raises(UserError, match="Backfill #1 of orders") as wrong:
        filling.start()
    assert (wrong.value.field, wrong.value.code) == ("resource", "backfill_conflict")
    filling.change(services.cancel_backfill, first)
    second = filling.start()
    with pytest.raises(UserError, match="Backfill #2"):
        filling.change(services.retry_backfill, first)
    assert second.number == 2


def test_estimates(loaded: Filling) -> None:
    plan = services.plan_backfill(pipeline=loaded.shop.pipeline, **RANGE)
    found = services.estimate_backfill(plan)
    assert (found.source_rows, found.target_rows) == (3, 4)
    loaded.shop.break_destination()
    with pytest.raises(UserError):
        services.estimate_backfill(plan)


def test_who_may(filling: Filling, viewer: Person) -> None:
    backfill = filling.start()
    with pytest.raises(PermissionDenied):
        services.request_backfill(
            organization=filling.shop.organization,
            actor=viewer.actor,
            pipeline=filling.shop.pipeline,
            **RANGE,
        )
    for service in (
        services.pause_backfill,
        services.resume_backfill,
        services.cancel_backfill,
        services.retry_backfill,
    ):
        with pytest.raises(PermissionDenied):
            service(backfill=backfill, actor=viewer.actor)


def test_everything_is_in_the_audit_log(filling: Filling) -> None:
    backfill = filling.start()
    for service in (
        services.pause_backfill,
        services.resume_backfill,
        services.cancel_backfill,
        services.retry_backfill,
    ):
        filling.change(service, backfill)
    rows = AuditEvent.objects.for_organization(filling.shop.organization)
    events = list(rows.filter(action__startswith="backfill.").order_by("pk"))
    assert [event.action.partition(".")[2] for event in events] == [
        "requested",
        "paused",
        "resumed",
        "cancelled",
        "retried",
    ]
    assert events[0].changes["slices"] == [None, "4 of 1 day"]
    assert BackfillSlice.all_organizations.count() == 4
