"""What operators decide for the whole installation."""

from typing import Any

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import PermissionDenied
from tenants import limits, restrictions
from tenants.actors import Actor
from tenants.models import Organization, PlatformSettings

#: The ping's address carries the secret that proves who pings.
_SECRET = frozenset({"heartbeat_url"})


@transaction.atomic
def update_platform(*, actor: Actor, **values: Any) -> PlatformSettings:
    """Change some of the settings (``limits.PLATFORM_NAMES``); the others stay.

    Each organization's audit log gets the event: the limits and the retention are those of its runs.
    """
    if actor.kind != "operator":
        raise PermissionDenied("Platform settings are changed by operators of this installation.")
    unknown = values.keys() - set(limits.PLATFORM_NAMES)
    if unknown:
        raise TypeError(f"There is no platform setting {', '.join(sorted(unknown))}.")
    platform = PlatformSettings.objects.select_for_update().filter(pk=1).first()
    platform = platform or PlatformSettings()
    before = _values_of(platform)
    after = before | values
    check_platform(after)
    for name, value in after.items():
        setattr(platform, name, value)
    if before == after and not platform._state.adding:
        return platform
    platform.save()
    changes = audit.difference(before, after, secret=_SECRET)
    if changes:
        for organization in Organization.objects.order_by("pk").iterator():
            audit.record(
                organization=organization,
                actor=actor,
                action=AuditAction.PLATFORM_UPDATED,
                target=platform,
                changes=changes,
            )
    return platform


def check_platform(values: dict[str, Any]) -> None:
    """``UserError`` with the field of the first value that cannot be."""
    for name in (
        *limits.STEPS,
        *limits.STEP_LIMITS,
        *limits.RETENTION,
        *limits.TRASH,
        *limits.KEYS,
    ):
        limits.check(name, values[name])
    limits.check_retention(values)
    limits.check_heartbeat_url(values["heartbeat_url"])
    restrictions.check_egress(values["egress_policy"])
    restrictions.check_file_roots(values["allowed_file_roots"])


def _values_of(platform: PlatformSettings) -> dict[str, Any]:
    return {name: getattr(platform, name) for name in limits.PLATFORM_NAMES}
