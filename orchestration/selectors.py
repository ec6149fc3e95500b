"""Reads over runs and schedules that pages and the API share."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from common.errors import DatanikaError
from orchestration.engine.planner import Graph, select
from orchestration.models import (
    ACTIVE_STATUSES,
    FINAL_STATUSES,
    Run,
    RunLogLine,
    RunStep,
    RunStepResult,
    Schedule,
    Status,
    StepKind,
)
from pipelines.models import Pipeline
from tenants.models import Organization

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
PAGE_SIZE = 50
#: Bars in a heartbeat.
BEATS = 24
#: The usual duration is the median of this many good runs.
USUAL_OF = 10


@dataclass(frozen=True)
class RunFilter:
    """What a list of runs is narrowed to; empty strings narrow nothing."""

    #: A status, ``active`` or ``warning``.
    status: str = ""
    #: ``pipeline``, ``transformation`` or ``dag``.
    kind: str = ""
    query: str = ""
    #: A key of ``PERIODS``.
    period: str = ""
    #: ``pipeline:<slug>``, ``transformation:<name>``, ``connection:<slug>`` or ``dag``: runs it had a part in.
    target: str = ""

    @property
    def is_set(self) -> bool:
        return any((self.status, self.kind, self.query, self.period, self.target))


@dataclass(frozen=True)
class RunPage:
    """Active runs (on the first page only), ended ones by number, and where the neighbours begin."""

    active: list[Run]
    ended: list[Run]
    total: int
    before: int | None
    after: int | None


def runs_of(organization: Organization, wanted: RunFilter) -> QuerySet[Run]:
    """The organization's runs that pass the filter."""
    rows = Run.objects.for_organization(organization).select_related("schedule")
    if wanted.target:
        rows = rows.filter(_target(organization, wanted.target))
    if wanted.status:
        rows = rows.filter(_status(wanted.status))
    if wanted.kind:
        rows = rows.filter(Q(target=wanted.kind) | Q(target__startswith=f"{wanted.kind}:"))
    if wanted.query:
        rows = rows.filter(_text(wanted.query))
    if wanted.period in PERIODS:
        rows = rows.filter(requested_at__gte=timezone.now() - PERIODS[wanted.period])
    return rows


def page_of_runs(
    organization: Organization,
    wanted: RunFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    size: int = PAGE_SIZE,
) -> RunPage:
    """One page: runs with numbers below ``before`` or above ``after``, the newest first."""
    rows = runs_of(organization, wanted)
    ended = rows.filter(status__in=FINAL_STATUSES).order_by("-number")
    if before is not None:
        ended = ended.filter(number__lt=before)
    if after is not None:
        found = list(ended.filter(number__gt=after).order_by("number")[: size + 1])
        more_newer, found = len(found) > size, found[:size][::-1]
        more_older = True
    else:
        found = list(ended[: size + 1])
        more_newer, more_older, found = before is not None, len(found) > size, found[:size]
    first_page = before is None and after is None
    active = rows.filter(status__in=ACTIVE_STATUSES).order_by("-number")
    return RunPage(
        active=list(active[:size]) if first_page else [],
        ended=found,
        total=rows.count(),
        before=found[-1].number if found and more_older else None,
        after=found[0].number if found and more_newer else None,
    )


def _target(organization: Organization, target: str) -> Q:
    kind, _, name = target.partition(":")
    steps = RunStep.objects.for_organization(organization)
    if kind == "pipeline":
        steps = steps.filter(pipeline__slug=name, pipeline__deleted_at__isnull=True)
    elif kind == "transformation":
        steps = steps.filter(kind=StepKind.TRANSFORM, nodes__has_key=target)
    elif kind == "connection":
        steps = steps.filter(
            Q(connection__slug=name)
            | Q(pipeline__source__slug=name)
            | Q(pipeline__destination__slug=name)
        )
    else:
        return Q(target=target)
    return Q(pk__in=steps.values("run"))


def _status(status: str) -> Q:
    if status == "active":
        return Q(status__in=ACTIVE_STATUSES)
    if status == "warning":
        return Q(status=Status.SUCCEEDED, has_warnings=True)
    return Q(status=status)


def _text(query: str) -> Q:
    found = Q(title__icontains=query) | Q(requested_by__icontains=query) | Q(error__icontains=query)
    number = query.removeprefix("#")
    return found | Q(number=int(number)) if number.isdigit() and len(number) < 18 else found


def shown_status(step: RunStep) -> str:
    """The key of the status table: a success with warnings is told apart."""
    if step.status == Status.SUCCEEDED and step.has_warnings:
        return "warning"
    return str(step.status)


def recent_steps(
    organization: Organization, pipelines: Iterable[Pipeline], count: int = BEATS
) -> dict[int, list[RunStep]]:
    """The last steps of each pipeline by its id, oldest first, in one query; skipped ones did not happen."""
    ids = [pipeline.pk for pipeline in pipelines]
    rank = Window(RowNumber(), partition_by=F("pipeline_id"), order_by=F("pk").desc())
    rows = RunStep.objects.for_organization(organization).filter(pipeline_id__in=ids)
    rows = rows.exclude(status__in=[Status.SKIPPED, Status.CANCELLED], started_at__isnull=True)
    found: dict[int, list[RunStep]] = defaultdict(list)
    ranked = rows.annotate(rank=rank).filter(rank__lte=count).select_related("run")
    for step in ranked.order_by("pk"):
        if step.pipeline_id is not None:
            found[step.pipeline_id].append(step)
    return found


def steps_of(run: Run) -> list[RunStep]:
    """The steps of a run in order, each with its run, pipeline and connections at hand."""
    rows = RunStep.objects.for_organization(run.organization).filter(run=run)
    rows = rows.select_related("pipeline__source", "pipeline__destination", "connection")
    steps = list(rows.order_by("position"))
    for step in steps:
        step.run = run
    return steps


def results_of(
    organization: Organization, steps: Collection[RunStep]
) -> dict[int, list[RunStepResult]]:
    """Results by step id, in the order they were reported."""
    found: dict[int, list[RunStepResult]] = defaultdict(list)
    rows = RunStepResult.objects.for_organization(organization).filter(step__in=steps)
    for row in rows.order_by("pk"):
        found[row.step_id].append(row)
    return found


def lines_after(run: Run, after: int, limit: int) -> list[RunLogLine]:
    """The next log lines behind number ``after``."""
    rows = RunLogLine.objects.for_organization(run.organization).filter(run=run)
    return list(rows.filter(number__gt=after).order_by("number")[:limit])


def last_lines(run: Run, limit: int) -> list[RunLogLine]:
    """The newest log lines, in reading order."""
    rows = RunLogLine.objects.for_organization(run.organization).filter(run=run)
    return list(rows.order_by("-number")[:limit])[::-1]


def usual_seconds(run: Run) -> float | None:
    """How long this target usually takes; None before it has succeeded once."""
    rows = Run.objects.for_organization(run.organization).filter(
        target=run.target,
        select=run.select,
        full_refresh=run.full_refresh,
        options=run.options,
        status=Status.SUCCEEDED,
        started_at__isnull=False,
        finished_at__isnull=False,
    )
    times = rows.exclude(pk=run.pk).order_by("-number").values_list("started_at", "finished_at")
    seconds = [(end - start).total_seconds() for start, end in times[:USUAL_OF] if start and end]
    return median(seconds) if seconds else None


def neighbours(run: Run) -> tuple[int | None, int | None]:
    """The numbers of the older and the newer run of the same target."""
    rows = Run.objects.for_organization(run.organization).filter(target=run.target)
    numbers = rows.values_list("number", flat=True)
    older = numbers.filter(number__lt=run.number).order_by("-number").first()
    newer = numbers.filter(number__gt=run.number).order_by("number").first()
    return older, newer


def schedules_of(organization: Organization) -> list[Schedule]:
    rows = Schedule.objects.for_organization(organization)
    return list(
        rows.select_related("crontab", "node__pipeline", "node__transformation", "organization")
    )


def schedules_by_key(graph: Graph, schedules: Iterable[Schedule]) -> dict[str, Schedule]:
    """The active schedule that starts each node next: its own, or one of the graph that includes it."""
    found: dict[str, Schedule] = {}
    far = datetime.max.replace(tzinfo=timezone.get_default_timezone())
    for schedule in sorted(schedules, key=lambda s: s.next_run_at or far, reverse=True):
        if schedule.is_active and schedule.next_run_at:
            found |= dict.fromkeys(keys_of(graph, schedule), schedule)
    return found


def keys_of(graph: Graph, schedule: Schedule) -> set[str]:
    """What a schedule would start; nothing where its target or selection no longer exists."""
    if schedule.node is not None and not schedule.select:
        return {schedule.node.key} & set(graph.nodes)
    name = schedule.node.key.partition(":")[2] if schedule.node else ""
    try:
        return select(graph, f"{name} {schedule.select}".strip())
    except DatanikaError:
        return set()
