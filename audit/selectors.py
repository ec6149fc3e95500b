"""Reading the log: filtered, and a page at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from audit.models import AuditEvent
from common.errors import UserError

if TYPE_CHECKING:
    from tenants.models import Organization

PAGE_SIZE = 50
#: The newest events; what people choose from in the filters is what these name.
LOOKED_AT = 5_000
BATCH = 1_000


@dataclass(frozen=True)
class Filters:
    """What is wanted; empty values want everything. Dates are days in the organization's zone.

    ``target`` is a type (``pipeline``), or a type and an id (``pipeline:12``).
    """

    text: str = ""
    action: str = ""
    actor: str = ""
    target: str = ""
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        return bool(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Those that are set, by the names they have in an address."""
        found = {
            "q": self.text,
            "action": self.action,
            "actor": self.actor,
            "target": self.target,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True)
class EventPage:
    events: list[AuditEvent]
    #: Cursors: the older page comes ``after``, the newer ``before``; empty where there is none.
    after: str
    before: str


@dataclass(frozen=True)
class Choices:
    """Who and what the newest events name."""

    actors: list[str]
    targets: list[str]


def events_of(organization: "Organization", filters: Filters) -> QuerySet[AuditEvent]:
    """The events that pass ``filters``, the newest first."""
    rows = AuditEvent.objects.for_organization(organization)
    if filters.action:
        rows = rows.filter(action=filters.action)
    if filters.actor:
        rows = rows.filter(actor_label=filters.actor)
    if filters.target:
        kind, _colon, number = filters.target.partition(":")
        rows = rows.filter(target_type=kind)
        rows = rows.filter(target_id=number) if number else rows
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


def choices_of(organization: "Organization") -> Choices:
    rows = AuditEvent.objects.for_organization(organization).order_by("-at", "-pk")
    named = list(rows.values_list("actor_label", "target_type")[:LOOKED_AT])
    return Choices(
        sorted({actor for actor, _ in named}, key=str.casefold)[:200],
        sorted({target for _, target in named if target}),
    )


def page_of(rows: QuerySet[AuditEvent], *, after: str = "", before: str = "") -> EventPage:
    """One keyset page: stays where it is while new events arrive."""
    if before:
        at, pk = _place(before)
        newer = rows.filter(Q(at__gt=at) | Q(at=at, pk__gt=pk)).order_by("at", "pk")
        found = list(newer[: PAGE_SIZE + 1])
        events, more = found[:PAGE_SIZE][::-1], len(found) > PAGE_SIZE
        return EventPage(events, _cursor(events[-1:]), _cursor(events[:1]) if more else "")
    if after:
        rows = _older(rows, *_place(after))
    found = list(rows[: PAGE_SIZE + 1])
    events = found[:PAGE_SIZE]
    older = _cursor(events[-1:]) if len(found) > PAGE_SIZE else ""
    return EventPage(events, older, _cursor(events[:1]) if after else "")


def every_batch(rows: QuerySet[AuditEvent]) -> Iterator[list[AuditEvent]]:
    """All of them, some at a time: however long the log is, no more is held."""
    batch = list(rows[:BATCH])
    while batch:
        yield batch
        last = batch[-1]
        batch = list(_older(rows, last.at, last.pk)[:BATCH]) if len(batch) == BATCH else []


def _older(rows: QuerySet[AuditEvent], at: datetime, pk: int) -> QuerySet[AuditEvent]:
    # The first condition is the index's, the second decides among events of one moment.
    return rows.filter(Q(at__lte=at), Q(at__lt=at) | Q(pk__lt=pk))


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
