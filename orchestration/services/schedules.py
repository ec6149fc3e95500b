"""Every change to schedules."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import UserError
from common.scoping import unique_slug
from orchestration import cron
from orchestration.calendars import next_start
from orchestration.graph import graph_of
from orchestration.models import (
    MissedPolicy,
    Node,
    OverlapPolicy,
    Schedule,
)
from orchestration.requests import DAG, chosen_of
from orchestration.services.graph import node_of
from tenants.actors import Actor
from tenants.models import Organization

#: What URLs below ``schedules/`` mean otherwise.
RESERVED = frozenset({"pause-all", "resume-all", "create", "preview"})


@transaction.atomic
def create_schedule(
    *,
    organization: Organization,
    actor: Actor,
    name: str,
    expression: str,
    time_zone: str,
    target: str = DAG,
    select: str = "",
    missed: str = MissedPolicy.ONCE,
    overlap: str = OverlapPolicy.SKIP,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Schedule:
    """A schedule of a node, of a selection or of the graph, between two dates where they are given.

    Raises ``InvalidCron`` and others naming the field.
    """
    actor.require(Permission.EDIT)
    living = Schedule.objects.for_organization(organization)
    slug = unique_slug(name, living, fallback="schedule")
    if slug in RESERVED:
        slug = unique_slug(f"{name} schedule", living, fallback="schedule")
    schedule = Schedule(organization=organization, slug=slug)
    _apply(schedule, name, target, select, missed, overlap)
    _time(schedule, expression, time_zone, starts_at, ends_at)
    if schedule.next_run_at is None and organization.schedules_paused_at is None:
        raise UserError(
            "It never starts: no time of it lies before its end.",
            field="ends_at",
            remedy="Choose a later end, or none.",
        )
    schedule.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.SCHEDULE_CREATED,
        target=schedule,
        changes=audit.difference({}, _snapshot(schedule)),
    )
    return schedule


@transaction.atomic
def update_schedule(
    *,
    schedule: Schedule,
    actor: Actor,
    name: str,
    expression: str,
    time_zone: str,
    target: str,
    select: str,
    missed: str,
    overlap: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
) -> Schedule:
    """Change everything at once. Times that have passed are over; the next one is counted from now."""
    actor.require(Permission.EDIT)
    before = _snapshot(schedule)
    _apply(schedule, name, target, select, missed, overlap)
    _time(schedule, expression, time_zone, starts_at, ends_at)
    schedule.save()
    audit.record(
        organization=schedule.organization,
        actor=actor,
        action=AuditAction.SCHEDULE_UPDATED,
        target=schedule,
        changes=audit.difference(before, _snapshot(schedule)),
    )
    return schedule


@transaction.atomic
def set_schedule_active(*, schedule: Schedule, actor: Actor, active: bool) -> Schedule:
    """Pause or resume; times that pass meanwhile are not made up for."""
    actor.require(Permission.EDIT)
    schedule.is_active = active
    schedule.next_run_at, schedule.note = _next(schedule), ""
    schedule.save(update_fields=["is_active", "next_run_at", "note"])
    action = AuditAction.SCHEDULE_RESUMED if active else AuditAction.SCHEDULE_PAUSED
    audit.record(organization=schedule.organization, actor=actor, action=action, target=schedule)
    return schedule


@transaction.atomic
def delete_schedule(*, schedule: Schedule, actor: Actor) -> None:
    actor.require(Permission.EDIT)
    schedule.put_in_trash()
    audit.record(
        organization=schedule.organization,
        actor=actor,
        action=AuditAction.SCHEDULE_DELETED,
        target=schedule,
    )


@transaction.atomic
def restore_schedule(*, schedule: Schedule, actor: Actor) -> Schedule:
    """Back from the trash, active or paused as it was; times that passed meanwhile are not made up for."""
    actor.require(Permission.EDIT)
    living = Schedule.objects.for_organization(schedule.organization)
    schedule.slug = unique_slug(schedule.slug, living, fallback="schedule")
    schedule.deleted_at = None
    schedule.next_run_at = _next(schedule)
    schedule.save(update_fields=["deleted_at", "slug", "next_run_at"])
    audit.record(
        organization=schedule.organization,
        actor=actor,
        action=AuditAction.SCHEDULE_RESTORED,
        target=schedule,
    )
    return schedule


def pause_all_schedules(*, organization: Organization, actor: Actor) -> Organization:
    """No schedule of the organization starts anything from now on; each keeps whether it is paused itself."""
    return _set_all_paused(organization, actor, paused=True)


def resume_all_schedules(*, organization: Organization, actor: Actor) -> Organization:
    """Times that passed meanwhile are not made up for; schedules that are paused themselves stay so."""
    return _set_all_paused(organization, actor, paused=False)


@transaction.atomic
def _set_all_paused(organization: Organization, actor: Actor, *, paused: bool) -> Organization:
    actor.require(Permission.EDIT)
    # The tick holds this row while it fires: afterwards no start of before follows.
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    if (organization.schedules_paused_at is not None) == paused:
        return organization
    organization.schedules_paused_at = timezone.now() if paused else None
    organization.schedules_paused_by = actor.label if paused else ""
    organization.save(update_fields=["schedules_paused_at", "schedules_paused_by"])
    reckon_again(organization)
    action = AuditAction.ALL_SCHEDULES_PAUSED if paused else AuditAction.ALL_SCHEDULES_RESUMED
    audit.record(organization=organization, actor=actor, action=action, target=organization)
    return organization


def reckon_again(organization: Organization) -> None:
    """The next time of every schedule, counted from now, after all of them began or ended to rest."""
    rows = Schedule.objects.for_organization(organization).filter(is_active=True)
    changed = list(rows.select_related("crontab"))
    for schedule in changed:
        schedule.organization = organization
        schedule.next_run_at = _next(schedule)
    Schedule.all_organizations.bulk_update(changed, ["next_run_at"], batch_size=500)


def pause_schedules_of(node: Node, actor: Actor, reason: str) -> list[Schedule]:
    """Pause those that start this node alone, with the reason as their note, until somebody resumes them."""
    rows = Schedule.objects.for_organization(node.organization).filter(node=node, is_active=True)
    paused = list(rows)
    for schedule in paused:
        schedule.is_active, schedule.next_run_at, schedule.note = False, None, reason[:300]
        schedule.save(update_fields=["is_active", "next_run_at", "note"])
        audit.record(
            organization=node.organization,
            actor=actor,
            action=AuditAction.SCHEDULE_PAUSED,
            target=schedule,
            changes={"reason": [None, reason]},
        )
    return paused


def _apply(
    schedule: Schedule, name: str, target: str, select: str, missed: str, overlap: str
) -> None:
    """What it starts, and what it does when a start does not fit."""
    if not name.strip():
        raise UserError("A name is needed.", field="name", remedy="Give it one.")
    schedule.name = name.strip()[:80]
    schedule.node = None if target == DAG else node_of(schedule.organization, target, "target")
    schedule.select = select.strip()
    if schedule.select:
        chosen_of(graph_of(schedule.organization), target, schedule.select)
    schedule.missed = _member(MissedPolicy, missed, "missed")
    schedule.overlap = _member(OverlapPolicy, overlap, "overlap")


def _time(
    schedule: Schedule,
    expression: str,
    time_zone: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
) -> None:
    """When it starts."""
    minute, hour, day, month, weekday = cron.fields_of(expression)
    cron.zone_of(time_zone)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise UserError(
            "It would end before it begins.", field="ends_at", remedy="Choose a later end, or none."
        )
    fields = {
        "minute": minute,
        "hour": hour,
        "day_of_month": day,
        "month_of_year": month,
        "day_of_week": weekday,
        "timezone": time_zone,
    }
    rows = CrontabSchedule.objects
    schedule.crontab = rows.filter(**fields).first() or rows.create(**fields)
    schedule.starts_at, schedule.ends_at = starts_at, ends_at
    schedule.next_run_at = _next(schedule)


def _member(kind: type[MissedPolicy] | type[OverlapPolicy], value: str, field: str) -> str:
    if value not in kind.values:
        raise UserError(
            f"{value!r} is not a choice.", field=field, remedy=f"Use {', '.join(kind.values)}."
        )
    return value


def _next(schedule: Schedule) -> datetime | None:
    """None for one that rests, by itself or with all others, and for one that is over."""
    organization = schedule.organization
    if organization.schedules_paused_at is not None or organization.is_at_rest:
        return None
    if not schedule.is_active:
        return None
    return next_start(schedule, timezone.now())


def _snapshot(schedule: Schedule) -> dict[str, str]:
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "target": schedule.node.key if schedule.node else DAG,
        "select": schedule.select,
        "missed": schedule.missed,
        "overlap": schedule.overlap,
        "starts_at": schedule.starts_at.isoformat() if schedule.starts_at else "",
        "ends_at": schedule.ends_at.isoformat() if schedule.ends_at else "",
    }
