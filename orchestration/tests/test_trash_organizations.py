"""Of an organization that rests nothing runs, and after its days of grace nothing is left."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from conftest_site import Person
from connections import runner
from connections.models import Connection
from orchestration import retention, services
from orchestration.engine import backfills, claims
from orchestration.engine.tick import tick
from orchestration.models import BackfillStatus, Run, RunLogLine, Schedule, Status
from orchestration.retention import organizations
from orchestration.tests import factories as make
from orchestration.tests.backfilling import Filling
from pipelines.models import Pipeline
from tenants import services as tenants
from tenants.errors import OrganizationAtRest
from tenants.models import Organization
from transforms.models import Transformation

REASON = "Its bill is open."


def suspend(organization: Organization) -> None:
    tenants.suspend_organization(organization=organization, actor=make.OPERATOR, reason=REASON)
    organization.refresh_from_db()


def log_of(run: Run) -> str:
    rows = RunLogLine.all_organizations.filter(run=run).order_by("number")
    return "\n".join(rows.values_list("text", flat=True))


def test_suspension_cancels_what_runs_and_what_waits_with_the_reason(
    organization: Organization, stand: Connection
) -> None:
    running = make.make_run(organization, "pipeline:orders")
    step = make.take(make.steps(running)[0])
    waiting = make.make_run(organization, "pipeline:users")
    suspend(organization)
    running.refresh_from_db()
    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELLED
    assert running.cancel_requested_at is not None
    assert running.cancelled_by == "Command line"
    assert f"The organization is suspended: {REASON}" in log_of(running)
    # A worker that looks sees that its step is to end; what comes back into the queue is not taken.
    step.run.refresh_from_db()
    assert not claims.may_start(step)


def test_no_run_starts_while_it_rests(
    organization: Organization, schedule: Schedule, editor: Person
) -> None:
    run = make.make_run(organization, "pipeline:users")
    (step,) = make.steps(run)
    suspend(organization)
    for target in ("dag", "pipeline:orders"):
        with pytest.raises(OrganizationAtRest, match="bill"):
            services.request_run(organization=organization, actor=editor.actor, target=target)
    schedule.refresh_from_db()
    assert schedule.next_run_at is None
    # As if a tick had read it before.
    due = timezone.now() - timedelta(seconds=5)
    Schedule.all_organizations.update(next_run_at=due)
    assert tick() == []
    schedule.refresh_from_db()
    assert schedule.next_run_at is None
    # As if somebody had put the step back.
    Run.all_organizations.update(cancel_requested_at=None, status=Status.QUEUED)
    type(step).all_organizations.update(status=Status.QUEUED, is_ready=True)
    assert claims.claim(step.pk) is None
    step.refresh_from_db()
    assert step.waiting_for == claims.AT_REST


def test_awake_again_schedules_go_on_with_their_next_time(
    organization: Organization, schedule: Schedule
) -> None:
    suspend(organization)
    tenants.resume_organization(organization=organization, actor=make.OPERATOR)
    schedule.refresh_from_db()
    assert schedule.next_run_at is not None
    assert schedule.next_run_at > timezone.now()
    assert schedule.is_active


def test_it_rests_until_both_suspension_and_deletion_are_over(
    organization: Organization, schedule: Schedule, owner: Person
) -> None:
    tenants.delete_organization(
        organization=organization, actor=owner.actor, confirmation=organization.name
    )
    suspend(organization)
    tenants.restore_organization(organization=organization, actor=make.OPERATOR)
    schedule.refresh_from_db()
    assert schedule.next_run_at is None
    tenants.resume_organization(organization=organization, actor=make.OPERATOR)
    schedule.refresh_from_db()
    assert schedule.next_run_at is not None


def test_a_backfill_pauses_and_takes_the_slice_again(filling: Filling) -> None:
    backfill, organization = filling.start(cursor_to="2024-01-03"), filling.shop.organization
    assert filling.statuses(backfill) == ["running", "queued"]
    suspend(organization)
    backfills.repair()
    backfill.refresh_from_db()
    assert backfill.status == BackfillStatus.PAUSED
    assert REASON in backfill.problem
    assert filling.statuses(backfill) == ["queued", "queued"]
    tenants.resume_organization(organization=organization, actor=make.OPERATOR)
    filling.change(services.resume_backfill, backfill)
    assert filling.statuses(backfill) == ["running", "queued"]


def test_after_the_grace_nothing_is_left(
    organization: Organization, failed_run: Run, schedule: Schedule, owner: Person, stranger: Person
) -> None:
    files = runner.files_root(organization)
    (files / "orders.csv").write_text("id\n1\n")
    work = Path(settings.DATA_DIR) / "work" / str(organization.pk)
    work.mkdir(parents=True)
    assert stranger.membership is not None
    elsewhere = stranger.membership.organization
    make.make_pipeline(elsewhere, "Orders", make.make_connection(elsewhere))
    kept = {model: _rows(model, elsewhere) for model in organizations.tables()}
    tenants.delete_organization(
        organization=organization, actor=owner.actor, confirmation=organization.name
    )
    soon = timezone.now() + timedelta(days=13, hours=23)
    assert retention.prune(soon).as_json()["items"]["organizations"] == 0
    assert Pipeline.all_organizations.filter(organization=organization).count() == 2
    later = timezone.now() + timedelta(days=15)
    assert retention.preview(later)["organizations"] == 1
    # Only this pruner: the others would age the neighbour's rows by the same leap of time.
    for _taken in organizations.ORGANIZATIONS.batches(later, retention.Pace()):
        pass
    assert not Organization.objects.filter(pk=organization.pk).exists()
    for model in organizations.tables():
        assert not _rows(model, organization), model
    assert not files.exists()
    assert not work.exists()
    assert {model: _rows(model, elsewhere) for model in organizations.tables()} == kept
    assert owner.client.get(f"/o/{organization.slug}/").status_code == 404
    # The address is free again.
    made = tenants.create_organization(name="Acme", owner=owner.user)
    assert made.slug == "acme"


def _rows(model: type, organization: Organization) -> set[int]:
    rows = model.all_organizations.filter(organization_id=organization.pk)  # type: ignore[attr-defined]
    return set(rows.values_list("pk", flat=True))


def test_members_and_keys_go_first_and_the_log_last() -> None:
    names = [model.__name__ for model in organizations.tables()]
    assert set(names[:4]) == {"TokenFamily", "Membership", "ApiKey", "Invitation"}
    assert names[-1] == "AuditEvent"
    assert names.index("RunStep") < names.index("Run") < names.index("Schedule")
    assert names.index("Pipeline") < names.index("Connection")
    assert names.index(Transformation.__name__) < names.index("Connection")


def test_a_step_that_still_runs_is_waited_for(
    organization: Organization, stand: Connection, owner: Person
) -> None:
    step = make.take(make.steps(make.make_run(organization, "pipeline:orders"))[0])
    tenants.delete_organization(
        organization=organization, actor=owner.actor, confirmation=organization.name
    )
    later = timezone.now() + timedelta(days=15)
    assert retention.preview(later)["organizations"] == 0
    type(step).all_organizations.filter(pk=step.pk).update(status=Status.CANCELLED)
    assert retention.preview(later)["organizations"] == 1
