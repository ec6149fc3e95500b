"""Organizations and the first start."""

import re
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission, Role
from common.errors import PermissionDenied, UserError
from common.scoping import unique_slug
from tenants import limits
from tenants.actors import Actor
from tenants.errors import SetUpAlready
from tenants.models import Membership, Organization, User
from tenants.services.base import required
from tenants.services.people import create_user

#: What a schema may be called in every warehouse, unquoted.
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@transaction.atomic
def create_organization(
    *, name: str, owner: User, actor: Actor | None = None, time_zone: str = "UTC", ip: str = ""
) -> Organization:
    """A new organization with its first owner, who counts as the actor unless one is given."""
    organization = Organization(
        name=required(name, "name"),
        slug=unique_slug(name, Organization.objects.all(), fallback="organization"),
        time_zone=_known_zone(time_zone),
    )
    organization.save()
    membership = Membership(organization=organization, user=owner, role=Role.OWNER)
    membership.save()
    audit.record(
        organization=organization,
        actor=actor or Actor.member(membership, ip=ip),
        action=AuditAction.ORGANIZATION_CREATED,
        target=organization,
    )
    return organization


@transaction.atomic
def set_up(
    *, email: str, name: str, password: str, organization_name: str, time_zone: str = "UTC"
) -> Organization:
    """The first start: the first person, who also operates the installation, and their organization."""
    if User.objects.exists():
        raise SetUpAlready
    user = create_user(email=email, name=name, password=password)
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])
    return create_organization(name=organization_name, owner=user, time_zone=time_zone)


@transaction.atomic
def update_organization(
    *,
    organization: Organization,
    actor: Actor,
    name: str,
    time_zone: str,
    default_schema: str,
    max_concurrent_runs: int | None = None,
    operated: dict[str, Any] | None = None,
) -> Organization:
    """Change the settings.

    ``max_concurrent_runs`` and ``operated`` (some of ``queue`` and the limits of a step, where None takes the
    platform's) are the installation's to give: operators only.
    """
    actor.require(Permission.MANAGE_ORGANIZATION)
    before = _settings_of(organization)
    organization.name = required(name, "name")
    organization.time_zone = _known_zone(time_zone)
    organization.default_schema = _schema_name(default_schema)
    if max_concurrent_runs is not None:
        organization.max_concurrent_runs = _limit(max_concurrent_runs, actor)
    for field, value in _operated(operated or {}, actor).items():
        setattr(organization, field, value)
    after = _settings_of(organization)
    if before == after:
        return organization
    organization.save(update_fields=list(after))
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.ORGANIZATION_UPDATED,
        target=organization,
        changes=audit.difference(before, after),
    )
    return organization


def _settings_of(organization: Organization) -> dict[str, Any]:
    names = ("name", "time_zone", "default_schema", "max_concurrent_runs", "queue")
    return {name: getattr(organization, name) for name in (*names, *limits.STEP_LIMITS)}


def _operated(values: dict[str, Any], actor: Actor) -> dict[str, Any]:
    if values and actor.kind != "operator":
        raise PermissionDenied(
            "The queue and the limits of steps are set by the operator of this installation.",
            field=next(iter(values)),
        )
    for name, value in values.items():
        if name == "queue":
            limits.check_queue(value)
        else:
            limits.check(name, value)
    return values


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise UserError(
            f"{name!r} is not a time zone.",
            field="time_zone",
            remedy="Use a name such as Europe/Berlin or UTC.",
        )
    return name


def _schema_name(name: str) -> str:
    if not _SCHEMA.fullmatch(name):
        raise UserError(
            f"{name!r} cannot name a schema.",
            field="default_schema",
            remedy="Use lower-case letters, digits and underscores, starting with a letter, up to 63.",
        )
    return name


def _limit(value: int, actor: Actor) -> int:
    if actor.kind != "operator":
        raise PermissionDenied(
            "The limit of concurrent runs is set by the operator of this installation.",
            field="max_concurrent_runs",
        )
    if not 1 <= value <= 1000:
        raise UserError("The limit is between 1 and 1000 runs.", field="max_concurrent_runs")
    return value
