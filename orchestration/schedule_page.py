"""What pages say of a schedule: its next starts, what a change of the clock does to each, its state and bounds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice, pairwise
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from orchestration import cron
from orchestration.calendars import coming_starts
from orchestration.cron import Outcome, Start
from orchestration.errors import InvalidCron
from orchestration.models import Schedule

PREVIEW = 10
#: Times that are looked through for a preview; a schedule leaves out an hour of minutes at most.
_MOST = 2_000


@dataclass(frozen=True)
class ShownStart:
    """A start, or times that are left out; ``note`` says what the change of a clock does to it."""

    text: str
    note: str = ""
    happens: bool = True


@dataclass(frozen=True)
class Preview:
    words: str
    starts: list[ShownStart]
    #: A sentence when clocks change between two of the starts.
    shift: str
    #: It ends before as many starts as are shown.
    is_over: bool = False


def preview_of(
    expression: str,
    zone: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    now: datetime | None = None,
) -> Preview:
    """The next starts by the code that fires them. Raises ``InvalidCron`` naming the field."""
    place = cron.zone_of(zone)
    cron.parse(expression)
    if starts_at and ends_at and ends_at <= starts_at:
        raise InvalidCron("It would end before it begins.", field="ends_at")
    coming = coming_starts(
        expression, zone, now or timezone.now(), starts_at=starts_at, ends_at=ends_at
    )
    found = list(_first(coming, PREVIEW))
    happening = [start.at.astimezone(place) for start in found if start.happens]
    return Preview(
        cron.in_words(expression),
        list(_shown(found, place, _long)),
        _shift(happening),
        is_over=len(happening) < PREVIEW,
    )


def next_starts(schedule: Schedule, count: int) -> list[ShownStart]:
    """In the schedule's zone; none for one that rests or is over."""
    if schedule.next_run_at is None or not schedule.is_active:
        return []
    after = schedule.next_run_at - timedelta(seconds=1)
    coming = coming_starts(schedule.cron, schedule.time_zone, after, ends_at=schedule.ends_at)
    return list(_shown(_first(coming, count), ZoneInfo(schedule.time_zone), _short))


def state_of(schedule: Schedule) -> str:
    """``active``, ``paused`` or ``over``: the key of the status table."""
    if schedule.ends_at is not None and schedule.ends_at <= timezone.now():
        return "over"
    if not schedule.is_active:
        return "paused"
    organization = schedule.organization
    is_kept = organization.schedules_paused_at is not None or organization.is_at_rest
    rests = schedule.next_run_at is None and not is_kept
    return "over" if rests and not schedule.note else "active"


def bounds_of(schedule: Schedule) -> str:
    """“from 1 Dec 2026, 00:00 until 1 Feb 2027, 00:00”; empty without bounds that still matter."""
    place, now = ZoneInfo(schedule.time_zone), timezone.now()
    parts = []
    if schedule.starts_at is not None and schedule.starts_at > now:
        parts.append(_("from %(when)s") % {"when": _date(schedule.starts_at.astimezone(place))})
    if schedule.ends_at is not None:
        parts.append(_("until %(when)s") % {"when": _date(schedule.ends_at.astimezone(place))})
    return " ".join(parts)


def _first(coming: Iterator[Start], count: int) -> Iterator[Start]:
    """Up to so many that happen, with what is left out between them."""
    for start in islice(coming, _MOST):
        yield start
        count -= start.happens
        if not count:
            return


def _shown(
    starts: Iterable[Start], place: ZoneInfo, text: Callable[[datetime], str]
) -> Iterator[ShownStart]:
    for happens, group in groupby(starts, key=lambda start: start.happens):
        if happens:
            for start in group:
                yield ShownStart(text(start.at.astimezone(place)), _note(start))
            continue
        walls = [start.wall for start in group]
        clocks = _clocks(walls)
        yield ShownStart(
            f"{walls[0]:%a %d %b %Y}, {clocks}",
            _("left out: the clock jumps over it that day"),
            happens=False,
        )


def _clocks(walls: list[datetime]) -> str:
    if len(walls) == 1:
        return f"{walls[0]:%H:%M}"
    return _("%(first)s to %(last)s") % {"first": f"{walls[0]:%H:%M}", "last": f"{walls[-1]:%H:%M}"}


def _note(start: Start) -> str:
    words = {
        Outcome.MOVED: _("moved: the clock jumps over %(clock)s that day"),
        Outcome.ONCE: _("%(clock)s comes twice that day, it starts the first time only"),
        Outcome.FIRST: _("%(clock)s comes twice that day, this is the first"),
        Outcome.SECOND: _("%(clock)s comes twice that day, this is the second"),
    }
    return words.get(start.outcome, "") % {"clock": f"{start.wall:%H:%M}"}


def _shift(times: list[datetime]) -> str:
    for before, start in pairwise(times):
        if before.utcoffset() != start.utcoffset():
            return _(
                "Clocks change between the starts of %(first)s and %(second)s: from %(a)s to %(b)s."
            ) % {
                "first": f"{before:%d %b, %H:%M}",
                "second": f"{start:%d %b, %H:%M}",
                "a": cron.offset_words(before),
                "b": cron.offset_words(start),
            }
    return ""


def _long(at: datetime) -> str:
    return f"{at:%a %d %b %Y, %H:%M} {at.tzname()}"


def _short(at: datetime) -> str:
    is_near = abs(at - timezone.now()) < timedelta(days=300)
    return f"{at:%a %d %b, %H:%M}" if is_near else f"{at:%d %b %Y, %H:%M}"


def _date(moment: datetime) -> str:
    return f"{moment:%d %b %Y, %H:%M}"
