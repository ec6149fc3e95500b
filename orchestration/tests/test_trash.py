"""What is deleted rests with what hangs on it, comes back, and goes for good at its time."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.errors import Conflict, NotFound, PermissionDenied
from conftest_site import Person
from connections import services as connections
from connections.errors import ConnectionInTrash
from connections.models import Connection
from orchestration import retention, services
from orchestration.models import Node, Run, RunStep, Schedule, Status
from orchestration.services import trash
from orchestration.tests import factories as make
from pipelines import services as pipelines
from pipelines.models import Pipeline
from tenants import services as tenants
from tenants.models import Organization, PlatformSettings
from transforms import services as transforms
from transforms.models import Transformation

NOW = timezone.now()


def deleted_pipeline(organization: Organization, slug: str = "orders") -> Pipeline:
    row = Pipeline.objects.for_organization(organization).get(slug=slug)
    pipelines.delete_pipeline(pipeline=row, actor=make.OPERATOR)
    return row


def aged(row: Any, days: float) -> None:
    type(row).all_organizations.filter(pk=row.pk).update(deleted_at=NOW - timedelta(days=days))


def taken() -> int:
    return int(retention.prune(NOW).as_json()["items"]["trash"])


def test_a_deleted_pipeline_pauses_its_schedules_and_says_so(
    organization: Organization, schedule: Schedule, editor: Person
) -> None:
    services.create_schedule(
        organization=organization,
        actor=editor.actor,
        name="Everything",
        expression="0 1 * * *",
        time_zone="UTC",
    )
    pipeline = deleted_pipeline(organization)
    schedule.refresh_from_db()
    assert (schedule.is_active, schedule.next_run_at) == (False, None)
    page = editor.client.get(f"/o/{organization.slug}/schedules/").content.decode()
    assert "Paused: its pipeline “Orders” was deleted." in page
    # The graph goes on without it.
    assert Schedule.objects.for_organization(organization).get(slug="everything").is_active
    rows = AuditEvent.objects.for_organization(organization)
    event = rows.get(action=AuditAction.SCHEDULE_PAUSED)
    assert event.changes == {"reason": [None, "Paused: its pipeline “Orders” was deleted."]}
    url = f"/o/{organization.slug}/trash/pipeline/{pipeline.pk}/restore/"
    answer = editor.client.post(url, follow=True).content.decode()
    assert "“Orders” is back. 1 schedule of it is still paused." in answer
    resumed = services.set_schedule_active(schedule=schedule, actor=editor.actor, active=True)
    assert resumed.next_run_at is not None
    assert resumed.note == ""


def test_a_deleted_transformation_pauses_its_schedules(
    organization: Organization, stand: Connection, editor: Person
) -> None:
    made = services.create_schedule(
        organization=organization,
        actor=editor.actor,
        name="Staging",
        expression="0 1 * * *",
        time_zone="UTC",
        target="transformation:stg_orders",
    )
    row = Transformation.objects.for_organization(organization).get()
    transforms.delete_transformation(transformation=row, actor=editor.actor)
    made.refresh_from_db()
    assert made.note == "Paused: its transformation “stg_orders” was deleted."


def test_nothing_comes_back_before_its_connection(
    organization: Organization, stand: Connection
) -> None:
    """In use it cannot be deleted; in the trash its pipelines do not use it."""
    orders = deleted_pipeline(organization)
    source = orders.source
    connections.delete_connection(connection=source, actor=make.OPERATOR, users=[])
    orders.refresh_from_db()
    with pytest.raises(ConnectionInTrash, match="Orders source"):
        pipelines.restore_pipeline(pipeline=orders, actor=make.OPERATOR)
    connections.restore_connection(connection=source, actor=make.OPERATOR)
    orders = Pipeline.all_organizations.get(pk=orders.pk)
    assert not pipelines.restore_pipeline(pipeline=orders, actor=make.OPERATOR).is_deleted


def test_the_slug_is_free_again(organization: Organization, stand: Connection) -> None:
    first = deleted_pipeline(organization)
    again = make.make_pipeline(organization, "Orders", stand, first.source, dataset="raw_two")
    assert again.slug == "orders"
    assert pipelines.restore_pipeline(pipeline=first, actor=make.OPERATOR).slug == "orders-2"
    unused = make.make_connection(organization, "Unused")
    connections.delete_connection(connection=unused, actor=make.OPERATOR, users=[])
    assert make.make_connection(organization, "Unused").slug == "unused"


def test_it_goes_at_its_time_and_its_runs_stay(
    organization: Organization, failed_run: Run, schedule: Schedule
) -> None:
    pipeline = deleted_pipeline(organization)
    run = failed_run
    assert run.node_id is not None
    aged(pipeline, 29)
    assert taken() == 0
    aged(pipeline, 31)
    assert retention.preview(NOW)["trash"] == 1
    assert taken() == 1
    assert not Pipeline.all_organizations.filter(pk=pipeline.pk).exists()
    assert not Node.all_organizations.filter(pk=run.node_id).exists()
    assert not Schedule.all_organizations.filter(pk=schedule.pk).exists()
    run.refresh_from_db()
    assert not Run.all_organizations.filter(node__isnull=False).exists()
    assert run.title == "Orders"
    assert RunStep.all_organizations.filter(run=run, pipeline=None).count() == 1
    rows = AuditEvent.objects.for_organization(organization)
    event = rows.get(action=AuditAction.TRASH_PURGED)
    assert (event.actor_label, event.target_label) == ("Retention", "Orders")


def test_without_a_time_it_stays(organization: Organization, stand: Connection) -> None:
    PlatformSettings(trash_retention_days=None).save()
    aged(deleted_pipeline(organization), 5_000)
    assert taken() == 0
    assert services.in_trash(organization)[0].purged_at is None


def test_a_connection_waits_for_the_pipelines_in_the_trash(
    organization: Organization, stand: Connection, admin: Person
) -> None:
    pipeline = deleted_pipeline(organization)
    source = pipeline.source
    connections.delete_connection(connection=source, actor=make.OPERATOR, users=[])
    aged(source, 100)
    assert taken() == 0
    url = f"/o/{organization.slug}/trash/connection/{source.pk}/remove/"
    assert "“Orders”" in admin.client.post(url).content.decode()
    aged(pipeline, 100)
    assert taken() == 2
    assert not Connection.all_organizations.filter(pk=source.pk).exists()


def test_what_still_runs_stays(organization: Organization, stand: Connection) -> None:
    run = make.make_run(organization, "pipeline:orders")
    step = make.take(make.steps(run)[0])
    pipeline = deleted_pipeline(organization)
    aged(pipeline, 100)
    assert taken() == 0
    with pytest.raises(Conflict, match="still going"):
        services.purge_from_trash(kind="pipeline", row=pipeline, actor=make.OPERATOR)
    RunStep.all_organizations.filter(pk=step.pk).update(status=Status.FAILED)
    assert taken() == 1


def test_restored_in_the_last_moment_it_stays(
    organization: Organization, stand: Connection
) -> None:
    pipeline = deleted_pipeline(organization)
    seen = services.find_in_trash(organization, "pipeline", pipeline.pk)
    pipelines.restore_pipeline(pipeline=pipeline, actor=make.OPERATOR)
    with pytest.raises(NotFound):
        trash.remove("pipeline", seen, make.OPERATOR)
    assert Pipeline.objects.for_organization(organization).filter(pk=pipeline.pk).exists()


def test_removing_for_good_needs_an_admin(
    organization: Organization, stand: Connection, editor: Person, admin: Person, stranger: Person
) -> None:
    pipeline = deleted_pipeline(organization)
    url = f"/o/{organization.slug}/trash/pipeline/{pipeline.pk}/remove/"
    assert editor.client.post(url).status_code == 403
    with pytest.raises(PermissionDenied):
        services.purge_from_trash(kind="pipeline", row=pipeline, actor=editor.actor)
    assert "Remove “Orders” for good?" in admin.client.get(url).content.decode()
    assert admin.client.post(url).status_code == 302
    assert not Pipeline.all_organizations.filter(pk=pipeline.pk).exists()
    rows = AuditEvent.objects.for_organization(organization)
    assert rows.get(action=AuditAction.TRASH_PURGED).actor_label == "Adam"


def test_the_api_lists_restores_and_removes(
    organization: Organization, stand: Connection, admin: Person
) -> None:
    pipeline = deleted_pipeline(organization)
    base = f"/api/v1/organizations/{organization.slug}/trash/"
    (entry,) = admin.client.get(base).json()
    assert (entry["kind"], entry["id"], entry["name"]) == ("pipeline", pipeline.pk, "Orders")
    kept = datetime.fromisoformat(entry["purged_at"])
    assert kept - datetime.fromisoformat(entry["deleted_at"]) == timedelta(days=30)
    assert admin.client.post(f"{base}pipeline/{pipeline.pk}/restore/").status_code == 204
    assert admin.client.delete(f"{base}pipeline/{pipeline.pk}/").status_code == 404
    deleted_pipeline(organization)
    assert admin.client.delete(f"{base}nonsense/{pipeline.pk}/").status_code == 404
    assert admin.client.delete(f"{base}pipeline/{pipeline.pk}/").status_code == 204
    assert admin.client.get(base).json() == []


def test_of_an_organization_that_rests_nothing_is_taken(
    organization: Organization, stand: Connection
) -> None:
    aged(deleted_pipeline(organization), 100)
    tenants.suspend_organization(organization=organization, actor=make.OPERATOR, reason="x")
    assert taken() == 0
    tenants.resume_organization(organization=organization, actor=make.OPERATOR)
    assert taken() == 1
