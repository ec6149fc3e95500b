"""An organization is left, handed over, deleted, restored and suspended, by whom it may be, and the log knows."""

import re
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.access import ROLE_ORDER, Permission, Role, is_at_least
from common.errors import Conflict, PermissionDenied, UserError
from conftest_site import Person, make_person
from tenants import services
from tenants.actors import Actor
from tenants.errors import (
    InvitationUnusable,
    LastOwner,
    OrganizationAtRest,
    RoleTooHigh,
    SentTooOften,
)
from tenants.models import ApiKey, Invitation, Membership, Organization, PlatformSettings

OPERATOR = Actor.operator()


def page(name: str, organization: Organization, *more: object) -> str:
    return reverse(f"tenants:{name}", args=[organization.slug, *more])


def api(organization: Organization, path: str = "") -> str:
    return f"/api/v1/organizations/{organization.slug}/{path}"


def last_event(organization: Organization) -> AuditEvent:
    event = AuditEvent.objects.for_organization(organization).order_by("-pk").first()
    assert event is not None
    return event


def member(person: Person) -> Membership:
    assert person.membership is not None
    return person.membership


def roles(organization: Organization) -> dict[str, str]:
    rows = Membership.objects.for_organization(organization)
    return dict(rows.values_list("user__name", "role"))


# Leaving and handing over


def test_anybody_leaves_but_the_last_owner(
    organization: Organization, owner: Person, viewer: Person
) -> None:
    assert viewer.client.post(page("organization-leave", organization)).status_code == 302
    assert roles(organization) == {"Olga": "owner"}
    event = last_event(organization)
    assert (event.action, event.actor_label) == (AuditAction.MEMBER_LEFT, "Viktor")
    asked = owner.client.get(page("organization-leave", organization)).content.decode()
    assert "You are its last owner." in asked
    assert "Leave organization" not in asked
    assert owner.client.post(page("organization-leave", organization)).status_code == 409
    assert owner.client.post(api(organization, "leave/")).status_code == 409
    assert roles(organization) == {"Olga": "owner"}


def test_handing_over_makes_the_old_owner_an_admin_and_ends_their_keys(
    organization: Organization, owner: Person, editor: Person
) -> None:
    key, _text = services.issue_api_key(
        organization=organization,
        name="Strong",
        role=Role.OWNER,
        actor=owner.actor,
        created_by=owner.user,
    )
    chosen = member(editor)
    answer = owner.client.post(page("organization-hand-over", organization), {"member": chosen.pk})
    assert answer.status_code == 302
    assert roles(organization) == {"Olga": "admin", "Edith": "owner"}
    assert ApiKey.all_organizations.get(pk=key.pk).revoked_at is not None
    rows = AuditEvent.objects.for_organization(organization)
    event = rows.get(action=AuditAction.ORGANIZATION_HANDED_OVER)
    assert event.changes == {"owner": ["olga@example.com", "edith@example.com"]}
    # The request of somebody who was an owner when it began.
    with pytest.raises(PermissionDenied):
        services.hand_over(organization=organization, membership=chosen, actor=owner.actor)


def test_only_an_owner_in_person_hands_over_and_only_to_a_member(
    organization: Organization, owner: Person, admin: Person, stranger: Person
) -> None:
    for actor in (admin.actor, OPERATOR, Actor("api_key", "Key", Role.OWNER, str(owner.user.pk))):
        with pytest.raises(PermissionDenied):
            services.hand_over(organization=organization, membership=member(admin), actor=actor)
    for other in (member(stranger), member(owner)):
        with pytest.raises(UserError, match="Choose another member"):
            services.hand_over(organization=organization, membership=other, actor=owner.actor)
    url = api(organization, "hand-over/")
    sent: dict[str, Any] = {"content_type": "application/json"}
    assert owner.client.post(url, {"member": member(stranger).pk}, **sent).status_code == 404
    assert owner.client.post(url, {"member": member(admin).pk}, **sent).status_code == 204
    assert roles(organization) == {"Olga": "admin", "Adam": "owner"}


# Deletion and suspension


def delete(organization: Organization, person: Person) -> Organization:
    return services.delete_organization(
        organization=organization, actor=person.actor, confirmation=organization.name
    )


def test_deleting_asks_for_the_name_and_gives_the_days_of_grace(
    organization: Organization, owner: Person, admin: Person
) -> None:
    PlatformSettings(organization_grace_days=3).save()
    url = page("organization-delete", organization)
    assert admin.client.post(url, {"confirmation": "Acme"}).status_code == 403
    refused = owner.client.post(url, {"confirmation": "acme"})
    assert refused.status_code == 422
    assert "This is not the name" in refused.content.decode()
    assert not Organization.objects.get(pk=organization.pk).is_at_rest
    assert owner.client.post(url, {"confirmation": "Acme"}).status_code == 302
    organization.refresh_from_db()
    assert organization.is_at_rest
    assert organization.deletion_requested_at is not None
    assert organization.delete_after == organization.deletion_requested_at + timedelta(days=3)
    assert last_event(organization).action == AuditAction.ORGANIZATION_DELETED
    with pytest.raises(Conflict):
        delete(organization, owner)


def test_at_rest_members_look_and_change_nothing(
    organization: Organization, owner: Person, editor: Person
) -> None:
    key, text = services.issue_api_key(
        organization=organization, name="Old", role=Role.OWNER, actor=owner.actor
    )
    delete(organization, owner)
    home = editor.client.get(f"/o/{organization.slug}/")
    assert home.status_code == 200
    assert "Deleted by Olga, and gone for good on" in home.content.decode()
    refused = owner.client.post(page("settings", organization), {"name": "Other"})
    assert refused.status_code == 409
    assert "nothing of it runs or changes" in refused.content.decode()
    machine = Client(headers={"authorization": f"Bearer {text}"})
    assert machine.get(api(organization)).json()["is_at_rest"] is True
    sent = {"target": "dag"}
    answer = machine.post(api(organization, "runs/"), sent, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "organization_at_rest")
    answer = machine.delete(api(organization, f"api-keys/{key.pk}/"))
    assert answer.status_code == 409
    assert machine.post(api(organization, "hand-over/")).status_code == 409


def test_an_owner_restores_until_the_grace_is_over(
    organization: Organization, owner: Person, admin: Person
) -> None:
    delete(organization, owner)
    url = page("organization-restore", organization)
    assert admin.client.post(url).status_code == 403
    assert owner.client.post(url).status_code == 302
    organization.refresh_from_db()
    assert not organization.is_at_rest
    assert (organization.delete_after, organization.deletion_requested_by) == (None, "")
    assert last_event(organization).action == AuditAction.ORGANIZATION_RESTORED
    delete(organization, owner)
    Organization.objects.update(delete_after=timezone.now())
    answer = owner.client.delete(api(organization, "deletion/"))
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_only_operators_suspend_and_members_see_why(
    organization: Organization, owner: Person, viewer: Person
) -> None:
    with pytest.raises(PermissionDenied):
        services.suspend_organization(organization=organization, actor=owner.actor, reason="x")
    with pytest.raises(PermissionDenied):
        services.resume_organization(organization=organization, actor=owner.actor)
    with pytest.raises(UserError) as caught:
        services.suspend_organization(organization=organization, actor=OPERATOR, reason=" ")
    assert caught.value.field == "reason"
    services.suspend_organization(organization=organization, actor=OPERATOR, reason="Unpaid.")
    assert "Unpaid." in viewer.client.get(f"/o/{organization.slug}/").content.decode()
    # Owners cannot get round it by deleting and restoring.
    assert (
        owner.client.post(
            page("organization-delete", organization), {"confirmation": "Acme"}
        ).status_code
        == 409
    )
    organization.refresh_from_db()
    with pytest.raises(OrganizationAtRest, match=r"Unpaid\."):
        services.check_awake(organization)
    # Nobody is kept in it.
    assert viewer.client.post(page("organization-leave", organization)).status_code == 302
    services.resume_organization(organization=organization, actor=OPERATOR)
    assert last_event(organization).action == AuditAction.ORGANIZATION_RESUMED


def test_operators_suspend_in_the_admin(organization: Organization) -> None:
    operator = make_person("Otto")
    operator.user.is_staff = operator.user.is_superuser = True
    operator.user.save()
    url = reverse("admin:tenants_organization_changelist")
    sent = {"_selected_action": [organization.pk], "reason": "Unpaid.", "index": "0"}
    operator.client.post(url, {**sent, "action": "suspend", "reason": ""})
    organization.refresh_from_db()
    assert organization.suspended_at is None
    operator.client.post(url, {**sent, "action": "suspend"})
    organization.refresh_from_db()
    assert organization.suspended_reason == "Unpaid."
    event = last_event(organization)
    assert (event.action, event.actor_kind) == (AuditAction.ORGANIZATION_SUSPENDED, "operator")
    operator.client.post(url, {**sent, "action": "resume"})
    organization.refresh_from_db()
    assert not organization.is_at_rest


def test_an_organization_is_renamed_and_its_address_stays(
    organization: Organization, owner: Person
) -> None:
    sent = {"name": "Acme Two"}
    answer = owner.client.patch(api(organization), sent, content_type="application/json")
    assert answer.json()["name"] == "Acme Two"
    assert answer.json()["slug"] == "acme"
    unknown = {"slug": "other"}
    answer = owner.client.patch(api(organization), unknown, content_type="application/json")
    assert answer.status_code == 422


# Invitations


def invited(organization: Organization, actor: Actor, **more: Any) -> tuple[Invitation, str]:
    return services.invite(
        organization=organization, email="new@example.com", role=Role.EDITOR, actor=actor, **more
    )


def test_an_invitation_is_good_for_as_long_as_its_maker_says(
    organization: Organization, owner: Person
) -> None:
    made, _token = invited(organization, owner.actor, days=30)
    assert made.expires_at == made.created_at + timedelta(days=30)
    for days in (0, 31):
        with pytest.raises(UserError) as caught:
            invited(organization, owner.actor, days=days)
        assert caught.value.field == "days"
    url = page("member-invite", organization)
    sent = {"emails": "x@example.com", "role": "viewer", "days": "2"}
    assert owner.client.post(url, {**sent, "days": "31"}).status_code == 422
    assert owner.client.post(url, sent).status_code == 200
    by_page = Invitation.all_organizations.get(email="x@example.com")
    assert by_page.expires_at == by_page.created_at + timedelta(days=2)


def test_sent_again_it_has_a_new_link_and_not_too_often(
    organization: Organization, owner: Person
) -> None:
    made, old = invited(organization, owner.actor, days=3)
    url = page("invitation-resend", organization, made.pk)
    with pytest.raises(SentTooOften):
        services.resend_invitation(invitation=made, actor=owner.actor)
    assert owner.client.post(url).status_code == 429
    # Expired in the meantime: that is when people ask for it.
    past = timezone.now() - timedelta(days=5)
    times = {"last_sent_at": past, "created_at": past, "expires_at": past + timedelta(days=3)}
    Invitation.all_organizations.update(**times)
    shown = owner.client.post(url).content.decode()
    assert "Invitation sent again" in shown
    with pytest.raises(InvitationUnusable):
        services.find_invitation(old)
    made.refresh_from_db()
    assert made.last_sent_at is not None
    assert made.expires_at == made.last_sent_at + timedelta(days=3)
    assert last_event(organization).action == AuditAction.INVITATION_RESENT
    (token,) = set(re.findall(r"http://testserver/invitations/([\w-]+)/", shown))
    assert services.find_invitation(token) == made
    assert owner.client.post(api(organization, f"invitations/{made.pk}/resend/")).status_code == 429
    services.revoke_invitation(invitation=made, actor=owner.actor)
    assert owner.client.post(url).status_code == 404
    with pytest.raises(Conflict):
        services.resend_invitation(invitation=made, actor=owner.actor)


def test_nobody_joins_an_organization_that_rests(
    organization: Organization, owner: Person, stranger: Person
) -> None:
    _made, token = services.invite(
        organization=organization, email=stranger.user.email, role=Role.VIEWER, actor=owner.actor
    )
    delete(organization, owner)
    with pytest.raises(OrganizationAtRest):
        services.accept_invitation(token=token, user=stranger.user)


# Nobody grants more than they have


@pytest.mark.parametrize(("actor_role", "given", "current"), list(product(ROLE_ORDER, repeat=3)))
def test_hole_14_members_are_managed_without_an_actor(
    organization: Organization, owner: Person, actor_role: Role, given: Role, current: Role
) -> None:
    actor = make_person("Ada", organization, actor_role).actor
    other = member(make_person("Ben", organization, current))
    manages = actor.can(Permission.MANAGE_MEMBERS)
    may_change = manages and is_at_least(actor_role, given) and is_at_least(actor_role, current)
    may_invite = manages and is_at_least(actor_role, given)
    may_remove = manages and is_at_least(actor_role, current)

    def tried(call: Any, **values: Any) -> bool:
        try:
            call(actor=actor, **values)
        except PermissionDenied:
            return False
        return True

    email = "third@example.com"
    made = {"organization": organization, "email": email, "role": given}
    assert tried(services.invite, **made) == may_invite
    assert Invitation.all_organizations.filter(email=email).exists() == may_invite
    assert tried(services.change_role, membership=other, role=given) == may_change
    other.refresh_from_db()
    assert other.role == (given if may_change else current)
    if may_change:
        Membership.all_organizations.filter(pk=other.pk).update(role=current)
    assert tried(services.remove_member, membership=other) == may_remove
    assert Membership.all_organizations.filter(pk=other.pk).exists() != may_remove


def test_what_somebody_saw_a_moment_ago_is_not_believed(
    organization: Organization, owner: Person, admin: Person, editor: Person
) -> None:
    """Edith became an owner after Adam's page was loaded: Adam cannot take her out with the row he has."""
    seen = Membership.all_organizations.get(pk=member(editor).pk)
    services.change_role(membership=member(editor), role=Role.OWNER, actor=owner.actor)
    for call in (
        lambda: services.change_role(membership=seen, role=Role.VIEWER, actor=admin.actor),
        lambda: services.remove_member(membership=seen, actor=admin.actor),
    ):
        with pytest.raises(RoleTooHigh):
            call()
    # Olga is no longer the only one, Edith is when Olga has gone.
    services.leave(organization=organization, actor=owner.actor)
    with pytest.raises(LastOwner):
        services.leave(organization=organization, actor=editor.actor)
