"""Errors of one cause as one problem: how often, since when, where, and whether it is over. Reads only."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from orchestration.explanations import Explanation, explain
from orchestration.models import RunStep, Status
from tenants.models import Organization

#: Problems shown at once, the newest first.
MOST = 100
#: Columns of the small picture.
DAYS = 14


@dataclass(frozen=True)
class Problem:
    fingerprint: str
    #: Its newest occurrence.
    latest: RunStep
    count: int
    first_at: datetime
    last_at: datetime
    #: (kind, name) of the steps that had it.
    affected: list[tuple[str, str]]
    #: What it had has succeeded since.
    is_over: bool
    #: Occurrences a day, the oldest first.
    by_day: list[int] = field(default_factory=list)

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
    rows = RunStep.objects.for_organization(organization)
    return rows.filter(status=Status.FAILED).exclude(fingerprint="")


def problems_of(
    organization: Organization, *, since: datetime | None = None, most: int = MOST
) -> list[Problem]:
    """Problems seen since then, the newest first; counted over all that is kept."""
    groups = _grouped(failures(organization))
    if since is not None:
        groups = groups.filter(last_at__gte=since)
    return _built(organization, list(groups.order_by("-last_at")[:most]))


def problem_of(organization: Organization, fingerprint: str) -> Problem | None:
    """One problem, or None when no step of the organization has that fingerprint."""
    groups = _grouped(failures(organization).filter(fingerprint=fingerprint))
    return next(iter(_built(organization, list(groups.order_by()))), None)


def occurrences(
    organization: Organization, fingerprint: str, *, before: int | None = None, most: int = 50
) -> list[RunStep]:
    """Its steps with their runs, the newest first; ``before`` is the id of the last one shown."""
    rows = failures(organization).filter(fingerprint=fingerprint).select_related("run")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:most])


def _grouped(rows: QuerySet[RunStep]) -> Any:
    """The rows by fingerprint, as dictionaries."""
    return rows.values("fingerprint").annotate(
        count=Count("pk"),
        first_at=Min("finished_at"),
        last_at=Max("finished_at"),
        latest=Max("pk"),
    )


def _built(organization: Organization, groups: list[dict[str, Any]]) -> list[Problem]:
    prints = [group["fingerprint"] for group in groups]
    latest = _latest(organization, [group["latest"] for group in groups])
    affected = _affected(organization, prints)
    good = _last_successes(organization, {pair for pairs in affected.values() for pair in pairs})
    days = _by_day(organization, prints)
    return [
        Problem(
            fingerprint=group["fingerprint"],
            latest=latest[group["latest"]],
            count=group["count"],
            first_at=group["first_at"],
            last_at=group["last_at"],
            affected=sorted(affected[group["fingerprint"]]),
            is_over=all(
                pair in good and good[pair] > failed_at
                for pair, failed_at in affected[group["fingerprint"]].items()
            ),
            by_day=days[group["fingerprint"]],
        )
        for group in groups
    ]


def _latest(organization: Organization, ids: Collection[int]) -> dict[int, RunStep]:
    rows = RunStep.objects.for_organization(organization).filter(pk__in=ids)
    return {
        step.pk: step
        for step in rows.select_related(
            "run__organization", "pipeline__source", "pipeline__destination", "connection"
        )
    }


def _affected(
    organization: Organization, prints: Collection[str]
) -> dict[str, dict[tuple[str, str], datetime]]:
    """By fingerprint: when each step it concerns failed last."""
    found: dict[str, dict[tuple[str, str], datetime]] = defaultdict(dict)
    rows = failures(organization).filter(fingerprint__in=prints)
    groups = rows.values_list("fingerprint", "kind", "name").annotate(last=Max("finished_at"))
    for fingerprint, kind, name, last in groups.order_by():
        found[fingerprint][kind, name] = last
    return found


def _last_successes(
    organization: Organization, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], datetime]:
    rows = RunStep.objects.for_organization(organization)
    rows = rows.filter(status=Status.SUCCEEDED, name__in={name for _kind, name in pairs})
    found = rows.values_list("kind", "name").annotate(last=Max("finished_at")).order_by()
    return {(kind, name): last for kind, name, last in found}


def _by_day(organization: Organization, prints: Collection[str]) -> dict[str, list[int]]:
    today = timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    found: dict[str, list[int]] = defaultdict(lambda: [0] * DAYS)
    rows = failures(organization).filter(
        Q(fingerprint__in=prints), finished_at__gte=timezone.now() - timedelta(days=DAYS)
    )
    days = rows.annotate(day=TruncDate("finished_at")).values_list("fingerprint", "day")
    for fingerprint, day, count in days.annotate(count=Count("pk")).order_by():
        if day >= first:
            found[fingerprint][(day - first).days] = count
    return found
