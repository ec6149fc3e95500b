"""Reading the log: filtered, a page at a time, or as a file."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from audit.models import AuditEvent
from audit.words import sentence_of
from common.errors import UserError

if TYPE_CHECKING:
    from tenants.models import Organization

PAGE_SIZE = 50
#: Rows of one file; a longer log is exported in parts.
MOST_EXPORTED = 100_000

#: What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = (
    "time", "actor", "actor kind", "action", "target type", "target", "changes", "address", "sentence",
)  # fmt: skip


@dataclass(frozen=True)
class Filters:
    """What is wanted; empty values want everything. Dates are days in the organization's zone."""

    text: str = ""
    action: str = ""
    actor: str = ""
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        return any((self.text, self.action, self.actor, self.since, self.until))


@dataclass(frozen=True)
class EventPage:
    events: list[AuditEvent]
    #: Cursors: the older page comes ``after``, the newer ``before``; empty where there is none.
    after: str
    before: str


def events_of(organization: "Organization", filters: Filters) -> QuerySet[AuditEvent]:
    """The events that pass ``filters``, the newest first."""
    rows = AuditEvent.objects.for_organization(organization)
    if filters.action:
        rows = rows.filter(action=filters.action)
    if filters.actor:
        rows = rows.filter(actor_label=filters.actor)
    if filters.text:
        wanted = Q(target_label__icontains=filters.text) | Q(actor_label__icontains=filters.text)
        rows = rows.filter(wanted | Q(action__icontains=filters.text.replace(" ", "_")))
    zone = ZoneInfo(organization.time_zone)
    if filters.since:
        rows = rows.filter(at__gte=datetime.combine(filters.since, time.min, zone))
    if filters.until:
        next_day = filters.until + timedelta(days=1)
        rows = rows.filter(at__lt=datetime.combine(next_day, time.min, zone))
    return rows.order_by("-at", "-pk")


def actors_of(organization: "Organization") -> list[str]:
    """Everybody the log names, for the filter."""
    rows = AuditEvent.objects.for_organization(organization).order_by("actor_label")
    return list(rows.values_list("actor_label", flat=True).distinct()[:200])


def page_of(rows: QuerySet[AuditEvent], *, after: str = "", before: str = "") -> EventPage:
    """One keyset page: stays where it is while new events arrive."""
    if before:
        at, pk = _place(before)
        newer = rows.filter(Q(at__gt=at) | Q(at=at, pk__gt=pk)).order_by("at", "pk")
        found = list(newer[: PAGE_SIZE + 1])
        events, more = found[:PAGE_SIZE][::-1], len(found) > PAGE_SIZE
        return EventPage(events, _cursor(events[-1:]), _cursor(events[:1]) if more else "")
    if after:
        at, pk = _place(after)
        rows = rows.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))
    found = list(rows[: PAGE_SIZE + 1])
    events = found[:PAGE_SIZE]
    older = _cursor(events[-1:]) if len(found) > PAGE_SIZE else ""
    return EventPage(events, older, _cursor(events[:1]) if after else "")


def _cursor(events: list[AuditEvent]) -> str:
    return f"{events[0].at.isoformat()}~{events[0].pk}" if events else ""


def _place(cursor: str) -> tuple[datetime, int]:
    try:
        at, pk = cursor.split("~")
        moment, key = datetime.fromisoformat(at), int(pk)
    except ValueError:
        raise UserError(
            "This page of the log cannot be found.", remedy="Start at the newest."
        ) from None
    if moment.tzinfo is None:
        raise UserError("This page of the log cannot be found.", remedy="Start at the newest.")
    return moment, key


def export(rows: QuerySet[AuditEvent]) -> str:
    """The events as CSV, the newest first."""
    if rows.count() > MOST_EXPORTED:
        raise UserError(
            f"More than {MOST_EXPORTED:,} events pass this filter.",
            remedy="Choose a shorter time and export in parts.",
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for event in rows.iterator():
        writer.writerow(_safe(_cells(event)))
    return text.getvalue()


def _cells(event: AuditEvent) -> tuple[str, ...]:
    return (
        event.at.isoformat(timespec="seconds"),
        event.actor_label,
        event.actor_kind,
        event.action,
        event.target_type,
        event.target_label,
        json.dumps(event.changes, ensure_ascii=False) if event.changes else "",
        event.ip or "",
        sentence_of(event),
    )


def _safe(cells: Iterable[str]) -> list[str]:
    """Names are other people's text: none may start a formula where the file is opened."""
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
