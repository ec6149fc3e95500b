"""Reads over runs and schedules that pages and the API share."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import Any, NamedTuple

from django.db.models import DateTimeField, Func, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.errors import DatanikaError, NotFound
from orchestration import links
from orchestration.blueprints import DAG, chosen_of
from orchestration.engine.planner import Graph
from orchestration.errors import RunGone
from orchestration.models import ACTIVE_STATUSES, Run, RunStep, RunStepResult, Schedule, Status
from pipelines.models import Pipeline
from tenants.models import Organization
from tenants.selectors import platform_settings

#: Pipelines that one query asks for.
AT_ONCE = 200
#: Bars in a heartbeat.
BEATS = 24
#: The usual duration is the median of this many good runs.
USUAL_OF = 10
#: Runs of one target that are looked through for those asked for the same.
LOOKED_AT = 200


def shown_status(step: RunStep) -> str:
    """The key of the status table: a success with warnings is told apart."""
    if step.status == Status.SUCCEEDED and step.has_warnings:
        return "warning"
    return str(step.status)


class HourOf(Func):
    """The hour of a moment in UTC; whole hours in nearly every zone, and the same on both databases."""

    output_field = DateTimeField()
    template = "DATE_TRUNC('hour', %(expressions)s)"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # Moments are stored as text in UTC: cutting it is a hundred times quicker than asking Python for each row.
        template = "SUBSTR(%(expressions)s, 1, 13) || ':00:00'"
        return self.as_sql(compiler, connection, template=template, **context)


class PastStep(NamedTuple):
    """What a heartbeat shows of a step."""

    pipeline_id: int
    status: str
    has_warnings: bool
    started_at: datetime | None
    finished_at: datetime | None
    summary: dict[str, Any]

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_STATUSES

    @property
    def shown_status(self) -> str:
        return "warning" if self.status == Status.SUCCEEDED and self.has_warnings else self.status

    @property
    def took(self) -> timedelta | None:
        return (self.finished_at or timezone.now()) - self.started_at if self.started_at else None


def recent_steps(
    organization: Organization, pipelines: Iterable[Pipeline], count: int = BEATS
) -> dict[int, list[PastStep]]:
    """The last steps of each pipeline by its id, oldest first; skipped ones did not happen.

    Two queries for each two hundred pipelines: the first asks the index where the last ``count`` of each begin, so
    its other steps cost nothing.
    """
    # Whose the pipelines are is settled; named again, it would lead SQLite through all steps of the organization.
    happened = RunStep.all_organizations.exclude(
        status__in=[Status.SKIPPED, Status.CANCELLED], started_at__isnull=True
    )
    newest = happened.filter(pipeline=OuterRef("pk")).order_by("-pk").values("pk")
    found: dict[int, list[PastStep]] = defaultdict(list)
    for some in batched([pipeline.pk for pipeline in pipelines], AT_ONCE):
        rows = Pipeline.objects.for_organization(organization).filter(pk__in=some).order_by()
        edges = rows.annotate(first=Subquery(newest[count - 1 : count])).values_list("pk", "first")
        wanted = Q(pk__in=[])
        for pk, first in edges:
            wanted |= Q(pipeline=pk, pk__gte=first or 0)
        for row in happened.filter(wanted).order_by("pk").values_list(*PastStep._fields):
            step = PastStep(*row)
            found[step.pipeline_id].append(step)
    return found


def batched(keys: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def run_numbered(organization: Organization, number: int) -> Run:
    """The run, with what its pages tell of it. ``RunGone`` when it was there once, ``NotFound`` when it never was."""
    rows = Run.objects.for_organization(organization).filter(number=number)
    related = ("organization", "schedule", "retry_of", "after", "backfill")
    if run := rows.select_related(*related).first():
        return run
    # Numbers are handed out in turn and never again.
    if 0 < number <= organization.last_run_number:
        raise _gone(organization, number)
    raise NotFound(f"There is no run #{number} in this organization.")


def _gone(organization: Organization, number: int) -> RunGone:
    days = platform_settings().run_retention_days
    words = ngettext("%(n)d day", "%(n)d days", days or 0) % {"n": days or 0}
    remedy = (
        _("Runs are kept for %s here, with their logs; operators set for how long.") % words
        if days
        else _("Operators decide how long runs are kept, with their logs.")
    )
    gone = RunGone(_("Run #%d was here and is not kept any more.") % number, remedy=remedy)
    gone.back_url = links.page(organization, "orchestration:run-list")
    return gone


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


def usual_seconds(run: Run) -> float | None:
    """How long this target usually takes; None before it has succeeded once."""
    rows = Run.objects.for_organization(run.organization).filter(
        target=run.target, number__lt=run.number + LOOKED_AT
    )
    rows = rows.exclude(pk=run.pk).order_by("-number")
    fields = ("status", "select", "options", "started_at", "finished_at")
    seconds = [
        (end - start).total_seconds()
        for status, select_, options, start, end in rows.values_list(*fields)[:LOOKED_AT]
        if status == Status.SUCCEEDED and (select_, options) == (run.select, run.options)
        if start and end
    ]
    return median(seconds[:USUAL_OF]) if seconds else None


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
    try:
        return chosen_of(graph, schedule.node.key if schedule.node else DAG, schedule.select)
    except DatanikaError:
        return set()
