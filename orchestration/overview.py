"""What the overview says: numbers of a period, pipelines with their heartbeats, and what comes next."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncHour
from django.utils import timezone
from django.utils.translation import gettext as _

from common.ui.charts import Beat, Hour
from common.ui.formats import DASH, format_count
from connections.models import Connection
from orchestration import cron, links
from orchestration.engine.planner import Graph
from orchestration.graph import graph_of, pipeline_key
from orchestration.models import FINAL_STATUSES, Run, RunStep, Schedule, Status
from orchestration.selectors import (
    PERIODS,
    recent_steps,
    schedules_by_key,
    schedules_of,
    shown_status,
)
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import BuildStatus, Transformation

#: Points of a sparkline, whatever the period.
POINTS = 24
SHOWN_PIPELINES = 12
SHOWN_STARTS = 5
GOOD_BUILDS = frozenset({BuildStatus.SUCCEEDED, BuildStatus.WARNED})


@dataclass(frozen=True)
class Tile:
    label: str
    value: str
    unit: str = ""
    delta: str = ""
    tone: str = ""
    spark: list[float] = field(default_factory=list)
    spark_tone: str = ""
    pips: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PipelineRow:
    pipeline: Pipeline
    url: str
    status: str
    beats: list[Beat]
    rows: int | None
    took: timedelta | None
    schedule: str
    next_at: datetime | None


@dataclass(frozen=True)
class NextStart:
    at: datetime
    #: ``11:45``, with the weekday when it is not today.
    clock: str
    name: str
    url: str


@dataclass(frozen=True)
class _Bucket:
    """The runs that were requested in one hour."""

    hour: datetime
    total: int
    succeeded: int
    failed: int
    rows: int


@dataclass(frozen=True)
class Facts:
    """What several parts of the overview read, fetched once."""

    organization: Organization
    graph: Graph
    pipelines: list[Pipeline]
    transformations: list[Transformation]
    connections: list[Connection]
    schedules: list[Schedule]
    steps: dict[int, list[RunStep]]


def facts_of(organization: Organization) -> Facts:
    rows = Pipeline.objects.for_organization(organization)
    pipelines = list(rows.select_related("source", "destination"))
    return Facts(
        organization=organization,
        graph=graph_of(organization),
        pipelines=pipelines,
        transformations=list(Transformation.objects.for_organization(organization)),
        connections=list(Connection.objects.for_organization(organization)),
        schedules=schedules_of(organization),
        steps=recent_steps(organization, pipelines),
    )


def tiles(facts: Facts, period: str) -> list[Tile]:
    """Runs, success rate and rows loaded against the period before, and the state of transformations."""
    now = timezone.now()
    length = PERIODS[period]
    buckets = _buckets(facts.organization, now - 2 * length)
    current = [b for b in buckets if b.hour >= now - length]
    before = [b for b in buckets if b.hour < now - length]
    points = _points(current, now - length, length)
    words = {"24h": _("Runs, last 24 h"), "7d": _("Runs, last 7 days")}
    return [
        _runs_tile(words.get(period, _("Runs, last 30 days")), current, before, points),
        _rate_tile(current, before, points),
        _rows_tile(current, before, points),
        _transformations_tile(facts.transformations),
    ]


def hours(organization: Organization) -> list[Hour]:
    """The last 24 hours, the current one last, labelled in the organization's zone."""
    now = timezone.now()
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    found = {bucket.hour: bucket for bucket in _buckets(organization, first)}
    result = []
    for number in range(24):
        hour = first + timedelta(hours=number)
        bucket = found.get(hour)
        label = _("now") if number == 23 else f"{timezone.localtime(hour):%H:%M}"
        result.append(
            Hour(label, bucket.succeeded if bucket else 0, bucket.failed if bucket else 0)
        )
    return result


def pipeline_rows(facts: Facts) -> list[PipelineRow]:
    """Running and failed pipelines first, then by name."""
    starts = schedules_by_key(facts.graph, facts.schedules)
    rows = [_pipeline_row(facts, pipeline, starts) for pipeline in facts.pipelines]
    urgency = {"running": 0, "failed": 1, "warning": 2}
    return sorted(rows, key=lambda row: (urgency.get(row.status, 3), row.pipeline.name.lower()))


def next_starts(facts: Facts) -> list[NextStart]:
    """The schedules that start next, each once."""
    due = [s for s in facts.schedules if s.is_active and s.next_run_at]
    due.sort(key=lambda s: (s.next_run_at or timezone.now(), s.name))
    today = timezone.localdate()
    found = []
    for schedule in due[:SHOWN_STARTS]:
        assert schedule.next_run_at is not None
        local = timezone.localtime(schedule.next_run_at)
        clock = f"{local:%H:%M}" if local.date() == today else f"{local:%a %H:%M}"
        url = links.page(facts.organization, "orchestration:schedule-list")
        found.append(NextStart(schedule.next_run_at, clock, schedule.name, url))
    return found


def _buckets(organization: Organization, since: datetime) -> list[_Bucket]:
    # Hours of UTC: whole hours in nearly every zone, and the same on both databases.
    rows = Run.objects.for_organization(organization).filter(requested_at__gte=since)
    ended = rows.filter(status__in=FINAL_STATUSES).order_by()
    grouped = ended.annotate(hour=TruncHour("requested_at", tzinfo=timezone.get_default_timezone()))
    counted = grouped.values("hour").annotate(
        total=Count("pk"),
        succeeded=Count("pk", filter=Q(status=Status.SUCCEEDED)),
        failed=Count("pk", filter=Q(status=Status.FAILED)),
        rows=Sum("rows_loaded"),
    )
    return [
        _Bucket(row["hour"], row["total"], row["succeeded"], row["failed"], row["rows"] or 0)
        for row in counted.order_by("hour")
    ]


def _points(buckets: list[_Bucket], start: datetime, length: timedelta) -> list[list[_Bucket]]:
    points: list[list[_Bucket]] = [[] for _ in range(POINTS)]
    for bucket in buckets:
        index = int((bucket.hour - start) / length * POINTS)
        points[min(max(index, 0), POINTS - 1)].append(bucket)
    return points


def _runs_tile(
    label: str, current: list[_Bucket], before: list[_Bucket], points: list[list[_Bucket]]
) -> Tile:
    total, earlier = _sum(current, lambda b: b.total), _sum(before, lambda b: b.total)
    return Tile(
        label=label,
        value=format_count(total),
        delta=f"{total - earlier:+d}".replace("-", "−") if earlier else "",
        spark=[float(_sum(point, lambda b: b.total)) for point in points] if total else [],
    )


def _rate_tile(current: list[_Bucket], before: list[_Bucket], points: list[list[_Bucket]]) -> Tile:
    rate, earlier = _rate(current), _rate(before)
    if rate is None:
        return Tile(_("Success rate"), DASH)
    change = rate - earlier if earlier is not None else None
    known: list[float] = []
    for point in points:
        value = _rate(point)
        # An hour without runs neither fails nor succeeds: the line stays where it was.
        known.append(value if value is not None else (known[-1] if known else rate))
    return Tile(
        label=_("Success rate"),
        value=f"{rate:.1f}".removesuffix(".0"),
        unit="%",
        delta=f"{change:+.1f} pts".replace("-", "−") if change else "",
        tone=_tone(change),
        spark=known,
        spark_tone="ok",
    )


def _rows_tile(current: list[_Bucket], before: list[_Bucket], points: list[list[_Bucket]]) -> Tile:
    total, earlier = _sum(current, lambda b: b.rows), _sum(before, lambda b: b.rows)
    value, _blank, unit = format_count(total).partition(" ")
    change = (total - earlier) / earlier * 100 if earlier else None
    return Tile(
        label=_("Rows loaded"),
        value=value,
        unit=unit,
        # Beyond tenfold a percentage says nothing.
        delta=f"{change:+.1f} %".replace("-", "−") if change and change < 1000 else "",
        tone="ok" if change and change > 0 else "",
        spark=[float(_sum(point, lambda b: b.rows)) for point in points] if total else [],
    )


def _transformations_tile(transformations: Iterable[Transformation]) -> Tile:
    statuses = [str(t.build_status) for t in transformations]
    if not statuses:
        return Tile(_("Transformations on time"), DASH)
    good = sum(status in GOOD_BUILDS for status in statuses)
    late = len(statuses) - good
    return Tile(
        label=_("Transformations on time"),
        value=str(good),
        unit=f"/ {len(statuses)}",
        delta=_("%d not built") % late if late else "",
        tone="bad" if late else "",
        pips=sorted(statuses, key=lambda status: status in GOOD_BUILDS, reverse=True)[:60],
    )


def _sum(buckets: Iterable[_Bucket], value: Callable[[_Bucket], int]) -> int:
    return sum(value(bucket) for bucket in buckets)


def _rate(buckets: list[_Bucket]) -> float | None:
    good, bad = _sum(buckets, lambda b: b.succeeded), _sum(buckets, lambda b: b.failed)
    return good * 100 / (good + bad) if good + bad else None


def _tone(change: float | None) -> str:
    if not change:
        return ""
    return "ok" if change > 0 else "bad"


def _pipeline_row(facts: Facts, pipeline: Pipeline, starts: dict[str, Schedule]) -> PipelineRow:
    steps = facts.steps.get(pipeline.pk, [])
    last = steps[-1] if steps else None
    schedule = starts.get(pipeline_key(pipeline))
    status = shown_status(last) if last else "untested"
    if pipeline.is_paused and not (last and last.is_active):
        status = "paused"
    loaded = last.summary.get("rows_loaded") if last else None
    return PipelineRow(
        pipeline=pipeline,
        url=links.pipeline_url(facts.organization, pipeline.slug),
        status=status,
        beats=beats_of(steps),
        rows=int(loaded) if loaded is not None else None,
        took=last.took if last else None,
        schedule=cron.in_words(schedule.cron) if schedule else "",
        next_at=schedule.next_run_at if schedule and not pipeline.is_paused else None,
    )


def beats_of(steps: Iterable[RunStep]) -> list[Beat]:
    return [
        Beat(shown_status(step), step.took.total_seconds() if step.took else None) for step in steps
    ]


def by_hour(buckets: Iterable[Hour]) -> dict[str, int]:
    """The totals for the legend."""
    totals: dict[str, int] = defaultdict(int)
    for bucket in buckets:
        totals["succeeded"] += bucket.succeeded
        totals["failed"] += bucket.failed
    return totals
