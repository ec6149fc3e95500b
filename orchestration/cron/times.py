"""From an expression and a zone to moments, daylight saving included (docs/schedules.md, Clock changes).

Times of the day that the expression names belong to the wall: one that does not exist moves to the moment the clock
jumps, one that comes twice is taken the first time. What follows the clock (``*`` in minute or hour) starts whenever
the clock shows a time that fits: never in a gap, twice where an hour is repeated.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

from orchestration.cron.expression import Expression, parse
from orchestration.errors import InvalidCron

#: Longer than any change of a clock: Samoa left out a whole day.
_AROUND = timedelta(hours=25)
_ZERO, _MINUTE, _DAY = timedelta(0), timedelta(minutes=1), timedelta(days=1)


class Outcome(StrEnum):
    """What a change of the clock does to one time."""

    USUAL = "usual"
    #: Does not exist that day: starts when the clock has jumped.
    MOVED = "moved"
    #: Does not exist that day: left out.
    SKIPPED = "skipped"
    #: Comes twice that day: starts the first time only.
    ONCE = "once"
    #: Comes twice that day and starts both times.
    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True)
class Start:
    """``wall`` is what the expression says, without a zone; ``at`` when that is, in UTC."""

    at: datetime
    wall: datetime
    outcome: Outcome

    @property
    def happens(self) -> bool:
        return self.outcome != Outcome.SKIPPED


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # Asked for at every fired schedule; the answer is a walk through the zone files.
    return frozenset(available_timezones())


def zone_of(name: str) -> ZoneInfo:
    if name not in _zones():
        raise InvalidCron(
            f"{name!r} is not a time zone.",
            field="time_zone",
            remedy="Use a name such as Europe/Berlin or UTC.",
        )
    return ZoneInfo(name)


def starts_after(expression: str, zone: str, after: datetime) -> Iterator[Start]:
    """What is due after ``after``, each moment once, with what is left out in its place; ends after fifty years."""
    before = after
    for start in _merged(parse(expression), zone_of(zone), after):
        if start.at <= after or (start.happens and start.at <= before):
            continue
        before = max(before, start.at) if start.happens else before
        yield start


def times_after(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Due times after ``after``, in UTC."""
    return (start.at for start in starts_after(expression, zone, after) if start.happens)


def next_times(expression: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The next due times, in the schedule's own zone."""
    times = times_after(expression, zone, after)
    return [at.astimezone(ZoneInfo(zone)) for at, _ in zip(times, range(count), strict=False)]


def last_times(
    expression: str, zone: str, since: datetime, until: datetime, most: int
) -> list[datetime]:
    """The newest due times from ``since`` on and up to ``until``, at most so many, oldest first."""
    window = timedelta(days=1)
    while True:
        # A schedule of every minute that slept for a year has half a million; only the newest are looked for.
        after = max(since - _MINUTE, until - window)
        times = list(takewhile(lambda at: at <= until, times_after(expression, zone, after)))
        if len(times) >= most or after < since:
            return [at for at in times if at >= since][-most:]
        window *= 4


def _merged(expression: Expression, zone: ZoneInfo, after: datetime) -> Iterator[Start]:
    """Both passes of a repeated hour in the order of time; from the first that may lie after ``after``."""
    second: deque[Start] = deque()
    for wall in _walls(expression, _first_wall(zone, after)):
        found = _resolved(wall, zone, follows_clock=expression.follows_clock)
        while second and second[0].at <= found[0].at:
            yield second.popleft()
        yield found[0]
        second.extend(found[1:])
    yield from second


def _first_wall(zone: ZoneInfo, after: datetime) -> datetime:
    local = after.astimezone(zone)
    earlier = (after - _AROUND).astimezone(zone)
    # Without a change lately, what the wall showed up to now has passed.
    changed = local.utcoffset() != earlier.utcoffset()
    return (earlier if changed else local).replace(tzinfo=None, second=0, microsecond=0, fold=0)


def _walls(expression: Expression, first: datetime) -> Iterator[datetime]:
    """Times as the expression says them, whatever the clock does."""
    minutes, hours = expression.minutes, expression.hours
    for day in expression.dates(first.date()):
        from_hour = first.hour if day == first.date() else 0
        for hour in hours[bisect_left(hours, from_hour) :]:
            for minute in minutes:
                yield datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001


def _resolved(wall: datetime, zone: ZoneInfo, *, follows_clock: bool) -> list[Start]:
    """The start, or both, of one time of the wall."""
    before = _offset(wall.replace(tzinfo=zone))
    after = _offset(wall.replace(tzinfo=zone, fold=1))
    first = (wall - before).replace(tzinfo=UTC)
    if before == after:
        return [Start(first, wall, Outcome.USUAL)]
    second = (wall - after).replace(tzinfo=UTC)
    if before < after:
        outcome = Outcome.SKIPPED if follows_clock else Outcome.MOVED
        return [Start(_change(zone, second, first), wall, outcome)]
    if not follows_clock:
        return [Start(first, wall, Outcome.ONCE)]
    return [Start(first, wall, Outcome.FIRST), Start(second, wall, Outcome.SECOND)]


def _offset(moment: datetime) -> timedelta:
    return moment.utcoffset() or _ZERO


def _change(zone: ZoneInfo, early: datetime, late: datetime) -> datetime:
    """The first minute after the clock changed, which it does after ``early`` and not after ``late``."""
    new = late.astimezone(zone).utcoffset()
    while late - early > _MINUTE:
        middle = early + timedelta(minutes=(late - early) // _MINUTE // 2)
        if middle.astimezone(zone).utcoffset() == new:
            late = middle
        else:
            early = middle
    return late


def offset_words(moment: datetime) -> str:
    """``UTC+02:00`` of an aware time."""
    return str(timezone(_offset(moment)))
