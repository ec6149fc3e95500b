"""What the overview says: numbers of a period, pipelines with their heartbeats, and what comes next."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from common.ui.charts import Beat, Hour
from common.ui.formats import DASH, format_count
from orchestration import cron, links
from orchestration.graph import graph_of, pipeline_key
from orchestration.models import (
    FINAL_STATUSES,
    IS_ACTIVE,
    Run,
    RunStep,
    Schedule,
    Standing,
    Status,
    Tone,
)
from orchestration.run_filters import PERIODS
from orchestration.selectors import (
    HourOf,
    PastStep,
    recent_steps,
    schedules_by_key,
    schedules_of,
)
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import (
    BAD_BUILDS,
    DOUBTFUL_BUILDS,
    GOOD_BUILDS,
    BuildStatus,
    Transformation,
)

#: Points of a sparkline, whatever the period.
POINTS = 24
SHOWN_PIPELINES = 12
PIPS = 60
SHOWN_STARTS = 5
#: With more runs than this, sums of weeks are not made anew at each look.
MANY_RUNS, KEPT_SECONDS, MOST_KEPT = 50_000, 60, 200
#: As ``attention`` tells them: what failed, and what is to be looked at.
_WRONG_BUILDS = (BAD_BUILDS, DOUBTFUL_BUILDS)
#: Up to so many nodes, schedules of selections are told at each pipeline they start.
SMALL_GRAPH = 300


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


def tiles(organization: Organization, period: str, buckets: list[_Bucket]) -> list[Tile]:
    """Runs, success rate and rows loaded against the period before, and the state of transformations."""
    now = timezone.now()
    length = PERIODS[period]
    current = [b for b in buckets if b.hour >= now - length]
    before = [b for b in buckets if b.hour < now - length]
    points = _points(current, now - length, length)
    words = {"24h": _("Runs, last 24 h"), "7d": _("Runs, last 7 days")}
    return [
        _runs_tile(words.get(period, _("Runs, last 30 days")), current, before, points),
        _rate_tile(current, before, points),
        _rows_tile(current, before, points),
        _transformations_tile(organization),
    ]


def hours(buckets: list[_Bucket]) -> list[Hour]:
    """The last 24 hours, the current one last, labelled in the organization's zone."""
    now = timezone.now()
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    found = {bucket.hour: bucket for bucket in buckets}
    result = []
    for number in range(24):
        hour = first + timedelta(hours=number)
        bucket = found.get(hour)
        label = _("now") if number == 23 else f"{timezone.localtime(hour):%H:%M}"
        result.append(
            Hour(label, bucket.succeeded if bucket else 0, bucket.failed if bucket else 0)
        )
    return result


def pipeline_rows(organization: Organization, *, of: int) -> list[PipelineRow]:
    """Running and failed pipelines first, then by name, as many as the overview shows ``of`` all there are."""
    pipelines = _first_pipelines(organization)
    steps = recent_steps(organization, pipelines)
    starts = _starts(organization, pipelines, of)
    rows = [_pipeline_row(pipeline, steps.get(pipeline.pk, []), starts) for pipeline in pipelines]
    urgency = {"running": 0, "failed": 1, "warning": 2}
    return sorted(rows, key=lambda row: (urgency.get(row.status, 3), row.pipeline.name.lower()))


def _first_pipelines(organization: Organization) -> list[Pipeline]:
    active = RunStep.objects.for_organization(organization).filter(
        IS_ACTIVE, status=Status.RUNNING, pipeline__isnull=False
    )
    standings = Standing.objects.for_organization(organization).order_by("-ended_at")
    sources = (
        active.order_by("-pk").values_list("pipeline", flat=True),
        standings.filter(tone=Tone.BAD).values_list("pipeline", flat=True),
        standings.filter(tone=Tone.WARN).values_list("pipeline", flat=True),
    )
    rows = Pipeline.objects.for_organization(organization).select_related("source")
    wanted: dict[int | None, None] = {}
    for keys in sources:
        # Some of them may be in the trash.
        if len(wanted) < 2 * SHOWN_PIPELINES:
            wanted |= dict.fromkeys(keys[: 2 * SHOWN_PIPELINES])
    known = rows.in_bulk([key for key in wanted if key is not None])
    found = {key: known[key] for key in wanted if key in known}
    if len(found) < SHOWN_PIPELINES:
        by_name = rows.order_by("name", "pk")[:SHOWN_PIPELINES]
        found |= {row.pk: row for row in by_name if row.pk not in found}
    pipelines = list(found.values())[:SHOWN_PIPELINES]
    for pipeline in pipelines:
        pipeline.organization = organization
    return pipelines


def _starts(organization: Organization, pipelines: list[Pipeline], of: int) -> dict[str, Schedule]:
    """The schedule that starts each of them next; in a large graph only its own, or one of everything."""
    rows = Schedule.objects.for_organization(organization).filter(
        is_active=True, next_run_at__isnull=False
    )
    rows = rows.select_related("crontab", "node__pipeline")
    if _is_small(organization, of) and rows.exclude(node__isnull=False, select="").exists():
        return schedules_by_key(graph_of(organization), schedules_of(organization))
    wanted = Q(node__pipeline__in=pipelines) | Q(node__isnull=True)
    found: dict[str, Schedule] = {}
    own: dict[str, Schedule] = {}
    for schedule in rows.filter(wanted, select="").order_by("-next_run_at"):
        if schedule.node:
            own[schedule.node.key] = schedule
        else:
            found = dict.fromkeys(map(pipeline_key, pipelines), schedule)
    return found | own


def _is_small(organization: Organization, pipelines: int) -> bool:
    room = SMALL_GRAPH - pipelines
    if room < 0:
        return False
    rows = Transformation.objects.for_organization(organization).order_by()
    return rows[: room + 1].count() <= room


def next_starts(organization: Organization) -> list[NextStart]:
    """The schedules that start next, each once."""
    due = Schedule.objects.for_organization(organization).filter(
        is_active=True, next_run_at__isnull=False
    )
    today = timezone.localdate()
    found = []
    for schedule in due.order_by("next_run_at", "name")[:SHOWN_STARTS]:
        assert schedule.next_run_at is not None
        local = timezone.localtime(schedule.next_run_at)
        clock = f"{local:%H:%M}" if local.date() == today else f"{local:%a %H:%M}"
        url = links.page(organization, "orchestration:schedule-list")
        found.append(NextStart(schedule.next_run_at, clock, schedule.name, url))
    return found


#: In the process itself: a page must not need Redis.
_kept: dict[tuple[int, str], tuple[float, list[_Bucket]]] = {}


def buckets_of(organization: Organization, period: str) -> list[_Bucket]:
    """The hours of the period and of the one before it; in a large organization those of weeks may be a minute old."""
    if period == "24h" or organization.last_run_number < MANY_RUNS:
        return _buckets(organization, period)
    key, now = (organization.pk, period), time.monotonic()
    known = _kept.get(key)
    if known is None or now - known[0] > KEPT_SECONDS:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        known = _kept[key] = (now, _buckets(organization, period))
    return known[1]


def _buckets(organization: Organization, period: str) -> list[_Bucket]:
    since = timezone.now() - 2 * PERIODS[period]
    rows = Run.objects.for_organization(organization).filter(requested_at__gte=since)
    ended = Q(status__in=FINAL_STATUSES)
    # Of columns that one index holds all of, which is then all the database reads.
    found = rows.order_by().annotate(hour=HourOf("requested_at")).values("hour")
    found = found.annotate(
        total=Count("status", filter=ended),
        succeeded=Count("status", filter=Q(status=Status.SUCCEEDED)),
        failed=Count("status", filter=Q(status=Status.FAILED)),
        loaded=Sum("rows_loaded", filter=ended),
    )
    names = ("hour", "total", "succeeded", "failed", "loaded")
    buckets = (
        _Bucket(hour, total, succeeded, failed, loaded or 0)
        for hour, total, succeeded, failed, loaded in found.values_list(*names)
    )
    return sorted(buckets, key=lambda bucket: bucket.hour)


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


def _transformations_tile(organization: Organization) -> Tile:
    rows = Transformation.objects.for_organization(organization).order_by()
    counts: dict[str, int] = dict(rows.values_list("build_status").annotate(Count("pk")))
    total = sum(counts.values())
    if not total:
        return Tile(_("Transformations on time"), DASH)
    bad, doubtful = (sum(counts.get(one, 0) for one in some) for some in _WRONG_BUILDS)
    good = sum(counts.get(status, 0) for status in GOOD_BUILDS)
    never = counts.get(BuildStatus.NEVER, 0)
    delta, tone = "", ""
    if bad:
        delta, tone = _("%s failed") % format_count(bad), "bad"
    elif doubtful:
        delta, tone = _("%s with warnings") % format_count(doubtful), "warn"
    elif never:
        # Nothing went wrong with it, so it is said without a colour.
        delta = _("%s never built") % format_count(never)
    late = [
        status
        for status, n in counts.items()
        if status not in GOOD_BUILDS
        for _i in range(n)[:PIPS]
    ]
    built = [BuildStatus.SUCCEEDED.value] * min(good, PIPS)
    return Tile(
        label=_("Transformations on time"),
        value=format_count(good),
        unit=f"/ {format_count(total)}",
        delta=delta,
        tone=tone,
        pips=[*late, *built][:PIPS],
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


def _pipeline_row(
    pipeline: Pipeline, steps: list[PastStep], starts: dict[str, Schedule]
) -> PipelineRow:
    last = steps[-1] if steps else None
    schedule = starts.get(pipeline_key(pipeline))
    status = last.shown_status if last else "untested"
    if pipeline.is_paused and not (last and last.is_active):
        status = "paused"
    loaded = last.summary.get("rows_loaded") if last else None
    return PipelineRow(
        pipeline=pipeline,
        url=links.pipeline_url(pipeline.organization, pipeline.slug),
        status=status,
        beats=beats_of(steps),
        rows=int(loaded) if loaded is not None else None,
        took=last.took if last else None,
        schedule=cron.in_words(schedule.cron) if schedule else "",
        next_at=schedule.next_run_at if schedule and not pipeline.is_paused else None,
    )


def beats_of(steps: Iterable[PastStep]) -> list[Beat]:
    return [
        Beat(step.shown_status, step.took.total_seconds() if step.took else None) for step in steps
    ]


def by_hour(buckets: Iterable[Hour]) -> dict[str, int]:
    """The totals for the legend."""
    totals: dict[str, int] = defaultdict(int)
    for bucket in buckets:
        totals["succeeded"] += bucket.succeeded
        totals["failed"] += bucket.failed
    return totals
