"""Every change to runs, dependencies and schedules."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import NotFound, UserError
from common.scoping import unique_slug
from orchestration import cron
from orchestration.engine import log, planner
from orchestration.engine.advance import advance, broken_nodes
from orchestration.errors import CyclicDependency, RunNotActive, RunStillActive
from orchestration.graph import find_thing, graph_of, node_for
from orchestration.models import (
    Dependency,
    MissedPolicy,
    Node,
    OverlapPolicy,
    Run,
    RunStep,
    Schedule,
    Status,
    Trigger,
)
from orchestration.options import options_of
from orchestration.requests import DAG, create_run
from orchestration.tasks import ring_on_commit
from pipelines.runner import LoadOptions
from tenants.actors import Actor
from tenants.models import Organization


@transaction.atomic
def request_run(
    *,
    organization: Organization,
    actor: Actor,
    target: str,
    select: str = "",
    trigger: Trigger = Trigger.MANUAL,
    full_refresh: bool = False,
    tables: Iterable[str] = (),
    cursor_from: str = "",
    cursor_to: str = "",
    replay_rejects: bool = False,
    idempotency_key: str = "",
) -> Run:
    """Queue a run of ``pipeline:<slug>``, ``transformation:<name>`` or ``dag``.

    ``tables``, the half-open range from ``cursor_from`` to ``cursor_to`` (deleted and loaded again) and
    ``replay_rejects`` are asked of a pipeline; ``InvalidLoadOptions`` names what it cannot do.
    The same ``idempotency_key`` again answers with the run it made the first time.
    """
    actor.require(Permission.RUN)
    if idempotency_key:
        # Two requests with one key take turns here, so the second finds the first's run.
        Organization.objects.select_for_update().get(pk=organization.pk)
        rows = Run.objects.for_organization(organization)
        if known := rows.filter(idempotency_key=idempotency_key).first():
            return known
    run, ready = create_run(
        organization=organization,
        actor=actor,
        target=target,
        select=select,
        trigger=trigger,
        options=LoadOptions.of(
            full_refresh=full_refresh,
            tables=tables,
            cursor_from=cursor_from,
            cursor_to=cursor_to,
            replay_rejects=replay_rejects,
        ),
        idempotency_key=idempotency_key,
    )
    ring_on_commit(ready)
    return run


@transaction.atomic
def cancel_run(*, run: Run, actor: Actor) -> Run:
    """Ask for the end: queued steps end now, running ones within seconds."""
    actor.require(Permission.RUN)
    run = Run.objects.for_organization(run.organization).select_for_update().get(pk=run.pk)
    if not run.is_active:
        raise RunNotActive(f"Run #{run.number} has ended already.")
    if run.cancel_requested_at is not None:
        return run
    run.cancel_requested_at, run.cancelled_by = timezone.now(), actor.label
    run.save(update_fields=["cancel_requested_at", "cancelled_by"])
    steps = RunStep.objects.for_organization(run.organization).filter(run=run)
    steps.filter(status=Status.QUEUED).update(
        status=Status.CANCELLED, finished_at=timezone.now(), waiting_for=""
    )
    log.note(run, "warn", f"Cancelled by {actor.label}.")
    audit.record(
        organization=run.organization, actor=actor, action=AuditAction.RUN_CANCELLED, target=run
    )
    advance(run.pk)
    run.refresh_from_db()
    return run


@transaction.atomic
def retry_run(*, run: Run, actor: Actor, from_failure: bool = False) -> Run:
    """The same target and options again with today's configuration; or only what failed and what stands behind it."""
    actor.require(Permission.RUN)
    if run.is_active:
        raise RunStillActive(
            f"Run #{run.number} has not ended yet.", remedy="Cancel it first, or wait."
        )
    only = None
    if from_failure:
        steps = list(RunStep.objects.for_organization(run.organization).filter(run=run))
        living = graph_of(run.organization).nodes
        only = {key for key in broken_nodes(steps) if key in living}
        if not only:
            raise UserError("Nothing of this run failed.", remedy="Run it again as a whole.")
    again, ready = create_run(
        organization=run.organization,
        actor=actor,
        target=run.target,
        select=run.select,
        trigger=Trigger.RETRY,
        options=options_of(run),
        retry_of=run,
        only=only,
    )
    ring_on_commit(ready)
    return again


@transaction.atomic
def add_dependency(
    *, organization: Organization, actor: Actor, upstream: str, downstream: str
) -> Dependency:
    """Let ``downstream`` wait for ``upstream`` (keys). A circle is refused, naming its path."""
    actor.require(Permission.EDIT)
    # Two edges added at once could close a circle together; they take turns here.
    Organization.objects.select_for_update().get(pk=organization.pk)
    first = _node(organization, upstream, "upstream")
    second = _node(organization, downstream, "downstream")
    if first == second:
        raise CyclicDependency([upstream, downstream])
    graph = graph_of(organization)
    if cycle := graph.cycle_with(frozenset({(upstream, downstream)})):
        raise CyclicDependency(cycle)
    rows = Dependency.objects.for_organization(organization)
    if rows.filter(upstream=first, downstream=second).exists():
        raise UserError("This dependency exists already.", field="upstream")
    dependency = Dependency(organization=organization, upstream=first, downstream=second)
    dependency.save()
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.DEPENDENCY_ADDED,
        target=dependency,
    )
    return dependency


@transaction.atomic
def remove_dependency(*, dependency: Dependency, actor: Actor) -> None:
    actor.require(Permission.EDIT)
    audit.record(
        organization=dependency.organization,
        actor=actor,
        action=AuditAction.DEPENDENCY_REMOVED,
        target=dependency,
    )
    dependency.delete()


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
    schedule.node = None if target == DAG else _node(schedule.organization, target, "target")
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


def _node(organization: Organization, key: str, field: str) -> Node:
    thing = find_thing(organization, key)
    if thing is None:
        raise NotFound(
            f"There is no {key!r} in this organization.",
            field=field,
            remedy="Use pipeline:<slug> or transformation:<name>.",
        )
    return node_for(thing)
