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
from orchestration.engine import planner
from orchestration.graph import graph_of
from orchestration.models import (
    MissedPolicy,
    OverlapPolicy,
    Schedule,
)
from orchestration.requests import DAG
from orchestration.services.graph import node_of
from tenants.actors import Actor
from tenants.models import Organization


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
) -> Schedule:
    """A schedule of a node or of the graph. Raises ``InvalidCron`` naming the field."""
    actor.require(Permission.EDIT)
    living = Schedule.objects.for_organization(organization)
    schedule = Schedule(
        organization=organization, slug=unique_slug(name, living, fallback="schedule")
    )
    _apply(schedule, name, expression, time_zone, target, select, missed, overlap)
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
) -> Schedule:
    actor.require(Permission.EDIT)
    before = _snapshot(schedule)
    _apply(schedule, name, expression, time_zone, target, select, missed, overlap)
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
    schedule.next_run_at = _next(schedule) if active else None
    schedule.save(update_fields=["is_active", "next_run_at"])
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
    schedule.next_run_at = _next(schedule) if schedule.is_active else None
    schedule.save(update_fields=["deleted_at", "slug", "next_run_at"])
    audit.record(
        organization=schedule.organization,
        actor=actor,
        action=AuditAction.SCHEDULE_RESTORED,
        target=schedule,
    )
    return schedule


def _apply(
    schedule: Schedule,
    name: str,
    expression: str,
    time_zone: str,
    target: str,
    select: str,
    missed: str,
    overlap: str,
) -> None:
    if not name.strip():
        raise UserError("A name is needed.", field="name")
    minute, hour, day, month, weekday = cron.fields_of(expression)
    cron.zone_of(time_zone)
    schedule.name = name.strip()[:80]
    schedule.node = None if target == DAG else node_of(schedule.organization, target, "target")
    schedule.select = select.strip()
    if schedule.select:
        planner.select(graph_of(schedule.organization), schedule.select)
    schedule.missed = _member(MissedPolicy, missed, "missed")
    schedule.overlap = _member(OverlapPolicy, overlap, "overlap")
    fields = {
        "minute": minute,
        "hour": hour,
        "day_of_month": day,
        "month_of_year": month,
        "day_of_week": weekday,
        "timezone": time_zone,
    }
    schedule.crontab = CrontabSchedule.objects.filter(
        **fields
    ).first() or CrontabSchedule.objects.create(**fields)
    schedule.next_run_at = _next(schedule) if schedule.is_active else None
    schedule.save()


def _member(kind: type[MissedPolicy] | type[OverlapPolicy], value: str, field: str) -> str:
    if value not in kind.values:
        raise UserError(
            f"{value!r} is not a choice.", field=field, remedy=f"Use {', '.join(kind.values)}."
        )
    return value


def _next(schedule: Schedule) -> datetime:
    return next(cron.times_after(schedule.cron, schedule.time_zone, timezone.now()))


def _snapshot(schedule: Schedule) -> dict[str, str]:
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "target": schedule.node.key if schedule.node else DAG,
        "select": schedule.select,
        "missed": schedule.missed,
        "overlap": schedule.overlap,
    }
