"""The rules of membership, invitations and keys, and that each change is in the audit log."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import AuditEvent, AuditIsAppendOnly
from common.access import ROLE_PERMISSIONS, Permission, Role
from common.errors import Conflict, PermissionDenied, UnscopedQueryError, UserError
from common.scoping import OrganizationOwned
from conftest_site import PASSWORD, Person
from tenants import services
from tenants.actors import Actor
from tenants.errors import (
    AlreadyMember,
    InvitationUnusable,
    LastOwner,
    RoleTooHigh,
    SetUpAlready,
    WeakPassword,
)
from tenants.models import ApiKey, Invitation, Membership, Organization, User


def actions_of(organization: Organization) -> list[str]:
    rows = AuditEvent.objects.for_organization(organization).order_by("pk")
    return list(rows.values_list("action", flat=True))


def member(person: Person) -> Membership:
    assert person.membership is not None
    return person.membership


def test_the_first_start_makes_an_operator_once(db: None) -> None:
    organization = services.set_up(
        email="Olga@Example.com", name="Olga", password=PASSWORD, organization_name="Acme"
    )
    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser) == ("olga@example.com", True, True)
    assert actions_of(organization) == [AuditAction.ORGANIZATION_CREATED]
    with pytest.raises(SetUpAlready):
        services.set_up(email="b@example.com", name="", password=PASSWORD, organization_name="B")


@pytest.mark.parametrize(
    ("email", "password", "error"),
    [
        ("nonsense", PASSWORD, UserError),
        ("OLGA@example.com", PASSWORD, UserError),
        ("new@example.com", "short", WeakPassword),
        ("new@example.com", "password123", WeakPassword),
    ],
)
def test_an_account_needs_a_free_address_and_a_strong_password(
    owner: Person, email: str, password: str, error: type[UserError]
) -> None:
    with pytest.raises(error) as caught:
        services.create_user(email=email, name="", password=password)
    assert caught.value.field in ("email", "password")
    assert User.objects.count() == 1


def test_the_last_owner_stays(owner: Person, admin: Person) -> None:
    with pytest.raises(LastOwner, match="Make another member an owner first"):
        services.change_role(membership=member(owner), role=Role.VIEWER, actor=owner.actor)
    with pytest.raises(LastOwner):
        services.remove_member(membership=member(owner), actor=owner.actor)
    services.change_role(membership=member(admin), role=Role.OWNER, actor=owner.actor)
    services.remove_member(membership=member(owner), actor=owner.actor)
    left = Membership.objects.for_organization(member(admin).organization)
    assert [row.role for row in left] == [Role.OWNER]


def test_nobody_gives_a_role_above_their_own(
    organization: Organization, owner: Person, admin: Person, editor: Person
) -> None:
    with pytest.raises(RoleTooHigh):
        services.change_role(membership=member(editor), role=Role.OWNER, actor=admin.actor)
    with pytest.raises(RoleTooHigh):
        services.change_role(membership=member(owner), role=Role.VIEWER, actor=admin.actor)
    with pytest.raises(RoleTooHigh):
        services.remove_member(membership=member(owner), actor=admin.actor)
    with pytest.raises(RoleTooHigh):
        services.invite(
            organization=organization, email="x@example.com", role=Role.OWNER, actor=admin.actor
        )
    with pytest.raises(RoleTooHigh):
        services.issue_api_key(
            organization=organization, name="k", role=Role.ADMIN, actor=editor.actor
        )
    with pytest.raises(PermissionDenied):
        services.change_role(membership=member(editor), role=Role.VIEWER, actor=editor.actor)


def test_leaving_needs_no_right(organization: Organization, viewer: Person) -> None:
    services.remove_member(membership=member(viewer), actor=viewer.actor)
    assert AuditAction.MEMBER_LEFT in actions_of(organization)


def test_an_invitation_is_for_its_address_once_and_for_a_week(
    organization: Organization, owner: Person, stranger: Person
) -> None:
    invitation, token = services.invite(
        organization=organization, email="New@example.com", role=Role.EDITOR, actor=owner.actor
    )
    assert invitation.email == "new@example.com"
    assert token not in {
        str(value) for value in Invitation.all_organizations.values().get().values()
    }
    with pytest.raises(InvitationUnusable, match=r"for new@example\.com"):
        services.accept_invitation(token=token, user=stranger.user)
    membership = services.join(token=token, name="Nora", password=PASSWORD, ip="192.0.2.7")
    assert (membership.role, membership.user.email) == (Role.EDITOR, "new@example.com")
    with pytest.raises(InvitationUnusable, match="used already"):
        services.find_invitation(token)
    accepted = AuditEvent.objects.for_organization(organization).first()
    assert accepted is not None
    assert (accepted.action, accepted.ip) == (AuditAction.INVITATION_ACCEPTED, "192.0.2.7")
    with pytest.raises(AlreadyMember, match=r"new@example\.com is a member already"):
        services.invite(
            organization=organization, email="new@example.com", role=Role.VIEWER, actor=owner.actor
        )


def test_an_invitation_ends_by_time_by_hand_and_by_a_newer_one(
    organization: Organization, owner: Person
) -> None:
    def invite() -> tuple[Invitation, str]:
        return services.invite(
            organization=organization, email="n@example.com", role=Role.VIEWER, actor=owner.actor
        )

    (_first, first), (second, token) = invite(), invite()
    with pytest.raises(InvitationUnusable, match="replaced by a newer"):
        services.find_invitation(first)
    services.find_invitation(token)
    Invitation.all_organizations.filter(pk=second.pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    with pytest.raises(InvitationUnusable, match="has expired") as caught:
        services.find_invitation(token)
    assert caught.value.remedy == "Ask Olga for a new one."
    third, token = invite()
    services.revoke_invitation(invitation=third, actor=owner.actor)
    with pytest.raises(InvitationUnusable, match="taken back"):
        services.find_invitation(token)
    with pytest.raises(Conflict):
        services.revoke_invitation(invitation=third, actor=owner.actor)
    with pytest.raises(InvitationUnusable, match="no such invitation"):
        services.find_invitation("guessed")
    assert actions_of(organization).count(AuditAction.INVITATION_CREATED) == 3


def test_many_addresses_are_invited_all_or_none(organization: Organization, owner: Person) -> None:
    with pytest.raises(UserError, match="'nonsense' is not an e-mail address"):
        services.invite_all(
            organization=organization,
            emails=["a@example.com", "nonsense"],
            role=Role.VIEWER,
            actor=owner.actor,
        )
    assert not Invitation.all_organizations.exists()
    made = services.invite_all(
        organization=organization,
        emails=["a@example.com", "A@example.com ", "b@example.com"],
        role=Role.VIEWER,
        actor=owner.actor,
    )
    assert [invitation.email for invitation, _ in made] == ["a@example.com", "b@example.com"]


def test_only_the_hash_of_a_key_is_stored(organization: Organization, owner: Person) -> None:
    key, text = services.issue_api_key(
        organization=organization, name="CI", role=Role.EDITOR, actor=owner.actor, days=1
    )
    assert text.startswith("etf_")
    stored = str(ApiKey.all_organizations.values().get())
    logged = str(list(AuditEvent.all_organizations.values()))
    assert text not in stored
    assert text[10:] not in logged
    assert key.key_hash == services.hash_token(text)
    services.revoke_api_key(key=key, actor=owner.actor)
    assert not ApiKey.all_organizations.get().is_usable
    with pytest.raises(Conflict):
        services.revoke_api_key(key=key, actor=owner.actor)


def test_keys_follow_the_person_who_made_them(
    organization: Organization, owner: Person, admin: Person, editor: Person
) -> None:
    def key(name: str, person: Person, role: Role) -> ApiKey:
        return services.issue_api_key(
            organization=organization,
            name=name,
            role=role,
            actor=person.actor,
            created_by=person.user,
        )[0]

    strong, weak = key("strong", admin, Role.ADMIN), key("weak", admin, Role.VIEWER)
    with pytest.raises(PermissionDenied, match="somebody else"):
        services.revoke_api_key(key=weak, actor=editor.actor)
    services.change_role(membership=member(admin), role=Role.EDITOR, actor=owner.actor)
    strong.refresh_from_db()
    weak.refresh_from_db()
    assert (strong.is_usable, weak.is_usable) == (False, True)
    services.remove_member(membership=member(admin), actor=owner.actor)
    weak.refresh_from_db()
    assert not weak.is_usable
    assert actions_of(organization).count(AuditAction.API_KEY_REVOKED) == 2


def test_settings_are_checked_and_logged(organization: Organization, owner: Person) -> None:
    def update(**changed: Any) -> None:
        wanted: dict[str, Any] = {
            "name": "Acme",
            "time_zone": "UTC",
            "default_schema": "analytics",
            **changed,
        }
        services.update_organization(
            organization=Organization.objects.get(), actor=owner.actor, **wanted
        )

    for wrong in (
        {"name": " "},
        {"name": "x" * 81},
        {"time_zone": "Mars/Base"},
        {"default_schema": 'x"; drop'},
        {"max_concurrent_runs": 99},
    ):
        with pytest.raises(UserError) as caught:
            update(**wrong)
        assert caught.value.field in wrong
    update()
    assert AuditAction.ORGANIZATION_UPDATED not in actions_of(organization)
    update(time_zone="Europe/Berlin")
    event = AuditEvent.objects.for_organization(organization).first()
    assert event is not None
    assert event.changes == {"time_zone": ["UTC", "Europe/Berlin"]}
    services.update_organization(
        organization=organization,
        actor=Actor.operator(),
        name="Acme",
        time_zone="UTC",
        default_schema="analytics",
        max_concurrent_runs=9,
    )
    organization.refresh_from_db()
    assert organization.max_concurrent_runs == 9


def test_the_log_is_append_only(organization: Organization) -> None:
    event = AuditEvent.objects.for_organization(organization).first()
    assert event is not None
    with pytest.raises(AuditIsAppendOnly):
        event.save()
    with pytest.raises(AuditIsAppendOnly):
        event.delete()


def test_roles_carry_ever_more_permissions() -> None:
    """The table of rights, in full: a change of it is a change of this test."""
    belong = {Permission.BELONG}
    view = belong | {Permission.VIEW}
    edit = view | {
        Permission.RUN,
        Permission.EDIT,
        Permission.VIEW_API_KEYS,
        Permission.MANAGE_API_KEYS,
    }
    manage = edit | {
        Permission.VIEW_AUDIT,
        Permission.MANAGE_MEMBERS,
        Permission.MANAGE_ORGANIZATION,
    }
    assert {
        Role.GUEST: belong,
        Role.VIEWER: view,
        Role.EDITOR: edit,
        Role.ADMIN: manage,
        Role.OWNER: set(Permission),
    } == ROLE_PERMISSIONS


OWNED = [model for model in apps.get_models() if issubclass(model, OrganizationOwned)]


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_no_query_reaches_rows_without_naming_the_organization(
    model: type[OrganizationOwned], organization: Organization, stranger: Person
) -> None:
    for read in (
        model.objects.all,
        lambda: model.objects.filter(pk=1),
        lambda: model.objects.get(pk=1),
        model.objects.count,
        model.objects.create,
    ):
        with pytest.raises(UnscopedQueryError):
            read()
    rows = model.objects.for_organization(organization)
    assert all(row.organization_id == organization.pk for row in rows)
    assert model._meta.default_manager_name == "all_organizations"


def test_every_owned_table_is_covered() -> None:
    assert {"AuditEvent", "Membership", "Connection", "Pipeline", "Run"} <= {
        model.__name__ for model in OWNED
    }
