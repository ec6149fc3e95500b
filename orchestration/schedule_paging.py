"""The list of schedules a page at a time, by name."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from orchestration.models import Schedule
from tenants.models import Organization

PAGE_SIZE = 50
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class SchedulePage:
    """``before`` and ``after`` are slugs to page on with, or empty."""

    rows: list[Schedule]
    total: int
    before: str = ""
    after: str = ""


def page_of_schedules(
    organization: Organization,
    *,
    text: str = "",
    state: str = "",
    after: str = "",
    before: str = "",
) -> SchedulePage:
    """``state`` is active, paused or over (``schedule_page.state_of``); ``text`` part of a name or of what starts."""
    rows = Schedule.objects.for_organization(organization)
    matching = _matching(organization, rows, text.strip(), state)
    total = matching.order_by()[: MOST_COUNTED + 1].count()
    edge = rows.filter(slug=before or after).first() if before or after else None
    page = matching.order_by("name", "pk").select_related(
        "crontab", "node__pipeline", "node__transformation", "organization"
    )
    if edge and before:
        page = page.filter(Q(name__lt=edge.name) | Q(name=edge.name, pk__lt=edge.pk)).reverse()
    elif edge:
        page = page.filter(Q(name__gt=edge.name) | Q(name=edge.name, pk__gt=edge.pk))
    found = list(page[: PAGE_SIZE + 1])
    more, found = len(found) > PAGE_SIZE, found[:PAGE_SIZE]
    backwards = edge is not None and bool(before)
    if backwards:
        found.reverse()
    has_previous, has_next = (more, True) if backwards else (edge is not None, more)
    return SchedulePage(
        rows=found,
        total=total,
        before=found[0].slug if found and has_previous else "",
        after=found[-1].slug if found and has_next else "",
    )


def _matching(
    organization: Organization, rows: QuerySet[Schedule], text: str, state: str
) -> QuerySet[Schedule]:
    if text:
        found = Q(name__icontains=text)
        found |= Q(node__pipeline__name__icontains=text)
        found |= Q(node__transformation__name__icontains=text)
        if text.lower() in _("Whole graph").lower():
            found |= Q(node__isnull=True)
        rows = rows.filter(found)
    over = Q(ends_at__isnull=False, ends_at__lte=timezone.now())
    if organization.schedules_paused_at is None:
        over |= Q(is_active=True, next_run_at__isnull=True, note="")
    if state == "over":
        return rows.filter(over)
    if state in {"active", "paused"}:
        return rows.exclude(over).filter(is_active=state == "active")
    return rows
