"""Cron again, written without a look at ours: it walks through every minute of real time, as the daemon does.

After ISC cron 4.1 (``cron.c``, ``entry.c``; crontab(5)): a field is a bit string, a field that begins with ``*`` sets a
flag, and on the flags hangs whether both day fields have to fit or one of them, and whether the job is one of the wild
cards or one of the fixed times when the clock jumps. After a jump ahead the fixed times jumped over run at once, in
the first minute behind it; in an hour that comes again they do not run again, wild cards do.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


class SlowCron:
    """One crontab line."""

    def __init__(self, line: str) -> None:
        minute, hour, day, month, weekday = line.lower().split()
        self.minute = _bits(minute, 0, 59)
        self.hour = _bits(hour, 0, 23)
        self.day = _bits(day, 1, 31)
        self.month = _bits(month, 1, 12, _MONTHS, 1)
        self.weekday = _bits(weekday, 0, 7, _DAYS, 0)
        if self.weekday[0] or self.weekday[7]:
            self.weekday[0] = self.weekday[7] = True
        self.day_star, self.weekday_star = day[0] == "*", weekday[0] == "*"
        self.wild = minute[0] == "*" or hour[0] == "*"

    def fits(self, wall: datetime) -> bool:
        if not (self.minute[wall.minute] and self.hour[wall.hour] and self.month[wall.month]):
            return False
        day = self.day[wall.day]
        weekday = self.weekday[(wall.weekday() + 1) % 7]
        return (day and weekday) if self.day_star or self.weekday_star else (day or weekday)


def _bits(
    field: str, low: int, high: int, names: list[str] | None = None, base: int = 0
) -> list[bool]:
    bits = [False] * (high + 1)

    def number(text: str) -> int:
        return names.index(text) + base if names and text in names else int(text)

    for item in field.split(","):
        span, _slash, step = item.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (number(end) for end in span.split("-"))
        else:
            first = number(span)
            last = high if step else first
        place = first
        while place <= last:
            bits[place] = True
            place += int(step or 1)
    return bits


def minutes_of(zone: ZoneInfo, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """Every minute as ``(UTC, wall)``."""
    found = []
    moment = since
    while moment < until:
        found.append((moment, moment.astimezone(zone).replace(tzinfo=None, fold=0)))
        moment += MINUTE
    return found


def expected(line: str, minutes: list[tuple[datetime, datetime]]) -> Iterator[datetime]:
    """Each moment in which the line runs."""
    cron = SlowCron(line)
    # What the wall has shown at the latest: whatever it shows again has been seen.
    latest = minutes[0][1] - MINUTE
    for moment, wall in minutes:
        if cron.wild:
            if cron.fits(wall):
                yield moment
            latest = max(latest, wall)
            continue
        runs = False
        # Usually one minute; after a jump also those that the wall never showed; in a repeated hour none.
        while latest < wall:
            latest += MINUTE
            runs = runs or cron.fits(latest)
        if runs:
            yield moment


def window(year: int, month: int, day: int, days: int) -> tuple[datetime, datetime]:
    since = datetime(year, month, day, tzinfo=UTC)
    return since, since + timedelta(days=days)
