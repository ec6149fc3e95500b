"""API keys: shown once, kept as a hash. They belong to the organization, not to who made them."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission, Role, is_at_least
from common.errors import Conflict, PermissionDenied, UserError
from tenants.actors import Actor
from tenants.errors import ScopeTooWide
from tenants.models import ApiKey, Membership, Organization, User
from tenants.scopes import checked_scopes, permissions_of
from tenants.selectors import api_keys_of, key_state, most_key_days, usual_key_days
from tenants.services.base import check_grant, hash_token, required

API_KEY_PREFIX = "etf_"
#: For ``days``: as long as operators have set.
USUAL_DAYS = 0
#: How long the text before a rotation may still work.
MOST_OVERLAP_DAYS = 7


@transaction.atomic
def issue_api_key(
    *,
    organization: Organization,
    name: str,
    role: Role,
    actor: Actor,
    scopes: Iterable[str] = (),
    created_by: User | None = None,
    days: int | None = USUAL_DAYS,
) -> tuple[ApiKey, str]:
    """A key and its text, which is never shown again.

    ``days`` None means it does not expire, which operators may forbid. Nobody makes a key that may do
    more than they may.
    """
    actor.require(Permission.MANAGE_API_KEYS)
    check_grant(actor, role)
    if role == Role.GUEST:
        raise UserError(
            "A key of a guest could do nothing: things are shared with people.",
            field="role",
            remedy=f"Use {Role.VIEWER}.",
        )
    words = checked_scopes(scopes)
    _check_reach(actor, role, words)
    text = _new_text()
    key = ApiKey(
        organization=organization,
        name=required(name, "name"),
        prefix=text[:10],
        key_hash=hash_token(text),
        role=role,
        scopes=words,
        created_by=created_by,
        expires_at=_expiry(days),
    )
    key.save()
    changes = {"role": [None, role], "expires_at": [None, _shown(key.expires_at)]}
    if words:
        changes["scopes"] = [None, words]
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.API_KEY_CREATED,
        target=key,
        changes=changes,
    )
    return key, text


@transaction.atomic
def rotate_api_key(
    *, key: ApiKey, actor: Actor, overlap_days: int = 0, days: int | None = USUAL_DAYS
) -> tuple[ApiKey, str]:
    """The key with a new text, which is never shown again, and a new time to expire.

    The text before works for ``overlap_days`` more, but not beyond its own time; one from a rotation
    before that stops at once. Who rotates a key holds it, so it may do no more than they may.
    """
    _check_hold(key, actor)
    _check_reach(actor, Role(key.role), key.scopes)
    if not 0 <= overlap_days <= MOST_OVERLAP_DAYS:
        raise UserError(
            f"The old key cannot work for {overlap_days} more days.",
            field="overlap_days",
            remedy=f"Give 0 to {MOST_OVERLAP_DAYS} days.",
        )
    # Two rotations at once take turns: the second then ends the text that the first gave out.
    locked = ApiKey.objects.for_organization(key.organization).select_for_update()
    key = locked.select_related("organization").get(pk=key.pk)
    if (state := key_state(key)) != "active":
        raise Conflict(f"This key is {state}.", remedy="Make a new key in its place.")
    text, now, before = _new_text(), timezone.now(), key.expires_at
    until = now + timedelta(days=overlap_days) if overlap_days else None
    key.previous_hash = key.key_hash if until else ""
    key.previous_expires_at = min(until, before) if until and before else until
    key.key_hash, key.prefix = hash_token(text), text[:10]
    key.expires_at, key.rotated_at = _expiry(days), now
    key.save()
    audit.record(
        organization=key.organization,
        actor=actor,
        action=AuditAction.API_KEY_ROTATED,
        target=key,
        changes={
            "expires_at": [_shown(before), _shown(key.expires_at)],
            "overlap_days": [None, overlap_days],
        },
    )
    return key, text


@transaction.atomic
def revoke_api_key(*, key: ApiKey, actor: Actor) -> None:
    """Editors revoke their own keys, admins and owners every key up to their role."""
    _check_hold(key, actor)
    if key.revoked_at:
        raise Conflict("This key was revoked already.")
    _revoke(key, actor)


def revoke_keys_of(membership: Membership, *, above: Role | None, actor: Actor) -> int:
    """Revoke the keys this member made, and say how many; with ``above`` only those stronger than that role."""
    keys = ApiKey.objects.for_organization(membership.organization)
    revoked = 0
    for key in keys.filter(created_by=membership.user, revoked_at__isnull=True):
        if above is None or not is_at_least(above, Role(key.role)):
            _revoke(key, actor)
            revoked += 1
    return revoked


def _check_hold(key: ApiKey, actor: Actor) -> None:
    actor.require(Permission.MANAGE_API_KEYS)
    check_grant(actor, Role(key.role))
    if not api_keys_of(key.organization, actor).filter(pk=key.pk).exists():
        raise PermissionDenied(
            "This key was made by somebody else.",
            remedy="Ask them, or an admin of the organization.",
        )


def _check_reach(actor: Actor, role: Role, scopes: list[str]) -> None:
    """A key with scopes gives none that it does not have itself."""
    if beyond := permissions_of(role, scopes) - actor.permissions:
        raise ScopeTooWide(
            f"This would be a key that may {_words(beyond)}, which you may not.",
            field="scopes",
            remedy="Name fewer scopes, or use a key that has them.",
        )


def _words(permissions: frozenset[Permission]) -> str:
    return ", ".join(sorted(permission.replace("_", " ") for permission in permissions))


def _new_text() -> str:
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def _expiry(days: int | None) -> datetime | None:
    """When a key of ``days`` expires, within what operators allow."""
    most = most_key_days()
    if days == USUAL_DAYS:
        days = usual_key_days()
    if most is not None and (days is None or days > most):
        raise UserError(
            f"Keys of this installation expire after {most} days at the most.",
            field="days",
            remedy=f"Give 1 to {most} days.",
        )
    if days is not None and days < 0:
        raise UserError("A key cannot expire in the past.", field="days", remedy="Give 1 or more.")
    return timezone.now() + timedelta(days=days) if days else None


def _shown(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _revoke(key: ApiKey, actor: Actor) -> None:
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    audit.record(
        organization=key.organization, actor=actor, action=AuditAction.API_KEY_REVOKED, target=key
    )
