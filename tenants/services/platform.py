"""What operators decide for the whole installation."""

from typing import Any

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import PermissionDenied, UserError
from tenants import limits, platform_mail, restrictions
from tenants.actors import Actor
from tenants.models import Organization, PlatformSettings

#: The ping's address carries the secret that proves who pings.
_SECRET = frozenset({"heartbeat_url"})
#: Another machine, or another account on it, must not be sent the stored password.
_WHERE_TO = ("host", "port", "user")


@transaction.atomic
def update_platform(*, actor: Actor, mail_password: str = "", **values: Any) -> PlatformSettings:
    """Change some of the settings (``limits.PLATFORM_NAMES``); the others stay.

    An empty ``mail_password`` keeps the stored one, unless the server is another. The installation's audit log gets
    the event, and that of each organization what concerns its work.
    """
    _operators_only(actor)
    unknown = values.keys() - set(limits.PLATFORM_NAMES)
    if unknown:
        raise TypeError(f"There is no platform setting {', '.join(sorted(unknown))}.")
    platform = PlatformSettings.objects.select_for_update().defer("mail_secrets").first()
    platform = platform or PlatformSettings()
    before = _values_of(platform)
    after = before | values
    after["mail"] = platform_mail.check_mail(after["mail"])
    check_platform(after, mail_password=mail_password, stored=platform)
    changes = audit.difference(before, after, secret=_SECRET)
    if _store_password(platform, after["mail"], mail_password):
        changes["mail_password"] = [audit.MASK, audit.MASK]
    if not changes and not platform._state.adding:
        return platform
    for name, value in after.items():
        setattr(platform, name, value)
    # What was not read is not written: the password stays as it lies there.
    platform.save()
    _record(actor, platform, changes)
    return platform


def check_platform(
    values: dict[str, Any], *, mail_password: str = "", stored: PlatformSettings | None = None
) -> None:
    """``UserError`` with the field of the first value that cannot be. ``stored`` is what is in force by now."""
    for name in (
        *limits.STEPS,
        *limits.STEP_LIMITS,
        *limits.RETENTION,
        *limits.TRASH,
        *limits.KEYS,
        *limits.UPLOADS,
    ):
        limits.check(name, values[name])
    limits.check_retention(values)
    limits.check_heartbeat_url(values["heartbeat_url"])
    restrictions.check_egress(values["egress_policy"])
    restrictions.check_file_roots(values["allowed_file_roots"])
    restrictions.check_connectors(values["allowed_connectors"])
    restrictions.check_sign_up(values["sign_up_policy"], values["sign_up_domains"])
    mail = platform_mail.check_mail(values["mail"])
    if mail and mail["user"] and not mail_password and _is_elsewhere(mail, stored):
        raise UserError(
            "The mail server needs a password for this user.",
            field="mail_password",
            remedy="Enter it; after a change of host, port or user it has to be entered again.",
        )


def send_test_mail(*, actor: Actor, address: str) -> None:
    """A mail through the server in force; ``UserError`` with what the server said when it was not taken."""
    _operators_only(actor)
    platform_mail.send_test(address)


def has_mail_password() -> bool:
    """Whether one is stored; nobody reads it again."""
    return PlatformSettings.objects.filter(pk=1).exclude(mail_secrets="").exists()


def _is_elsewhere(mail: dict[str, Any], stored: PlatformSettings | None) -> bool:
    known = (stored.mail if stored else None) or {}
    return any(known.get(name) != mail[name] for name in _WHERE_TO) or not has_mail_password()


def _store_password(platform: PlatformSettings, mail: dict[str, Any] | None, password: str) -> bool:
    """Put the new password on the row, or take the old one away where nothing needs it; whether it changed."""
    if mail and mail["user"]:
        if password:
            platform.mail_secrets = {"password": password}
        return bool(password)
    if platform._state.adding or not has_mail_password():
        return False
    platform.mail_secrets = {}
    return True


def _record(actor: Actor, platform: PlatformSettings, changes: dict[str, Any]) -> None:
    told = {name: change for name, change in changes.items() if name in limits.TOLD_NAMES}
    if changes:
        audit.record(
            organization=None,
            actor=actor,
            action=AuditAction.PLATFORM_UPDATED,
            target=platform,
            changes=changes,
        )
    if not told:
        return
    for organization in Organization.objects.order_by("pk").iterator():
        audit.record(
            organization=organization,
            actor=actor,
            action=AuditAction.PLATFORM_UPDATED,
            target=platform,
            changes=told,
        )


def _operators_only(actor: Actor) -> None:
    if actor.kind != "operator":
        raise PermissionDenied("Platform settings are changed by operators of this installation.")


def _values_of(platform: PlatformSettings) -> dict[str, Any]:
    return {name: getattr(platform, name) for name in limits.PLATFORM_NAMES}
