"""API keys: shown once, kept as a hash."""

import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission, Role, is_at_least
from common.errors import Conflict, PermissionDenied
from tenants.actors import Actor
from tenants.models import ApiKey, Membership, Organization, User
from tenants.selectors import api_keys_of
from tenants.services.base import check_grant, hash_token, required

API_KEY_PREFIX = "etf_"


@transaction.atomic
def issue_api_key(
    *,
    organization: Organization,
    name: str,
    role: Role,
    actor: Actor,
    created_by: User | None = None,
    days: int | None = 90,
) -> tuple[ApiKey, str]:
    """A key and its text, which is never shown again. ``days`` None means it does not expire."""
    actor.require(Permission.MANAGE_API_KEYS)
    check_grant(actor, role)
    text = API_KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        organization=organization,
        name=required(name, "name"),
        prefix=text[:10],
        key_hash=hash_token(text),
        role=role,
        created_by=created_by,
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    key.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.API_KEY_CREATED,
        target=key,
        changes={"role": [None, role]},
    )
    return key, text


@transaction.atomic
def revoke_api_key(*, key: ApiKey, actor: Actor) -> None:
    """Editors revoke their own keys, admins and owners every key up to their role."""
    actor.require(Permission.MANAGE_API_KEYS)
    check_grant(actor, Role(key.role))
    if not api_keys_of(key.organization, actor).filter(pk=key.pk).exists():
        raise PermissionDenied(
            "This key was made by somebody else.",
            remedy="Ask them, or an admin of the organization.",
        )
    if key.revoked_at:
        raise Conflict("This key was revoked already.")
    _revoke(key, actor)


def revoke_keys_of(membership: Membership, *, above: Role | None, actor: Actor) -> None:
    """Revoke the keys this member made; with ``above`` only those stronger than that role."""
    keys = ApiKey.objects.for_organization(membership.organization)
    for key in keys.filter(created_by=membership.user, revoked_at__isnull=True):
        if above is None or not is_at_least(above, Role(key.role)):
            _revoke(key, actor)


def _revoke(key: ApiKey, actor: Actor) -> None:
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    audit.record(
        organization=key.organization, actor=actor, action=AuditAction.API_KEY_REVOKED, target=key
    )
