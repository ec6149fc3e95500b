"""What operators set for everybody, and for one organization."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from audit.services import MASK
from common.errors import PermissionDenied, UserError
from conftest_site import Person
from tenants import limits, restrictions, selectors, services
from tenants.actors import Actor
from tenants.models import Organization, PlatformSettings, User

OPERATOR = Actor.operator()
PAGE = "/admin/tenants/platformsettings/1/change/"


@pytest.fixture
def operator(owner: Person) -> Person:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    return owner


def test_a_change_is_in_the_log_of_every_organization(
    organization: Organization, stranger: Person
) -> None:
    services.update_platform(
        actor=OPERATOR, log_retention_days=7, heartbeat_url="https://example.com/secret-path"
    )
    events = AuditEvent.all_organizations.filter(action=AuditAction.PLATFORM_UPDATED)
    assert events.count() == Organization.objects.count() + 1 == 3
    own = events.get(organization=None)
    assert own.changes["log_retention_days"] == [30, 7]
    assert own.changes["heartbeat_url"] == [MASK, MASK]
    assert {str(event.changes) for event in events.exclude(organization=None)} == {
        "{'log_retention_days': [30, 7]}"
    }
    services.update_platform(actor=OPERATOR, log_retention_days=7)
    assert events.count() == 3, "nothing has changed"
    services.update_platform(actor=OPERATOR, banner="Maintenance at noon")
    assert events.count() == 4, "organizations read it on their pages, not in their logs"


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"step_memory_mb": 5}, "step_memory_mb", "cannot be 5 MiB"),
        ({"max_concurrent_steps": 0}, "max_concurrent_steps", "cannot be 0 steps"),
        ({"audit_retention_days": 3}, "audit_retention_days", "Give 30 to"),
        ({"log_retention_days": 400}, "log_retention_days", "they go with their runs, after 365"),
        ({"run_retention_days": 10}, "log_retention_days", "cannot be kept for 30 days"),
        ({"heartbeat_url": "ftp://example.com"}, "heartbeat_url", "not a web address"),
        ({"heartbeat_url": "https://a:b@example.com"}, "heartbeat_url", "user name or password"),
        ({"sign_up_policy": "anybody"}, "sign_up_policy", "no sign-up policy"),
        ({"sign_up_policy": "domains"}, "sign_up_domains", "nobody could come"),
        ({"sign_up_domains": ["not a domain"]}, "sign_up_domains", "is not a domain"),
        ({"allowed_connectors": ["oracle"]}, "allowed_connectors", "no list of types"),
        ({"allowed_connectors": []}, "allowed_connectors", "no list of types"),
        ({"max_upload_mb": 0}, "max_upload_mb", "cannot be 0 MiB"),
        ({"mail": {"host": "a b"}}, "mail_host", "is no host name"),
        ({"mail": {"host": "m.example.com"}}, "mail_port", "from 1 to 65535"),
        (
            {"mail": {"host": "m.example.com", "port": 25, "security": "none", "user": "u"}},
            "mail_security",
            "not sent without encryption",
        ),
        (
            {"mail": {"host": "m.example.com", "port": 25, "from": "nobody"}},
            "mail_from",
            "not an e-mail address",
        ),
        (
            {"mail": {"host": "m.example.com", "port": 25, "from": "a@b.example", "user": "u"}},
            "mail_password",
            "needs a password",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    db: None, values: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(UserError) as refused:
        services.update_platform(actor=OPERATOR, **values)
    assert refused.value.field == field
    assert words in str(refused.value)
    assert not PlatformSettings.objects.exists()


def test_only_operators(owner: Person, organization: Organization) -> None:
    with pytest.raises(PermissionDenied):
        services.update_platform(actor=owner.actor, log_retention_days=1)
    with pytest.raises(PermissionDenied, match="operator"):
        services.update_organization(
            organization=organization,
            actor=owner.actor,
            name="Acme",
            time_zone="UTC",
            default_schema="analytics",
            operated={"queue": "gold"},
        )


def test_it_is_remembered_for_some_seconds(db: None, settings: Any) -> None:
    settings.PLATFORM_SETTINGS_SECONDS = 60
    selectors.forget_platform_settings()
    selectors.platform_settings()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        selectors.platform_settings()
    assert not queries.captured_queries
    services.update_platform(actor=OPERATOR, max_concurrent_steps=5)
    assert selectors.platform_settings().max_concurrent_steps == 5
    selectors.forget_platform_settings()


def test_each_limit_says_where_it_comes_from(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = PlatformSettings()
    monkeypatch.delenv("DATANIKA_STEP_MEMORY_MB", raising=False)
    standard = f"{django_settings.STEP_MEMORY_MB:,} MiB"
    assert limits.origin(platform, "step_memory_mb") == f"In force: {standard} (default)."
    monkeypatch.setenv("DATANIKA_STEP_MEMORY_MB", "1")
    assert "(environment, DATANIKA_STEP_MEMORY_MB)" in limits.origin(platform, "step_memory_mb")
    assert limits.origin(platform, "step_cpu_seconds") == "In force: no limit (default)."
    assert limits.origin(platform, "log_retention_days") == "In force: 30 days (default)."
    saved = services.update_platform(
        actor=OPERATOR, step_memory_mb=512, capsule_retention_days=None
    )
    assert limits.origin(saved, "step_memory_mb") == "In force: 512 MiB (saved here)."
    assert "as long as the run (saved here)" in limits.origin(saved, "capsule_retention_days")


def form(**changed: Any) -> dict[str, Any]:
    values = {
        "log_retention_days": 30,
        "run_retention_days": 365,
        "capsule_retention_days": 90,
        "api_key_days": 90,
        "organization_grace_days": 14,
        "sign_up_policy": "invitation",
        "allowed_connectors": list(restrictions.connector_labels()),
        "mail_security": "starttls",
        **changed,
    }
    mail = [f"mail_{name}" for name in ("host", "port", "security", "user", "password", "from")]
    return {name: values.get(name, "") for name in (*limits.PLATFORM_NAMES, *mail)}


def test_the_page_has_one_row(operator: Person) -> None:
    client = operator.client
    listed = client.get(reverse("admin:tenants_platformsettings_changelist"))
    assert listed["Location"] == PAGE
    shown = client.get(PAGE).content.decode()
    assert "In force: 30 days (default)." in shown
    assert "Add platform" not in shown
    assert 'class="deletelink"' not in shown
    assert client.get("/admin/tenants/platformsettings/add/").status_code == 403
    saved = client.post(PAGE, form(step_disk_mb=500, log_retention_days=14))
    assert saved.status_code == 302
    row = PlatformSettings.objects.get()
    assert (row.step_disk_mb, row.log_retention_days) == (500, 14)
    assert "In force: 500 MiB (saved here)." in client.get(PAGE).content.decode()
    events = AuditEvent.all_organizations.filter(action=AuditAction.PLATFORM_UPDATED)
    event = events.get(organization=None)
    assert event.actor_label == "Olga (operator)"
    refused = client.post(PAGE, form(log_retention_days=999))
    assert "they go with their runs, after 365" in refused.content.decode()
    assert PlatformSettings.objects.get().log_retention_days == 14


def test_an_organization_has_limits_and_a_queue_of_its_own(
    organization: Organization, operator: Person
) -> None:
    page = reverse("admin:tenants_organization_change", args=[organization.pk])
    sent = {
        "name": "Acme",
        "time_zone": "UTC",
        "default_schema": "analytics",
        "max_concurrent_runs": "9",
        "queue": "gold",
        "step_memory_mb": "300",
        "step_timeout_seconds": "",
        "step_cpu_seconds": "0",
        "step_disk_mb": "",
    }
    assert operator.client.post(page, sent).status_code == 302
    organization.refresh_from_db()
    assert (organization.queue, organization.step_memory_mb) == ("gold", 300)
    found = selectors.limits_of(organization)
    assert (found.memory_mb, found.cpu_seconds) == (300, 0)
    assert found.disk_mb == django_settings.STEP_DISK_MB
    event = AuditEvent.objects.for_organization(organization).get(
        action=AuditAction.ORGANIZATION_UPDATED
    )
    assert event.changes["queue"] == ["", "gold"]
    refused = operator.client.post(page, {**sent, "step_memory_mb": "3"})
    assert "cannot be 3 MiB" in refused.content.decode()
    refused = operator.client.post(page, {**sent, "queue": "Gold"})
    assert "cannot name a queue" in refused.content.decode()
    organization.refresh_from_db()
    assert organization.queue == "gold"
