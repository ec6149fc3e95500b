"""An organization changes hands, rests, and goes."""

from datetime import timedelta

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission, Role
from common.errors import Conflict, PermissionDenied, UserError
from tenants.actors import Actor
from tenants.errors import OrganizationAtRest
from tenants.models import Membership, Organization
from tenants.selectors import platform_settings
from tenants.services.api_keys import revoke_keys_of

#: Sent in the transaction that lays an organization to rest, with ``organization`` and ``actor``: its row is held, so
#: no run of it begins meanwhile.
organization_rests = Signal()
#: Sent in the transaction after which it works again.
organization_wakes = Signal()


def check_awake(organization: Organization) -> None:
    """Raise ``OrganizationAtRest`` with the reason unless things of it may run and change."""
    if organization.suspended_at is not None:
        reason = f": {organization.suspended_reason}" if organization.suspended_reason else "."
        raise OrganizationAtRest(
            f"“{organization}” is suspended by the operator of this installation{reason}",
            remedy="Nothing runs or changes until the operator ends it.",
        )
    if organization.deletion_requested_at is not None:
        raise OrganizationAtRest(
            f"“{organization}” is deleted; nothing of it runs or changes.",
            remedy="An owner can restore it in its settings.",
        )


@transaction.atomic
def hand_over(*, organization: Organization, membership: Membership, actor: Actor) -> Membership:
    """Make another member an owner in the actor's place, who stays as an admin."""
    actor.require(Permission.OWN_ORGANIZATION)
    locked = _locked(organization)
    members = Membership.objects.for_organization(locked).select_for_update()
    mine = members.filter(user_id=actor.identifier).first() if actor.kind == "user" else None
    # The role may have changed since the request began.
    if mine is None or mine.role != Role.OWNER:
        raise PermissionDenied(
            "Only an owner in person hands an organization over.",
            remedy="Sign in as an owner of it.",
        )
    # A member who has left in the meantime is gone from the rows that are locked.
    other = members.filter(pk=membership.pk).first()
    if other is None or other.pk == mine.pk:
        raise UserError("Choose another member of the organization.", field="member")
    other.role, mine.role = Role.OWNER, Role.ADMIN
    other.save(update_fields=["role"])
    mine.save(update_fields=["role"])
    revoke_keys_of(mine, above=Role.ADMIN, actor=actor)
    audit.record(
        organization=locked,
        actor=actor,
        action=AuditAction.ORGANIZATION_HANDED_OVER,
        target=locked,
        changes={"owner": [str(mine.user), str(other.user)]},
    )
    return other


@transaction.atomic
def delete_organization(
    *, organization: Organization, actor: Actor, confirmation: str
) -> Organization:
    """Lay it to rest; it is gone for good after the days of grace unless restored before.

    ``confirmation`` is its name, typed by who deletes it.
    """
    actor.require(Permission.OWN_ORGANIZATION)
    organization = _locked(organization)
    if organization.deletion_requested_at is not None:
        raise Conflict(f"“{organization}” is deleted already.")
    if confirmation.strip() != organization.name:
        raise UserError(
            "This is not the name of the organization.",
            field="confirmation",
            remedy=f"Type {organization.name} to delete it.",
        )
    now = timezone.now()
    organization.deletion_requested_at = now
    organization.deletion_requested_by = actor.label[:200]
    organization.delete_after = now + timedelta(days=platform_settings().organization_grace_days)
    _save_deletion(organization)
    _record(organization, actor, AuditAction.ORGANIZATION_DELETED)
    organization_rests.send(sender=Organization, organization=organization, actor=actor)
    return organization


@transaction.atomic
def restore_organization(*, organization: Organization, actor: Actor) -> Organization:
    """Take the deletion back, as long as its days of grace last."""
    actor.require(Permission.OWN_ORGANIZATION)
    organization = _locked(organization)
    if organization.deletion_requested_at is None:
        raise Conflict(f"“{organization}” is not deleted.")
    # From then on parts of it may be gone already.
    if organization.delete_after is None or organization.delete_after <= timezone.now():
        raise Conflict(f"The days in which “{organization}” could be restored are over.")
    organization.deletion_requested_at = organization.delete_after = None
    organization.deletion_requested_by = ""
    _save_deletion(organization)
    _record(organization, actor, AuditAction.ORGANIZATION_RESTORED)
    _wake(organization, actor)
    return organization


@transaction.atomic
def suspend_organization(*, organization: Organization, actor: Actor, reason: str) -> Organization:
    """Let nothing of it run or change; its members see the reason. Operators only."""
    _operators_only(actor)
    organization = _locked(organization)
    if organization.suspended_at is not None:
        raise Conflict(f"“{organization}” is suspended already.")
    reason = reason.strip()
    if not reason or len(reason) > 300:
        raise UserError(
            "A reason of 1 to 300 characters is needed.",
            field="reason",
            remedy="Say in a sentence what the members shall know.",
        )
    organization.suspended_at = timezone.now()
    organization.suspended_by, organization.suspended_reason = actor.label[:200], reason
    _save_suspension(organization)
    changes = {"reason": [None, reason]}
    _record(organization, actor, AuditAction.ORGANIZATION_SUSPENDED, changes)
    organization_rests.send(sender=Organization, organization=organization, actor=actor)
    return organization


@transaction.atomic
def resume_organization(*, organization: Organization, actor: Actor) -> Organization:
    """End the suspension. Operators only."""
    _operators_only(actor)
    organization = _locked(organization)
    if organization.suspended_at is None:
        raise Conflict(f"“{organization}” is not suspended.")
    organization.suspended_at = None
    organization.suspended_by = organization.suspended_reason = ""
    _save_suspension(organization)
    _record(organization, actor, AuditAction.ORGANIZATION_RESUMED)
    _wake(organization, actor)
    return organization


def _locked(organization: Organization) -> Organization:
    """Runs are made under the same lock: none begins that the change would not know of."""
    return Organization.objects.select_for_update().get(pk=organization.pk)


def _operators_only(actor: Actor) -> None:
    if actor.kind != "operator":
        raise PermissionDenied(
            "Organizations are suspended by operators of this installation.",
            remedy="Ask the operator.",
        )


def _wake(organization: Organization, actor: Actor) -> None:
    """One that is both suspended and deleted rests until both are over."""
    if not organization.is_at_rest:
        organization_wakes.send(sender=Organization, organization=organization, actor=actor)


def _save_deletion(organization: Organization) -> None:
    organization.save(
        update_fields=["deletion_requested_at", "deletion_requested_by", "delete_after"]
    )


def _save_suspension(organization: Organization) -> None:
    organization.save(update_fields=["suspended_at", "suspended_by", "suspended_reason"])


def _record(
    organization: Organization,
    actor: Actor,
    action: AuditAction,
    changes: dict[str, list[str | None]] | None = None,
) -> None:
    audit.record(
        organization=organization,
        actor=actor,
        action=action,
        target=organization,
        changes=changes,
    )
