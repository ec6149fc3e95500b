"""What the pages and the API say about backfills: progress, the strip, a page of slices."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from common.http import get_or_404
from orchestration.models import ACTIVE_STATUSES, Backfill, BackfillSlice, Status
from tenants.models import Organization

#: Cells of the strip; where there are more slices, a cell stands for several.
MOST_CELLS = 120
PAGE = 50
#: Of the slices in a cell, the one that most wants to be seen gives it its colour.
_URGENCY = (
    Status.FAILED,
    Status.RUNNING,
    Status.CANCELLED,
    Status.SKIPPED,
    Status.QUEUED,
    Status.SUCCEEDED,
)
#: Filters of the table of slices, by the word in the query.
FILTERS: dict[str, frozenset[Status]] = {
    "": frozenset(Status),
    "failed": frozenset({Status.FAILED, Status.CANCELLED, Status.SKIPPED}),
    "waiting": frozenset(ACTIVE_STATUSES),
    "succeeded": frozenset({Status.SUCCEEDED}),
}


@dataclass(frozen=True)
class Progress:
    total: int
    succeeded: int
    failed: int
    cancelled: int
    running: int
    rows_loaded: int

    @property
    def waiting(self) -> int:
        return self.total - self.succeeded - self.failed - self.cancelled - self.running

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.cancelled

    @property
    def can_retry(self) -> bool:
        return self.failed + self.cancelled > 0


@dataclass(frozen=True)
class Cell:
    """One or several slices in a row, with the page or the part of the table that tells more."""

    status: str
    first: BackfillSlice
    last: BackfillSlice

    @property
    def is_single(self) -> bool:
        return self.first.position == self.last.position


def backfills_of(organization: Organization, *, pipeline: str = "") -> QuerySet[Backfill]:
    """The newest first, with counts of their slices (``total``, ``succeeded``, ``failed``)."""
    rows = Backfill.objects.for_organization(organization).select_related(
        "pipeline", "organization"
    )
    if pipeline:
        rows = rows.filter(pipeline__slug=pipeline)
    own = BackfillSlice.objects.for_organization(organization).order_by()
    own = own.filter(backfill=OuterRef("pk"))
    # Each for the rows that are shown alone: joined, all slices ever would be counted for one page.
    return rows.annotate(
        total=_count(own),
        succeeded=_count(own.filter(status=Status.SUCCEEDED)),
        failed=_count(own.filter(status=Status.FAILED)),
    ).order_by("-number")


def _count(slices: QuerySet[BackfillSlice]) -> Coalesce:
    counted = slices.values("backfill").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


def find_backfill(organization: Organization, number: int) -> Backfill:
    rows = Backfill.objects.for_organization(organization)
    return get_or_404(rows.select_related("organization", "pipeline"), number=number)


def slices_of(backfill: Backfill, wanted: str = "") -> QuerySet[BackfillSlice]:
    """In order, with their runs; ``wanted`` is a key of ``FILTERS``."""
    rows = BackfillSlice.objects.for_organization(backfill.organization).filter(backfill=backfill)
    if wanted in FILTERS and wanted:
        rows = rows.filter(status__in=FILTERS[wanted])
    return rows.select_related("run").order_by("position")


def progress_of(backfill: Backfill) -> Progress:
    rows = BackfillSlice.objects.for_organization(backfill.organization).filter(backfill=backfill)
    counted = rows.order_by().values("status").annotate(n=Count("pk"), rows=Sum("rows_loaded"))
    counts: Counter[str] = Counter()
    loaded = 0
    for one in counted:
        counts[one["status"]] += one["n"]
        loaded += one["rows"] or 0
    return Progress(
        total=counts.total(),
        succeeded=counts[Status.SUCCEEDED],
        failed=counts[Status.FAILED],
        cancelled=counts[Status.CANCELLED] + counts[Status.SKIPPED],
        running=counts[Status.RUNNING],
        rows_loaded=loaded,
    )


def shown_status(one: BackfillSlice) -> str:
    """Of a slice whose run waits for a place, that it waits."""
    if one.status == Status.RUNNING and one.run is not None and one.run.status == Status.QUEUED:
        return str(Status.QUEUED)
    if one.status == Status.SUCCEEDED and one.run is not None and one.run.has_warnings:
        return "warning"
    return str(one.status)


def strip_of(slices: Iterable[BackfillSlice]) -> list[Cell]:
    """The whole range as at most ``MOST_CELLS`` cells, each of equally many slices."""
    rows = list(slices)
    size = -(-len(rows) // MOST_CELLS) or 1
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [Cell(_of_all(group), group[0], group[-1]) for group in groups]


def _of_all(group: list[BackfillSlice]) -> str:
    if len(group) == 1:
        return shown_status(group[0])
    found = {one.status for one in group}
    return next(str(status) for status in _URGENCY if status in found)


def page_of_slices(backfill: Backfill, wanted: str, start: int) -> dict[str, Any]:
    """``slices`` from the position on, with where the pages before and after begin (0: there is none)."""
    rows = slices_of(backfill, wanted)
    found = list(rows.filter(position__gte=start)[: PAGE + 1])
    before = list(rows.filter(position__lt=start).order_by("-position")[:PAGE])
    return {
        "slices": [(one, shown_status(one)) for one in found[:PAGE]],
        "before": before[-1].position if before else 0,
        "after": found[PAGE].position if len(found) > PAGE else 0,
        "matching": rows.count(),
    }
