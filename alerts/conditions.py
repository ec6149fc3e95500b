"""What the watch looks for: nodes without a success, scheduled runs that do not end, steps that take too long, and
tables that nobody refreshes. Reads only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Q
from django.utils.translation import gettext as _

from alerts import links
from alerts.models import AlertRule, Condition, Scope
from alerts.scope import keys_in, pipelines_in, tags_of, transformations_in
from common.ui.formats import format_duration
from connections.models import DatasetTable
from orchestration.models import (
    FINAL_STATUSES,
    IS_ACTIVE,
    Run,
    RunStep,
    RunStepResult,
    Schedule,
    Status,
)

#: The usual duration is the median of so many, and is not known from fewer than that.
USUAL_OF, USUAL_FROM = 10, 3
#: A step that takes no longer than this never took too many times as long as usual.
LEAST_SECONDS = 60
#: A run that succeeded within a window was asked for at most so long before it.
QUEUED_AT_MOST = timedelta(days=2)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the rule wants it."""

    subject: str
    name: str
    path: str
    since: datetime
    text: str
    run: Run | None = None


@dataclass(frozen=True)
class Found:
    """``well`` are subjects seen to be as they should; None: whatever is not found is well."""

    findings: list[Finding] = field(default_factory=list)
    well: set[str] | None = None


def find_no_success(rule: AlertRule, now: datetime) -> Found:
    """Nodes whose last success is further back than the rule allows."""
    seconds = rule.no_success_seconds or 0
    cutoff = now - timedelta(seconds=seconds)
    fresh = _succeeded_since(rule, cutoff)
    findings = []
    nodes = [(f"pipeline:{p.slug}", p.name, p.created_at) for p in pipelines_in(rule)]
    nodes += [(f"transformation:{t.name}", t.name, t.created_at) for t in transformations_in(rule)]
    for key, name, created_at in nodes:
        # What is younger than the window has not had its chance yet.
        if key in fresh or created_at > cutoff:
            continue
        text = _("%(name)s has not succeeded for %(time)s.") % {
            "name": name,
            "time": format_duration(seconds),
        }
        path = links.path_of(rule.organization, key)
        findings.append(Finding(key, name, path, cutoff, text))
    return Found(findings, fresh)


def _succeeded_since(rule: AlertRule, cutoff: datetime) -> set[str]:
    window = {"finished_at__gte": cutoff, "status": Status.SUCCEEDED}
    steps = RunStep.objects.for_organization(rule.organization).filter(
        run__requested_at__gte=cutoff - QUEUED_AT_MOST, pipeline__isnull=False, **window
    )
    found = {
        f"pipeline:{slug}" for slug in steps.values_list("pipeline__slug", flat=True).distinct()
    }
    if rule.scope != Scope.PIPELINE:
        results = RunStepResult.objects.for_organization(rule.organization).filter(
            step__run__requested_at__gte=cutoff - QUEUED_AT_MOST, **window
        )
        names = results.exclude(kind__in=["table", "test"]).values_list("name", flat=True)
        found |= {f"transformation:{name}" for name in names.distinct()}
    return found


def find_overdue(rule: AlertRule, now: datetime) -> Found:
    """Due times whose run has not ended, or was never started, so long after them."""
    limit = now - timedelta(seconds=rule.overdue_seconds or 0)
    rows = Run.objects.for_organization(rule.organization).filter(
        IS_ACTIVE, schedule__isnull=False, scheduled_for__lte=limit
    )
    findings: dict[str, Finding] = {}
    for run in rows.select_related("schedule", "organization").order_by("scheduled_for"):
        if run.schedule is not None and run.scheduled_for and _concerns(rule, run):
            text = _("The run of %(due)s has not ended.") % {"due": _clock(run.scheduled_for)}
            finding = _of_schedule(rule, run.schedule, run.scheduled_for, text, run)
            findings.setdefault(finding.subject, finding)
    for schedule in _not_started(rule, limit):
        assert schedule.next_run_at is not None
        text = _("The run of %(due)s was not started.") % {"due": _clock(schedule.next_run_at)}
        finding = _of_schedule(rule, schedule, schedule.next_run_at, text, None)
        findings.setdefault(finding.subject, finding)
    return Found(list(findings.values()))


def _of_schedule(
    rule: AlertRule, schedule: Schedule, due: datetime, text: str, run: Run | None
) -> Finding:
    path = links.path_of(rule.organization, "schedule:")
    return Finding(f"schedule:{schedule.slug}", schedule.name, path, due, text, run)


def _not_started(rule: AlertRule, limit: datetime) -> Iterable[Schedule]:
    if rule.organization.schedules_paused_at is not None:
        return []
    rows = Schedule.objects.for_organization(rule.organization)
    rows = rows.filter(is_active=True, next_run_at__lte=limit)
    found = rows.select_related("node__pipeline", "node__transformation")
    if rule.scope == Scope.ORGANIZATION:
        return found
    keys = {schedule.node.key for schedule in found if schedule.node}
    wanted = keys_in(rule, keys, tags_of(rule.organization, keys))
    return [schedule for schedule in found if schedule.node and schedule.node.key in wanted]


def _concerns(rule: AlertRule, run: Run) -> bool:
    """Whether something that has not ended yet in the run is watched by the rule."""
    if rule.scope == Scope.ORGANIZATION:
        return True
    steps = RunStep.objects.for_organization(rule.organization).filter(run=run)
    open_steps = steps.exclude(status__in=FINAL_STATUSES).values_list("nodes", flat=True)
    keys = {key for nodes in open_steps for key in nodes}
    return bool(keys_in(rule, keys, tags_of(rule.organization, keys)))


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC, {moment.day} {moment:%b}"


def find_too_long(rule: AlertRule, now: datetime) -> Found:
    """Running steps that take longer than allowed, or than so many times their usual."""
    rows = RunStep.objects.for_organization(rule.organization)
    rows = rows.filter(status=Status.RUNNING, started_at__isnull=False)
    if rule.scope == Scope.PIPELINE:
        rows = rows.filter(pipeline=rule.pipeline)
    findings = []
    for step in rows.select_related("run__organization", "pipeline"):
        assert step.started_at is not None
        seconds = (now - step.started_at).total_seconds()
        reason = _why_too_long(rule, step, seconds)
        if not reason or not keys_in(rule, step.nodes, tags_of(rule.organization, step.nodes)):
            continue
        key = next(iter(step.nodes), "")
        single = len(step.nodes) == 1
        findings.append(
            Finding(
                subject=key if single else f"step:{step.pk}",
                name=step.pipeline.name if step.pipeline else step.name,
                path=links.path_of(rule.organization, key) if single else "",
                since=step.started_at,
                text=reason,
                run=step.run,
            )
        )
    return Found(findings)


def _why_too_long(rule: AlertRule, step: RunStep, seconds: float) -> str:
    """The reason as a sentence; empty when it may go on."""
    if rule.too_long_seconds and seconds > rule.too_long_seconds:
        allowed = format_duration(rule.too_long_seconds)
        return _("It runs for longer than %(allowed)s.") % {"allowed": allowed}
    if not rule.too_long_factor or seconds <= LEAST_SECONDS:
        return ""
    usual = _usual_seconds(step)
    if usual is None or seconds <= usual * rule.too_long_factor:
        return ""
    return _("It runs for longer than %(factor)s times its usual %(usual)s.") % {
        "factor": f"{rule.too_long_factor:g}",
        "usual": format_duration(usual),
    }


def _usual_seconds(step: RunStep) -> float | None:
    rows = RunStep.objects.for_organization(step.run.organization).filter(
        status=Status.SUCCEEDED,
        kind=step.kind,
        started_at__isnull=False,
        finished_at__isnull=False,
    )
    alike = rows.filter(pipeline=step.pipeline) if step.pipeline else rows.filter(name=step.name)
    times = alike.order_by("-pk").values_list("started_at", "finished_at")[:USUAL_OF]
    seconds = [(end - start).total_seconds() for start, end in times if start and end]
    return median(seconds) if len(seconds) >= USUAL_FROM else None


def find_stale(rule: AlertRule, now: datetime) -> Found:
    """Tables that pipelines of the rule loaded, and not again for so long."""
    limit = now - timedelta(seconds=rule.stale_seconds or 0)
    pipelines = {pipeline.slug: pipeline for pipeline in pipelines_in(rule)}
    rows = DatasetTable.objects.for_organization(rule.organization)
    rows = rows.filter(Q(loaded_at__isnull=False), loaded_by__in=pipelines)
    findings, well = [], set()
    for table in rows.only("schema", "name", "loaded_by", "loaded_at"):
        key, name = f"table:{table.connection_id}:{table}", str(table)
        if table.loaded_at is None or table.loaded_at > limit:
            well.add(key)
            continue
        pipeline = pipelines[table.loaded_by]
        text = _("%(pipeline)s loaded %(table)s last on %(time)s.") % {
            "pipeline": pipeline.name,
            "table": name,
            "time": _clock(table.loaded_at),
        }
        path = links.path_of(rule.organization, f"pipeline:{pipeline.slug}")
        findings.append(Finding(key, name, path, table.loaded_at, text))
    return Found(findings, well)


@dataclass(frozen=True)
class Watched:
    """A condition that the watch evaluates, and whether a rule has it."""

    condition: Condition
    find: Callable[[AlertRule, datetime], Found]
    wanted: Callable[[AlertRule], bool]


WATCHED = (
    Watched(Condition.NO_SUCCESS, find_no_success, lambda rule: bool(rule.no_success_seconds)),
    Watched(Condition.OVERDUE, find_overdue, lambda rule: bool(rule.overdue_seconds)),
    Watched(
        Condition.TOO_LONG,
        find_too_long,
        lambda rule: bool(rule.too_long_seconds or rule.too_long_factor),
    ),
    Watched(Condition.STALE, find_stale, lambda rule: bool(rule.stale_seconds)),
)
