"""People who are switched off: what ends at once, what stays, and who cannot be."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.access import Role
from common.errors import Conflict, PermissionDenied
from conftest_site import PASSWORD, Person, make_person
from tenants import services
from tenants.actors import Actor
from tenants.errors import LastOperator, TokenRefused
from tenants.models import ApiKey, Membership, Organization, User
from tenants.services import tokens

OPERATOR = Actor.operator()


def off(person: Person) -> Any:
    return services.deactivate_user(user=person.user, actor=OPERATOR)


def test_sessions_tokens_and_keys_end_at_once_and_for_good(
    organization: Organization, owner: Person, editor: Person
) -> None:
    account = reverse("tenants:account")
    members = f"/api/v1/organizations/{organization.slug}/members/"
    second = Client()
    second.post("/accounts/login/", {"login": "edith@example.com", "password": PASSWORD})
    assert second.get(account).status_code == 200
    assert editor.membership is not None
    made = tokens.issue_tokens(membership=editor.membership, caller=tokens.Caller())
    token = {"authorization": f"Bearer {made.access}"}
    _key, text = services.issue_api_key(
        organization=organization,
        name="Edith's",
        role=Role.VIEWER,
        actor=editor.actor,
        created_by=editor.user,
    )
    key = {"authorization": f"Bearer {text}"}
    assert Client().get(members, headers=token).status_code == 200
    assert Client().get(members, headers=key).status_code == 200
    others = Session.objects.count()

    ended = off(editor)
    assert (ended.sessions, ended.keys, ended.ownerless) == (2, 1, [])
    assert Session.objects.count() == others - 2
    services.reactivate_user(user=editor.user, actor=OPERATOR)
    for client in (editor.client, second):
        assert client.get(account).status_code == 302, "it does not come back with the person"
    for headers in (token, key):
        assert Client().get(members, headers=headers).status_code == 401
    with pytest.raises(TokenRefused):
        tokens.refresh_tokens(text=made.refresh, caller=tokens.Caller())
    assert owner.client.get(account).status_code == 200
    # The person is a member as before, and signs in anew.
    data = {"login": "edith@example.com", "password": PASSWORD}
    assert Client().post("/accounts/login/", data).headers["Location"] == "/"
    assert Membership.objects.for_organization(organization).filter(user=editor.user).exists()


def test_it_is_in_the_log_of_each_organization_and_of_the_installation(
    organization: Organization, editor: Person
) -> None:
    off(editor)
    services.reactivate_user(user=editor.user, actor=OPERATOR)
    for place in (organization, None):
        events = AuditEvent.all_organizations.filter(
            organization=place, action__startswith="user."
        ).order_by("pk")
        told = list(events.values_list("action", "actor_kind", "target_label", "changes"))
        assert told == [
            (
                AuditAction.USER_DEACTIVATED,
                "operator",
                "edith@example.com",
                {"is_active": [True, False]},
            ),
            (
                AuditAction.USER_REACTIVATED,
                "operator",
                "edith@example.com",
                {"is_active": [False, True]},
            ),
        ]


def test_keys_of_others_go_on(organization: Organization, owner: Person, editor: Person) -> None:
    services.issue_api_key(
        organization=organization,
        name="Olga's",
        role=Role.VIEWER,
        actor=owner.actor,
        created_by=owner.user,
    )
    off(editor)
    assert ApiKey.objects.for_organization(organization).get().revoked_at is None


def test_the_last_owner_can_be_switched_off_and_the_operator_is_told(
    organization: Organization, owner: Person
) -> None:
    """Somebody who must not come in is kept out, whatever they own."""
    second = make_person("Otto", organization, Role.OWNER)
    assert off(owner).ownerless == []
    assert off(second).ownerless == [organization]


def test_who_cannot_be_switched_off(owner: Person, editor: Person) -> None:
    User.objects.filter(pk=owner.user.pk).update(is_superuser=True, is_staff=True)
    owner.user.refresh_from_db()
    with pytest.raises(LastOperator, match="at least one superuser"):
        off(owner)
    with pytest.raises(LastOperator, match="cannot switch yourself off"):
        services.deactivate_user(user=editor.user, actor=Actor.operator(editor.user))
    with pytest.raises(PermissionDenied):
        services.deactivate_user(user=editor.user, actor=owner.actor)
    with pytest.raises(PermissionDenied):
        services.reactivate_user(user=editor.user, actor=owner.actor)
    with pytest.raises(Conflict, match="not switched off"):
        services.reactivate_user(user=editor.user, actor=OPERATOR)
    off(editor)
    with pytest.raises(Conflict, match="switched off already"):
        off(editor)
    assert User.objects.get(pk=owner.user.pk).is_active


def test_the_command(organization: Organization, owner: Person) -> None:
    out, complaints = StringIO(), StringIO()
    call_command("user_access", "Olga@Example.com", "--off", stdout=out, stderr=complaints)
    assert "olga@example.com is switched off: 1 session(s) and 0 key(s) ended." in out.getvalue()
    assert "Acme has no owner who can sign in." in complaints.getvalue()
    call_command("user_access", "olga@example.com", "--on", stdout=out)
    assert User.objects.get(pk=owner.user.pk).is_active
    with pytest.raises(CommandError, match="Nobody has the address"):
        call_command("user_access", "nobody@example.com", "--off")
