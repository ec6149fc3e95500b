"""Reads that several faces share."""

import time
from dataclasses import dataclass
from datetime import datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Count, QuerySet
from django.db.models.signals import post_save
from django.utils import timezone

from common.access import ROLE_ORDER, ROLE_PERMISSIONS, Permission, Role, is_at_least
from common.scoping import OrganizationOwned
from tenants.actors import Actor
from tenants.grants import Shared, permission_of, rows_on, shared_in
from tenants.models import ApiKey, Invitation, Membership, Organization, PlatformSettings, User


def members_of(organization: Organization) -> QuerySet[Membership]:
    rows = Membership.objects.for_organization(organization)
    return rows.select_related("user", "organization").order_by("user__email")


@dataclass(frozen=True)
class Access:
    """What a member may do with one thing: by their role, and what was shared with them besides."""

    membership: Membership
    grant: Permission | None

    @property
    def by_role(self) -> frozenset[Permission]:
        return ROLE_PERMISSIONS[Role(self.membership.role)]


def access_to(thing: OrganizationOwned) -> list[Access]:
    """Of every member, by e-mail address."""
    model = str(thing._meta.model_name)
    given = {row.user_id: permission_of(row.permission.codename, model) for row in rows_on(thing)}
    members = members_of(thing.organization)
    return [Access(member, given.get(member.user_id)) for member in members]


def membership_behind(organization: Organization, actor: Actor) -> Membership | None:
    """The actor as a member; None for machines and operators."""
    if actor.kind != "user":
        return None
    return members_of(organization).filter(user_id=actor.identifier).first()


def shared_with(membership: Membership) -> list[Shared]:
    """What was shared with a member and is not in the trash, by kind and name."""
    found = [
        Shared(thing, permission)
        for row, thing in shared_in(membership.user_id, membership.organization_id)
        if (permission := permission_of(row.permission.codename, row.content_type.model))
        and not getattr(thing, "is_deleted", False)
    ]
    return sorted(found, key=lambda one: (one.kind, str(one.thing).lower(), one.thing.pk))


def open_invitations_of(organization: Organization) -> QuerySet[Invitation]:
    """Neither used nor taken back; the expired are among them, greyed, until somebody revokes them."""
    rows = Invitation.objects.for_organization(organization).select_related("organization")
    return rows.filter(accepted_at__isnull=True, revoked_at__isnull=True)


def api_keys_of(organization: Organization, actor: Actor) -> QuerySet[ApiKey]:
    """Every key for admins and owners; for others those made by the person behind the actor."""
    rows = ApiKey.objects.for_organization(organization).select_related(
        "created_by", "organization"
    )
    if is_at_least(actor.role, Role.ADMIN):
        return rows
    person = _person_behind(organization, actor)
    return rows.filter(created_by_id=person) if person else rows.none()


def _person_behind(organization: Organization, actor: Actor) -> int | None:
    if actor.kind == "user":
        return int(actor.identifier)
    if actor.kind == "api_key":
        keys = ApiKey.objects.for_organization(organization)
        return keys.filter(pk=actor.identifier).values_list("created_by_id", flat=True).first()
    return None


def is_last_owner(membership: Membership) -> bool:
    if membership.role != Role.OWNER:
        return False
    owners = Membership.objects.for_organization(membership.organization).filter(role=Role.OWNER)
    return not owners.exclude(pk=membership.pk).exists()


def roles_up_to(role: Role) -> list[Role]:
    """The roles that somebody with ``role`` may give, the weakest first."""
    return [other for other in ROLE_ORDER if is_at_least(role, other)]


def key_state(key: ApiKey, now: datetime | None = None) -> str:
    """``active``, ``expired`` or ``revoked``."""
    if key.revoked_at:
        return "revoked"
    expired = key.expires_at is not None and key.expires_at <= (now or timezone.now())
    return "expired" if expired else "active"


def usual_key_days() -> int:
    """Days until a new API key expires, unless its maker says otherwise."""
    usual, most = platform_settings().api_key_days, most_key_days()
    return usual if most is None else min(usual, most)


def most_key_days() -> int | None:
    """The most days that the maker of an API key may choose; None is for ever."""
    return platform_settings().api_key_most_days


def key_counts_of(organization: Organization) -> dict[int, int]:
    """User id → how many of the keys they made still work."""
    keys = ApiKey.objects.for_organization(organization).filter(revoked_at__isnull=True)
    rows = keys.exclude(expires_at__lte=timezone.now()).exclude(created_by=None)
    counts: dict[int, int] = dict(
        rows.order_by()
        .values_list("created_by_id")
        .annotate(Count("pk"))
        .values_list("created_by_id", "pk__count")
    )
    return counts


@dataclass(frozen=True)
class StepLimits:
    """What one step may use; 0 is no limit."""

    wall_seconds: int
    memory_mb: int
    cpu_seconds: int
    disk_mb: int


def platform_settings() -> PlatformSettings:
    """The one row, or its defaults while no operator has saved it; not to be changed.

    Every claim asks for it, so it is remembered for ``PLATFORM_SETTINGS_SECONDS``; a change reaches other processes
    after that long.
    """
    global _remembered  # noqa: PLW0603 - one memory per process
    now = time.monotonic()
    if _remembered and now - _remembered[0] < settings.PLATFORM_SETTINGS_SECONDS:
        return _remembered[1]
    # An unreadable secret of the mail server must not stop everything else.
    rows = PlatformSettings.objects.defer("mail_secrets")
    row = rows.filter(pk=1).first() or PlatformSettings()
    _remembered = (now, row)
    return row


def forget_platform_settings(**_: object) -> None:
    """The next question reads the row again."""
    global _remembered  # noqa: PLW0603
    _remembered = None


_remembered: tuple[float, PlatformSettings] | None = None
post_save.connect(
    forget_platform_settings, sender=PlatformSettings, dispatch_uid="forget_platform_settings"
)


def limits_of(organization: Organization) -> StepLimits:
    """The organization's own limits, else the platform's, else those of the environment."""
    platform = platform_settings()

    def limit(name: str, default: int) -> int:
        for row in (organization, platform):
            value = getattr(row, name)
            if value is not None:
                return int(value)
        return default

    return StepLimits(
        wall_seconds=limit("step_timeout_seconds", settings.STEP_TIMEOUT_SECONDS),
        memory_mb=limit("step_memory_mb", settings.STEP_MEMORY_MB),
        cpu_seconds=limit("step_cpu_seconds", 0),
        disk_mb=limit("step_disk_mb", settings.STEP_DISK_MB),
    )


#: How long an account is kept that somebody began and nobody has proven.
UNPROVEN_DAYS = 30


def unproven(before: datetime) -> QuerySet[User]:
    """Accounts begun on the sign-up page before then with which nobody has ever come in."""
    waiting = EmailAddress.objects.filter(primary=True, verified=False)
    rows = User.objects.filter(
        pk__in=waiting.values("user_id"),
        last_login__isnull=True,
        is_staff=False,
        memberships__isnull=True,
        date_joined__lt=before,
    )
    return rows.order_by("pk")
