"""Who belongs to an organization, and as what."""

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission, Role
from common.errors import NotFound, PermissionDenied
from tenants.actors import Actor
from tenants.errors import AlreadyMember, LastOwner
from tenants.models import Membership, Organization, User
from tenants.services.api_keys import revoke_keys_of
from tenants.services.base import check_grant


@transaction.atomic
def add_member(*, organization: Organization, user: User, role: Role, actor: Actor) -> Membership:
    """Make ``user`` a member. Nobody gives a role above their own."""
    actor.require(Permission.MANAGE_MEMBERS)
    check_grant(actor, role)
    if Membership.objects.for_organization(organization).filter(user=user).exists():
        raise AlreadyMember(f"{user.email} is a member already.", field="email")
    membership = Membership(organization=organization, user=user, role=role)
    membership.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.MEMBER_ADDED,
        target=membership,
        changes={"role": [None, role]},
    )
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: Role, actor: Actor) -> Membership:
    """Keys the person made above the new role are revoked: a key is no way round a lower role."""
    actor.require(Permission.MANAGE_MEMBERS)
    membership = _locked(membership)
    check_grant(actor, Role(membership.role))
    check_grant(actor, role)
    if role == membership.role:
        return membership
    if role != Role.OWNER:
        _keep_an_owner(membership)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    audit.record(
        organization=membership.organization,
        actor=actor,
        action=AuditAction.MEMBER_ROLE_CHANGED,
        target=membership,
        changes={"role": [before, role]},
    )
    revoke_keys_of(membership, above=role, actor=actor)
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, actor: Actor) -> None:
    """Take a person and the keys they made out of the organization; leaving oneself needs no right."""
    is_self = actor.kind == "user" and actor.identifier == str(membership.user_id)
    if not is_self:
        actor.require(Permission.MANAGE_MEMBERS)
    membership = _locked(membership)
    if not is_self:
        check_grant(actor, Role(membership.role))
    _keep_an_owner(membership)
    revoke_keys_of(membership, above=None, actor=actor)
    audit.record(
        organization=membership.organization,
        actor=actor,
        action=AuditAction.MEMBER_LEFT if is_self else AuditAction.MEMBER_REMOVED,
        target=membership.organization if is_self else membership,
        changes={"role": [membership.role, None]},
    )
    membership.delete()


def leave(*, organization: Organization, actor: Actor) -> None:
    """Take oneself out. Keys and tokens leave nothing: a person does."""
    rows = Membership.objects.for_organization(organization).select_related("organization", "user")
    mine = rows.filter(user_id=actor.identifier).first() if actor.kind == "user" else None
    if mine is None:
        raise PermissionDenied(
            "Only a member in person leaves an organization.", remedy="Sign in as that person."
        )
    remove_member(membership=mine, actor=actor)


def _locked(membership: Membership) -> Membership:
    """As it is now. Two owners leaving at once take turns here, so both cannot see the other still in."""
    Organization.objects.select_for_update().get(pk=membership.organization_id)
    rows = Membership.objects.for_organization(membership.organization)
    found = rows.select_related("organization", "user").filter(pk=membership.pk).first()
    if found is None:
        raise NotFound("This person is no longer a member.")
    return found


def _keep_an_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    owners = Membership.objects.for_organization(membership.organization).filter(role=Role.OWNER)
    if not owners.exclude(pk=membership.pk).exists():
        raise LastOwner(remedy="Make another member an owner first.", field="role")
