"""Sharing one connection or pipeline with one member, and taking it back."""

from typing import Any

from django.contrib.auth.models import Permission as ModelPermission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from guardian.models import UserObjectPermission

from audit import services as audit
from audit.actions import AuditAction
from common.access import GRANTS, ROLE_PERMISSIONS, Permission, Role
from common.errors import NotFound, UserError
from common.scoping import OrganizationOwned, Trashable
from tenants.actors import Actor
from tenants.grants import codename, permission_of, rows_on, shared_in
from tenants.models import Membership, Organization


@transaction.atomic
def give_grant(
    *, on: OrganizationOwned, membership: Membership, permission: str, actor: Actor
) -> Permission:
    """Let a member do with one thing what their role does not allow; in place of what they had on it.

    A grant to edit includes to run, and that to view. ``permission`` in the answer is what they have now.
    """
    actor.require(Permission.MANAGE_MEMBERS)
    given = _checked(permission)
    # A key that may manage members and nothing else gives away nothing else.
    actor.require(given, on=on)
    membership = _member(on, membership)
    if given in ROLE_PERMISSIONS[Role(membership.role)]:
        raise UserError(
            f"{membership.user} may do this already: the role {membership.role} allows it.",
            field="permission",
            remedy="Give more than the role allows, or nothing.",
        )
    before = _take(on, membership)
    if before != given:
        _record(AuditAction.GRANT_GIVEN, on, membership, actor, before, given)
    UserObjectPermission.objects.create(
        user=membership.user,
        content_type=ContentType.objects.get_for_model(on),
        object_pk=str(on.pk),
        permission=_model_permission(on, given),
    )
    return given


@transaction.atomic
def take_grant(*, on: OrganizationOwned, membership: Membership, actor: Actor) -> None:
    """From now on the member may do with it what their role allows. ``NotFound`` where nothing was given."""
    actor.require(Permission.MANAGE_MEMBERS)
    membership = _member(on, membership)
    before = _take(on, membership)
    if before is None:
        raise NotFound(f"Nothing of this is shared with {membership.user}.", field="member")
    _record(AuditAction.GRANT_TAKEN, on, membership, actor, before, None)


def forget_grants_on(*, instance: OrganizationOwned, **_: Any) -> None:
    """Receiver of ``post_delete``: what is gone for good is shared with nobody."""
    rows_on(instance).delete()


def forget_grants_of(*, instance: Membership, **_: Any) -> None:
    """Receiver of ``post_delete``: who leaves an organization keeps nothing that was shared with them there."""
    rows = [row.pk for row, _thing in shared_in(instance.user_id, instance.organization_id)]
    UserObjectPermission.objects.filter(pk__in=rows).delete()


def _checked(permission: str) -> Permission:
    if permission not in GRANTS:
        raise UserError(
            f"{permission!r} cannot be shared.",
            field="permission",
            remedy=f"Use {', '.join(GRANTS)}.",
        )
    return Permission(permission)


def _member(on: OrganizationOwned, membership: Membership) -> Membership:
    """As they are now: who leaves at the same moment and who shares take turns on the organization's row."""
    Organization.objects.select_for_update().get(pk=on.organization_id)
    if isinstance(on, Trashable) and on.is_deleted:
        raise UserError(f"“{on}” is in the trash.", remedy="Restore it first.")
    rows = Membership.objects.for_organization(on.organization).select_related("user")
    found: Membership | None = rows.filter(pk=membership.pk).first()
    if found is None:
        raise NotFound(
            "This person is no member of the organization.",
            field="member",
            remedy="Invite them first; the role guest sees only what is shared with them.",
        )
    return found


def _take(on: OrganizationOwned, membership: Membership) -> Permission | None:
    """What they had on it, which they have no more."""
    rows = list(rows_on(on).filter(user=membership.user_id))
    had = [permission_of(row.permission.codename, str(on._meta.model_name)) for row in rows]
    UserObjectPermission.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return next((permission for permission in had if permission), None)


def _model_permission(on: OrganizationOwned, permission: Permission) -> ModelPermission:
    kind = ContentType.objects.get_for_model(on)
    return ModelPermission.objects.get(content_type=kind, codename=codename(permission, type(on)))


def _record(
    action: AuditAction,
    on: OrganizationOwned,
    membership: Membership,
    actor: Actor,
    before: Permission | None,
    after: Permission | None,
) -> None:
    audit.record(
        organization=on.organization,
        actor=actor,
        action=action,
        target=on,
        changes={
            f"{membership.user.email}": [before and before.value, after and after.value],
        },
    )
