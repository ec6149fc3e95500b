"""The operators' admin as a whole: what it lets them do, what it never shows, and what organizations see of it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.errors import Conflict, PermissionDenied
from conftest_site import PASSWORD, Person
from connections.models import Connection
from datanika_site.tests.test_access import things  # noqa: F401
from orchestration.engine import claims
from orchestration.models import Run, RunLogLine, RunStep, RunStepAttempt, Worker
from orchestration.services.stuck import requeue_step
from orchestration.tests.factories import OPERATOR, make_connection, make_pipeline, make_run
from tenants.models import Membership, Organization, User

#: Models whose rows operators may add, change or delete in the admin, always through a service.
ADDED = {"tenants.User", "tenants.Membership", "tenants.IdentityProvider"}
CHANGED = {
    "tenants.User", "tenants.Membership", "tenants.IdentityProvider", "tenants.Organization",
    "tenants.PlatformSettings", "connections.Connection", "transforms.Transformation",
    "pipelines.Pipeline",
}  # fmt: skip
DELETED = {"tenants.Membership", "tenants.IdentityProvider", "pipelines.PipelineDraft"}


@pytest.fixture
def operator(owner: Person) -> Person:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    owner.user.refresh_from_db()
    return owner


def name_of(model: type[Model]) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}"


def entries(organization: Organization) -> list[AuditEvent]:
    rows = AuditEvent.objects.for_organization(organization)
    return list(rows.filter(action=AuditAction.ORGANIZATION_ENTERED).order_by("pk"))


def test_only_services_add_change_and_delete(
    operator: Person,
    things: Any,  # noqa: F811
) -> None:
    client, wrong = operator.client, []
    for model in admin.site._registry:
        label, name = model._meta.label, name_of(model)
        if (client.get(reverse(f"{name}_add")).status_code == 200) != (label in ADDED):
            wrong.append(f"{label} can be added" if label not in ADDED else f"{label} cannot")
        row = model._default_manager.order_by("-pk").first()
        if row is None:
            continue
        page = client.get(reverse(f"{name}_change", args=[row.pk]))
        if page.status_code != 200:
            wrong.append(f"{label} is not shown: {page.status_code}")
        if ('name="_save"' in page.content.decode()) != (label in CHANGED):
            wrong.append(f"{label} can be changed" if label not in CHANGED else f"{label} cannot")
        page = client.get(reverse(f"{name}_delete", args=[row.pk]))
        if (page.status_code == 200) != (label in DELETED):
            wrong.append(f"{label} can be deleted" if label not in DELETED else f"{label} cannot")
    assert wrong == []


def test_pages_that_would_go_past_the_services_are_not_there() -> None:
    for name in (
        "auth_group", "account_emailaddress", "account_emailconfirmation", "mfa_authenticator",
        "socialaccount_socialapp", "socialaccount_socialtoken", "socialaccount_socialaccount",
        "alerts_alertchannel", "sessions_session", "django_celery_beat_crontabschedule",
        "guardian_userobjectpermission",
    ):  # fmt: skip
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{name}_changelist")


def test_who_is_no_operator_stays_outside(owner: Person, things: Any) -> None:  # noqa: F811
    urls = [reverse("admin:index"), reverse("admin:health")]
    urls += [reverse(f"{name_of(model)}_changelist") for model in admin.site._registry]
    for url in urls:
        assert owner.client.get(url).status_code == 302, url
    User.objects.filter(pk=owner.user.pk).update(is_staff=True)
    for url in urls[1:]:
        assert owner.client.get(url).status_code == 403, url


def test_the_only_door_is_that_of_everybody(operator: Person, editor: Person, client: Any) -> None:
    for url in ("/admin/", "/admin/login/?next=/admin/tenants/user/"):
        answer = client.get(url, follow=True)
        assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")
    sent = {"username": operator.user.email, "password": PASSWORD}
    assert client.post("/admin/login/", sent).headers["Location"].startswith("/accounts/login/")
    assert "_auth_user_id" not in client.session
    assert editor.client.get("/admin/", follow=True).status_code == 403
    assert operator.client.get("/admin/login/").headers["Location"] == "/admin/"
    changed = operator.client.get("/admin/password_change/")
    assert changed.headers["Location"] == reverse("account_change_password")


# Organizations see who looks ------------------------------------------------------------------------


def test_a_look_at_a_row_of_an_organization_stands_in_its_log(
    operator: Person,
    stranger: Person,
    things: Any,  # noqa: F811
    organization: Organization,
) -> None:
    client = operator.client
    assert stranger.membership is not None
    elsewhere = stranger.membership.organization
    client.get(reverse("admin:connections_connection_changelist"))
    assert entries(organization) == []
    connection = Connection.objects.for_organization(organization).first()
    assert connection is not None
    client.get(reverse("admin:connections_connection_change", args=[connection.pk]))
    (event,) = entries(organization)
    assert (event.actor_kind, event.actor_label) == ("operator", "Olga (operator)")
    assert event.changes == {"page": [None, f"connection {connection}"]}
    client.get(reverse("admin:tenants_organization_change", args=[organization.pk]))
    assert len(entries(organization)) == 1, "once an hour"
    assert entries(elsewhere) == []
    client.get(reverse("admin:tenants_organization_history", args=[elsewhere.pk]))
    assert len(entries(elsewhere)) == 1
    page = client.get(f"/o/{organization.slug}/audit/").content.decode()
    assert "looked as operator into" in page


def test_each_page_of_a_tenants_row_counts(
    operator: Person,
    things: Any,  # noqa: F811
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tenants.services import entering

    monkeypatch.setattr(entering, "ONCE_IN", timedelta(0))
    silent = []
    for model in admin.site._registry:
        row: Any = model._default_manager.order_by("-pk").first()
        if row is None or getattr(row, "organization", None) != organization:
            continue
        before = len(entries(organization))
        operator.client.get(reverse(f"{name_of(model)}_change", args=[row.pk]))
        if len(entries(organization)) == before:
            silent.append(model._meta.label)
    assert silent == []


def test_log_lines_are_shown_for_one_run_and_noted(
    operator: Person, organization: Organization
) -> None:
    run = make_run_with_line(organization, "a line of the tenant")
    url = reverse("admin:orchestration_runlogline_changelist")
    assert "a line of the tenant" not in operator.client.get(url).content.decode()
    assert entries(organization) == []
    assert "a line of the tenant" in operator.client.get(url, {"q": run.number}).content.decode()
    assert [event.changes for event in entries(organization)] == [{"page": [None, "log lines"]}]


def make_run_with_line(organization: Organization, text: str) -> Run:
    make_pipeline(organization, "Orders", make_connection(organization))
    run = make_run(organization, "pipeline:orders")
    line = RunLogLine(run=run, number=1000, level="info", text=text, at=timezone.now())
    line.organization = organization
    line.save()
    return run


# Steps that are stuck -------------------------------------------------------------------------------


@pytest.fixture
def running(organization: Organization) -> RunStep:
    make_pipeline(organization, "Orders", make_connection(organization))
    run = make_run(organization, "pipeline:orders")
    claimed = claims.claim(RunStep.all_organizations.get(run=run).pk)
    assert claimed is not None
    return claimed


def test_a_stuck_step_is_taken_from_its_worker(running: RunStep, operator: Person) -> None:
    token = running.lease_token
    operator.client.post(
        reverse("admin:orchestration_runstep_changelist"),
        {"action": "requeue", "_selected_action": [running.pk]},
    )
    step = RunStep.all_organizations.get(pk=running.pk)
    assert (step.status, step.attempt, step.times_lost) == ("queued", 2, 1)
    assert step.lease_token is None
    running.lease_token = token
    assert not claims.renew(running), "its worker may write nothing more"
    attempt = RunStepAttempt.all_organizations.get(step=step, number=1)
    assert attempt.status == "lost"
    assert "Olga (operator)" in attempt.error
    event = AuditEvent.all_organizations.get(action=AuditAction.STEP_REQUEUED)
    assert (event.organization, event.actor_kind) == (step.organization, "operator")
    again = claims.claim(step.pk)
    assert again is not None
    assert again.attempt <= again.max_attempts


def test_the_last_attempt_may_be_put_back_too(running: RunStep) -> None:
    RunStep.all_organizations.filter(pk=running.pk).update(attempt=3, max_attempts=3)
    RunStepAttempt.all_organizations.filter(step=running).update(number=3)
    step = requeue_step(step=running, actor=OPERATOR)
    assert (step.attempt, step.max_attempts) == (4, 4)


def test_a_wait_before_another_attempt_is_ended(running: RunStep) -> None:
    later = timezone.now() + timedelta(hours=1)
    RunStep.all_organizations.filter(pk=running.pk).update(
        status="queued", not_before=later, lease_token=None
    )
    step = requeue_step(step=running, actor=OPERATOR)
    assert (step.not_before, step.attempt) == (None, 1)


def test_what_cannot_be_put_back_says_why(running: RunStep, owner: Person) -> None:
    with pytest.raises(PermissionDenied):
        requeue_step(step=running, actor=owner.actor)
    RunStep.all_organizations.filter(pk=running.pk).update(status="failed")
    with pytest.raises(Conflict, match="has ended"):
        requeue_step(step=running, actor=OPERATOR)
    RunStep.all_organizations.filter(pk=running.pk).update(status="queued", is_ready=False)
    with pytest.raises(Conflict, match="waits for other steps"):
        requeue_step(step=running, actor=OPERATOR)
    RunStep.all_organizations.filter(pk=running.pk).update(is_ready=True)
    Run.all_organizations.filter(pk=running.run_id).update(cancel_requested_at=timezone.now())
    with pytest.raises(Conflict, match="being cancelled"):
        requeue_step(step=running, actor=OPERATOR)
    assert not AuditEvent.all_organizations.filter(action=AuditAction.STEP_REQUEUED).exists()


# Health -----------------------------------------------------------------------------------------------


def test_health_shows_workers_queues_steps_disk_and_versions(
    operator: Person, running: RunStep
) -> None:
    Worker.objects.create(name="one:1", queues=["default", "gold"], slots=4, version="1.2")
    RunStep.all_organizations.filter(pk=running.pk).update(worker="one:1")
    make_run(running.organization, "pipeline:orders")
    page = operator.client.get(reverse("admin:health")).content.decode()
    for words in (
        "one:1", "default, gold", "at work", "Sandbox", "GiB free", "Scheduler", "Broker",
        "Orders", "dlt", "Python",
    ):  # fmt: skip
        assert words in page, words
    assert re.search(r"<th scope=\"row\">default</th><td class=\"number\">1</td>", page)
    assert operator.client.get(reverse("admin:index")).content.decode().count("/health/") == 1


# What operators set ---------------------------------------------------------------------------------


def test_places_of_a_connection_are_set_by_a_service(
    operator: Person, organization: Organization
) -> None:
    warehouse = make_connection(organization)
    page = reverse("admin:connections_connection_change", args=[warehouse.pk])
    operator.client.post(page, {"max_concurrent_runs": "3", "queue": "gold", "name": "Renamed"})
    warehouse.refresh_from_db()
    assert (warehouse.name, warehouse.max_concurrent_runs, warehouse.queue) == (
        "Warehouse",
        3,
        "gold",
    )
    event = AuditEvent.objects.for_organization(organization).get(
        action=AuditAction.CONNECTION_UPDATED
    )
    assert event.changes == {"max_concurrent_runs": [None, 3], "queue": ["", "gold"]}
    refused = operator.client.post(
        page, {"max_concurrent_runs": "0", "queue": "gold"}, follow=True
    ).content.decode()
    assert "Give 1 to 1,000" in refused


def test_members_are_removed_by_the_service(
    operator: Person, editor: Person, organization: Organization
) -> None:
    assert editor.membership is not None
    delete = reverse("admin:tenants_membership_delete", args=[editor.membership.pk])
    operator.client.post(delete, {"post": "yes"})
    assert not Membership.objects.for_organization(organization).filter(user=editor.user).exists()
    actions = AuditEvent.objects.for_organization(organization).values_list("action", flat=True)
    assert AuditAction.MEMBER_REMOVED in set(actions)
