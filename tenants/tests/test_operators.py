"""What operators do: the command, and the Django admin through the services."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.access import Role
from conftest_site import PASSWORD, Person
from tenants import services
from tenants.models import ApiKey, Invitation, Membership, Organization, User


def create(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("create_organization", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_creates_and_generates(db: None) -> None:
    made = json.loads(
        create("Acme Ltd", "--owner", "olga@example.com", "--generate-password", "--json")
    )
    assert (made["slug"], made["owner"]) == ("acme-ltd", "olga@example.com")
    user = User.objects.get()
    assert user.check_password(made["generated_password"])
    event = AuditEvent.all_organizations.get()
    assert (event.actor_kind, event.actor_label) == ("operator", "Command line")
    again = create("Second", "--owner", "OLGA@example.com")
    assert again == "Created Second (/o/second/) for olga@example.com.\n"
    assert User.objects.count() == 1


def test_the_command_reads_a_password_and_refuses_in_one_sentence(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, words in (
        (["Acme", "--owner", "olga@example.com"], "has no account yet"),
        (["Acme", "--owner", "nonsense", "--generate-password"], "is not an e-mail address"),
        ([" ", "--owner", "o@example.com", "--generate-password"], "A name is needed"),
    ):
        with pytest.raises(CommandError, match=words):
            create(*arguments)
    assert not User.objects.exists()
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    create("Acme", "--owner", "olga@example.com", "--owner-name", "Olga", "--password-from-stdin")
    assert User.objects.get().check_password(PASSWORD)
    assert User.objects.get().name == "Olga"


@pytest.fixture
def operator(owner: Person) -> Person:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    return owner


def test_every_table_is_in_the_admin(organization: Organization, operator: Person) -> None:
    _key, text = services.issue_api_key(
        organization=organization, name="CI", role=Role.VIEWER, actor=operator.actor
    )
    services.invite(
        organization=organization, email="n@example.com", role=Role.VIEWER, actor=operator.actor
    )
    for model in (User, Organization, Membership, Invitation, ApiKey):
        name = f"admin:tenants_{model._meta.model_name}"
        listed = operator.client.get(reverse(f"{name}_changelist"), {"q": "a"})
        assert listed.status_code == 200
        row = model._default_manager.first()
        assert row is not None
        shown = operator.client.get(reverse(f"{name}_change", args=[row.pk]))
        assert shown.status_code == 200
        for secret in (text, services.hash_token(text)):
            assert secret not in shown.content.decode()


def test_changes_in_the_admin_go_through_the_services(
    organization: Organization, operator: Person, editor: Person
) -> None:
    client = operator.client
    assert editor.membership is not None
    assert operator.membership is not None
    client.post(
        reverse("admin:tenants_organization_change", args=[organization.pk]),
        {
            "name": "Acme",
            "time_zone": "UTC",
            "default_schema": "analytics",
            "max_concurrent_runs": "9",
        },
    )
    organization.refresh_from_db()
    assert organization.max_concurrent_runs == 9
    change = reverse("admin:tenants_membership_change", args=[editor.membership.pk])
    client.post(change, {"role": "admin"})
    editor.membership.refresh_from_db()
    assert editor.membership.role == Role.ADMIN
    own = reverse("admin:tenants_membership_change", args=[operator.membership.pk])
    refused = client.post(own, {"role": "viewer"}, follow=True)
    assert "Make another member an owner first." in refused.content.decode()
    operator.membership.refresh_from_db()
    assert operator.membership.role == Role.OWNER
    events = AuditEvent.objects.for_organization(organization).filter(actor_kind="operator")
    assert {AuditAction.ORGANIZATION_UPDATED, AuditAction.MEMBER_ROLE_CHANGED} <= set(
        events.values_list("action", flat=True)
    )
    delete = reverse("admin:tenants_user_delete", args=[editor.user.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def test_keys_and_invitations_are_revoked_in_the_admin(
    organization: Organization, operator: Person
) -> None:
    key, _text = services.issue_api_key(
        organization=organization, name="CI", role=Role.VIEWER, actor=operator.actor
    )
    invitation, _token = services.invite(
        organization=organization, email="n@example.com", role=Role.VIEWER, actor=operator.actor
    )
    for row in (key, invitation):
        operator.client.post(
            reverse(f"admin:tenants_{row._meta.model_name}_changelist"),
            {"action": "revoke", "_selected_action": [str(row.pk)]},
        )
        row.refresh_from_db()
        assert row.revoked_at is not None


def test_a_person_is_added_in_the_admin(operator: Person) -> None:
    phrase = "a wholly different phrase"
    response = operator.client.post(
        reverse("admin:tenants_user_add"),
        {
            "email": "New@example.com",
            "name": "Nora",
            "usable_password": "true",
            "password1": phrase,
            "password2": phrase,
        },
    )
    assert response.status_code == 302
    assert User.objects.get(name="Nora").check_password(phrase)
