"""People in the operators' admin: switched off and on, made operators, given a new password, always by a service."""

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Permission
from django.urls import reverse

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.access import Role
from common.errors import Conflict, PermissionDenied
from conftest_site import Person, make_person
from orchestration.tests.factories import OPERATOR
from tenants import services
from tenants.models import Organization, User
from tenants.services import operators, second_factor


@pytest.fixture
def operator(owner: Person) -> Person:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    owner.user.refresh_from_db()
    return owner


def user_form(user: User, **changed: Any) -> dict[str, Any]:
    values = {"name": user.name, "is_active": user.is_active, "is_staff": user.is_staff}
    values |= {"is_superuser": user.is_superuser, **changed}
    return {name: value if value is not True else "on" for name, value in values.items() if value}


def test_a_person_is_switched_off_and_on_by_the_service(
    operator: Person, organization: Organization, editor: Person
) -> None:
    key, _text = services.issue_api_key(
        organization=organization,
        name="CI",
        role=Role.VIEWER,
        actor=editor.actor,
        created_by=editor.user,
    )
    page = reverse("admin:tenants_user_change", args=[editor.user.pk])
    home = f"/o/{organization.slug}/"
    assert editor.client.get(home).status_code == 200
    operator.client.post(page, user_form(editor.user, is_active=False))
    key.refresh_from_db()
    assert not User.objects.get(pk=editor.user.pk).is_active
    assert key.revoked_at is not None
    assert editor.client.get(home).status_code == 302
    actions = set(
        AuditEvent.objects.for_organization(organization).values_list("action", flat=True)
    )
    assert AuditAction.USER_DEACTIVATED in actions
    listed = reverse("admin:tenants_user_changelist")
    operator.client.post(listed, {"action": "reactivate", "_selected_action": [editor.user.pk]})
    assert User.objects.get(pk=editor.user.pk).is_active
    refused = operator.client.post(
        listed, {"action": "deactivate", "_selected_action": [operator.user.pk]}, follow=True
    )
    assert "You cannot switch yourself off." in refused.content.decode()


def test_operators_rights_are_audited_and_somebody_keeps_them(
    operator: Person, editor: Person, organization: Organization
) -> None:
    page = reverse("admin:tenants_user_change", args=[editor.user.pk])
    operator.client.post(page, user_form(editor.user, is_staff=True, is_superuser=True))
    editor.user.refresh_from_db()
    assert (editor.user.is_staff, editor.user.is_superuser) == (True, True)
    events = AuditEvent.all_organizations.filter(action=AuditAction.USER_RIGHTS_CHANGED)
    assert {event.organization for event in events} == {None, organization}
    assert events[0].changes["is_superuser"] == [False, True]
    own = reverse("admin:tenants_user_change", args=[operator.user.pk])
    refused = operator.client.post(
        own, user_form(operator.user, is_superuser=False), follow=True
    ).content.decode()
    assert "You cannot take your own rights away." in refused
    operators.set_rights(user=editor.user, actor=OPERATOR, is_staff=False, is_superuser=False)
    with pytest.raises(Conflict, match="at least one superuser"):
        operators.set_rights(user=operator.user, actor=OPERATOR, is_staff=True, is_superuser=False)
    with pytest.raises(PermissionDenied):
        operators.set_rights(user=editor.user, actor=editor.actor, is_staff=True, is_superuser=True)


def test_staff_alone_make_nobody_an_operator(editor: Person) -> None:
    staff = make_person("Stan")
    User.objects.filter(pk=staff.user.pk).update(is_staff=True)
    wanted = Permission.objects.filter(codename__in=["change_user", "view_user"])
    staff.user.user_permissions.set(wanted)
    page = reverse("admin:tenants_user_change", args=[staff.user.pk])
    assert staff.client.get(page).status_code == 200
    staff.client.post(page, user_form(staff.user, is_staff=True, is_superuser=True))
    staff.user.refresh_from_db()
    assert not staff.user.is_superuser
    User.objects.filter(pk=editor.user.pk).update(is_staff=True, is_superuser=True)
    password = reverse("admin:auth_user_password_change", args=[editor.user.pk])
    assert staff.client.get(password).status_code == 403
    listed = reverse("admin:tenants_user_changelist")
    staff.client.post(listed, {"action": "deactivate", "_selected_action": [editor.user.pk]})
    assert User.objects.get(pk=editor.user.pk).is_active


def test_an_address_is_not_changed_by_operators(operator: Person, editor: Person) -> None:
    page = reverse("admin:tenants_user_change", args=[editor.user.pk])
    sent = user_form(editor.user, email="taken@example.com", name="Edith Ray")
    operator.client.post(page, sent)
    editor.user.refresh_from_db()
    assert (editor.user.email, editor.user.name) == ("edith@example.com", "Edith Ray")


def test_a_new_password_ends_sessions_and_is_told(
    operator: Person, editor: Person, organization: Organization
) -> None:
    page = reverse("admin:auth_user_password_change", args=[editor.user.pk])
    phrase = "a wholly different phrase"
    shown = operator.client.get(page)
    assert shown.status_code == 200
    done = operator.client.post(
        page, {"password1": phrase, "password2": phrase, "usable_password": "true"}
    )
    assert done.status_code == 302
    editor.user.refresh_from_db()
    assert editor.user.check_password(phrase)
    assert editor.client.get(f"/o/{organization.slug}/").status_code == 302
    event = AuditEvent.objects.for_organization(organization).get(
        action=AuditAction.PASSWORD_CHANGED
    )
    assert (event.actor_kind, phrase in str(event.changes)) == ("operator", False)


def test_a_new_person_is_told_and_a_lost_second_factor_removed(
    operator: Person, editor: Person
) -> None:
    phrase = "a wholly different phrase"
    sent = {"email": "New@Example.com", "name": "N", "password1": phrase, "password2": phrase}
    operator.client.post(reverse("admin:tenants_user_add"), {**sent, "usable_password": "true"})
    event = AuditEvent.all_organizations.get(action=AuditAction.USER_CREATED)
    assert (event.organization, event.changes) == (None, {"email": [None, "new@example.com"]})
    second_factor_on(editor.user)
    listed = reverse("admin:tenants_user_changelist")
    operator.client.post(
        listed, {"action": "remove_second_factor", "_selected_action": [editor.user.pk]}
    )
    assert not second_factor.second_factor_of(editor.user).is_on


def second_factor_on(user: User) -> None:
    TOTP.activate(user, "JBSWY3DPEHPK3PXP")
    assert second_factor.second_factor_of(user).is_on
