"""Errors of one cause as one problem: how often, since when, where, and whether it is over. Reads only.

Which there are and since when is asked of the index in leaps, and counting ends somewhere. Where a problem showed and
whether it is over is told of its newest occurrences, so that an answer takes the same time however often it failed.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Count, QuerySet
from django.utils import timezone

from orchestration.explanations import Explanation, explain
from orchestration.models import Literal, RunStep, Standing, Status, StepKind
from orchestration.problem_index import Span, counts_of, newest_spans, span_of
from orchestration.selectors import HourOf
from tenants.models import Organization
from transforms.models import GOOD_BUILDS, Transformation

#: Problems shown at once, the newest first.
MOST = 50
#: Occurrences of each that are looked at in a list, and of one by itself.
LOOKED_AT, LOOKED_AT_ALONE = 20, 200
#: Counting ends here: whether it came a thousand times or more changes nothing.
MOST_COUNTED, MOST_COUNTED_ALONE = 1_000, 10_000
#: What a sweep ends at one moment has one time.
SAME_TIME = 200
#: Columns of the small picture.
DAYS = 14


@dataclass(frozen=True)
class Problem:
    fingerprint: str
    #: Its newest occurrence.
    latest: RunStep
    #: Up to ``counted_to``.
    count: int
    counted_to: int
    first_at: datetime
    last_at: datetime
    #: (kind, name) of the steps that had it lately.
    affected: list[tuple[str, str]]
    #: It came more often than was looked at, so more may be affected.
    is_cut: bool
    #: What it had lately has succeeded since.
    is_over: bool
    #: Occurrences a day, the oldest first.
    by_day: list[int] = field(default_factory=list)

    @property
    def is_count_cut(self) -> bool:
        return self.count >= self.counted_to

    @property
    def explanation(self) -> Explanation | None:
        step = self.latest
        return explain(step.error_code, step.error_signature, step.kind)

    @property
    def title(self) -> str:
        """The title of its explanation; its newest message where there is none."""
        found = self.explanation
        return str(found.title) if found else self.latest.error


def failures(organization: Organization) -> QuerySet[RunStep]:
    """Steps that failed for good and have a fingerprint."""
    return _marked(organization).filter(status=Status.FAILED)


def _marked(organization: Organization) -> QuerySet[RunStep]:
    """The same by the index of fingerprints alone: a step loses its own when it is taken again."""
    rows = RunStep.objects.for_organization(organization).filter(finished_at__isnull=False)
    return rows.exclude(fingerprint=Literal(""))


def problems_of(
    organization: Organization, *, since: datetime | None = None, most: int = MOST
) -> list[Problem]:
    """Problems seen since then, the newest first; counted over all that is kept."""
    return _built(organization, newest_spans(organization, since, most), LOOKED_AT, MOST_COUNTED)


def problem_of(organization: Organization, fingerprint: str) -> Problem | None:
    """One problem, or None when no step of the organization has that fingerprint."""
    span = span_of(organization, fingerprint)
    spans = [span] if span else []
    return next(iter(_built(organization, spans, LOOKED_AT_ALONE, MOST_COUNTED_ALONE)), None)


def occurrences(
    organization: Organization, fingerprint: str, *, before: int | None = None, most: int = 50
) -> list[RunStep]:
    """Its steps with their runs, the newest first; ``before`` is the id of the last one shown."""
    rows = _marked(organization).filter(fingerprint=fingerprint)
    known = None
    if before is not None:
        known = rows.filter(pk=before).values_list("finished_at", flat=True).first()
        rows = rows.filter(finished_at__lte=known) if known else rows.none()
    # In the order of the index, whatever the database believes of the number of rows; their runs come afterwards.
    times = rows.order_by("-finished_at").values_list("finished_at", "pk")[: most + SAME_TIME]
    found = sorted(times, reverse=True)
    if known is not None and before is not None:
        found = [row for row in found if row < (known, before)]
    steps = failures(organization).filter(pk__in=[pk for _at, pk in found[:most]])
    return list(steps.select_related("run").defer("run__capsule").order_by("-finished_at", "-pk"))


class _Seen(NamedTuple):
    """One occurrence."""

    pk: int
    fingerprint: str
    kind: str
    name: str
    pipeline: int | None
    nodes: dict[str, list[str]]
    finished_at: datetime


def _built(
    organization: Organization, spans: list[Span], looked_at: int, counted_to: int
) -> list[Problem]:
    seen = _newest(organization, [span.fingerprint for span in spans], looked_at)
    spans = [span for span in spans if seen.get(span.fingerprint)]
    prints = [span.fingerprint for span in spans]
    latest = _latest(organization, [seen[mark][0].pk for mark in prints])
    good = _last_successes(organization, [one for some in seen.values() for one in some])
    counts = counts_of(organization, prints, counted_to)
    days = _by_day(organization, prints)
    return [
        Problem(
            fingerprint=span.fingerprint,
            latest=latest[some[0].pk],
            count=counts[span.fingerprint],
            counted_to=counted_to,
            first_at=span.first_at,
            last_at=span.last_at,
            affected=sorted({(one.kind, one.name) for one in some}),
            is_cut=counts[span.fingerprint] > looked_at,
            is_over=all(
                key in good and good[key] > one.finished_at for one in some for key in _keys(one)
            ),
            by_day=days[span.fingerprint],
        )
        for span in spans
        for some in [seen[span.fingerprint]]
    ]


def _newest(organization: Organization, prints: list[str], count: int) -> dict[str, list[_Seen]]:
    """The newest occurrences of each, the newest first."""
    if not prints:
        return {}
    found: dict[str, list[_Seen]] = defaultdict(list)
    told = RunStep.objects.for_organization(organization).filter(
        pk__in=_newest_ids(organization, prints, count), status=Status.FAILED
    )
    for row in told.order_by("-finished_at", "-pk").values_list(*_Seen._fields):
        found[row[1]].append(_Seen(*row))
    return found


def _newest_ids(organization: Organization, prints: list[str], count: int) -> list[int]:
    """One short walk of the index for each, all in one question; written once and not fifty times by the ORM."""
    rows = _marked(organization).filter(fingerprint=_PLACE).order_by("-finished_at").values("pk")
    sql, given = rows[:count].query.sql_with_params()
    # SQLite takes a limit only inside a table of its own.
    walks = " UNION ALL ".join([f"SELECT * FROM ({sql}) AS newest"] * len(prints))  # noqa: S608 - Django's own SQL
    parameters = [one if value == _PLACE else value for one in prints for value in given]
    with connection.cursor() as cursor:
        cursor.execute(walks, parameters)
        return [row[0] for row in cursor.fetchall()]


#: Stands for a fingerprint, and is none.
_PLACE = "?"


def _latest(organization: Organization, ids: Collection[int]) -> dict[int, RunStep]:
    rows = RunStep.objects.for_organization(organization).filter(pk__in=ids)
    steps = rows.select_related(
        "run", "pipeline__source", "pipeline__destination", "connection"
    ).defer("run__capsule")
    found = {step.pk: step for step in steps}
    for step in found.values():
        step.run.organization = organization
    return found


def _keys(one: _Seen) -> list[tuple[str, object]]:
    """What has to succeed for it to be over."""
    if one.kind == StepKind.TRANSFORM:
        return [("transformation", node.partition(":")[2]) for node in one.nodes]
    return [("pipeline", one.pipeline)]


def _last_successes(
    organization: Organization, seen: list[_Seen]
) -> dict[tuple[str, object], datetime]:
    """When each of them succeeded last; what it never did, or what is gone, is absent."""
    keys = {key for one in seen for key in _keys(one)}
    pipelines = Standing.objects.for_organization(organization).filter(
        pipeline__in={name for kind, name in keys if kind == "pipeline" and name is not None},
        succeeded_at__isnull=False,
    )
    found: dict[tuple[str, object], datetime] = {
        ("pipeline", pk): at for pk, at in pipelines.values_list("pipeline", "succeeded_at") if at
    }
    if names := {name for kind, name in keys if kind == "transformation"}:
        built = Transformation.objects.for_organization(organization).filter(
            name__in=names, build_status__in=GOOD_BUILDS, built_at__isnull=False
        )
        found |= {
            ("transformation", n): at for n, at in built.values_list("name", "built_at") if at
        }
    return found


def _by_day(organization: Organization, prints: Collection[str]) -> dict[str, list[int]]:
    today = timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    found: dict[str, list[int]] = defaultdict(lambda: [0] * DAYS)
    rows = _marked(organization).filter(
        fingerprint__in=prints, finished_at__gte=timezone.now() - timedelta(days=DAYS)
    )
    hours = rows.order_by().annotate(hour=HourOf("finished_at")).values_list("fingerprint", "hour")
    for fingerprint, hour, count in hours.annotate(count=Count("fingerprint")):
        day = timezone.localtime(hour).date()
        if day >= first:
            found[fingerprint][(day - first).days] += count
    return found
