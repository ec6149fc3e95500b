"""A cron expression as sets of numbers, read as Vixie cron reads it; what is none says which field and why."""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from orchestration.errors import InvalidCron

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: The calendar repeats within this time, 29 February on a Sunday across a year like 2100 included.
YEARS = 50
_REMEDY = "Each field is a number, a list (1,15), a range (1-5), a step (*/15) or *."
_ITEM = re.compile(
    r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?", re.ASCII
)


@dataclass(frozen=True)
class Part:
    """One of the five fields: its name for people, its bounds and its names for numbers."""

    title: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text in self.names:
            return self.names.index(text) + self.low
        if not text.isdecimal():
            raise _Unfit(f"{text!r} is no {self.title}")
        if not self.low <= int(text) <= self.high:
            raise _Unfit(f"the {self.title} {text} is not from {self.low} to {self.high}")
        return int(text)

    def numbers(self, item: str) -> Iterator[int]:
        """Of one item of a list: ``*``, ``5``, ``1-5``, each with or without ``/step``."""
        match = _ITEM.fullmatch(item)
        if match is None:
            raise _Unfit(f"{item!r} is no {self.title}")
        if match["star"]:
            first, last = self.low, self.high
        else:
            first = self.number(match["first"])
            last = self._last(match, first)
        step = int(match["step"] or 1)
        if not 1 <= step <= self.high:
            raise _Unfit(
                f"a step of {step} does not fit into the {self.title}, which goes up to {self.high}"
            )
        yield from range(first, last + 1, step)

    def _last(self, match: re.Match[str], first: int) -> int:
        if match["last"] is None:
            # A step without an end goes to the end: 10/15 is 10-59/15.
            return self.high if match["step"] else first
        last = self.number(match["last"])
        if self.names is WEEKDAYS and last == 0 < first:
            last = 7  # fri-sun
        if last < first:
            raise _Unfit(f"the range {match['first']}-{match['last']} runs backwards")
        return last


MINUTE, HOUR = Part("minute", 0, 59), Part("hour", 0, 23)
DAY, MONTH = Part("day of month", 1, 31), Part("month", 1, 12, MONTHS)
WEEKDAY = Part("day of week", 0, 7, WEEKDAYS)


class _Unfit(Exception):
    """A reason, within the sentence that quotes the expression."""


@dataclass(frozen=True)
class Days:
    """Days of a month, or of a week: numbers, and what depends on the month."""

    numbers: frozenset[int]
    #: The field begins with ``*``.
    starred: bool
    #: ``L`` and ``LW`` of a month: its last day, its last day from Monday to Friday.
    last: bool = False
    last_working: bool = False
    #: Weekdays as ``(number, n)``: the nth of the month, 0 the last (``2#1``, ``5L``).
    nth: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Expression:
    """When it is due, on clocks that never change."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: frozenset[int]
    weekdays: Days
    #: Minute or hour begin with ``*``: it follows the clock rather than naming times of the day.
    follows_clock: bool

    @property
    def either_day(self) -> bool:
        """Day of month OR day of week, when both are restricted."""
        return not (self.days.starred or self.weekdays.starred)

    def has(self, day: date) -> bool:
        if self.either_day:
            return self._has_day(day) or self._has_weekday(day)
        return self._has_day(day) and self._has_weekday(day)

    def dates(self, first: date) -> Iterator[date]:
        """From ``first`` on, for fifty years."""
        day, end = first, first.year + YEARS
        while day.year < end:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            if self.has(day):
                yield day
            day += timedelta(days=1)

    def _has_day(self, day: date) -> bool:
        if day.day in self.days.numbers:
            return True
        if day.day < 26 or not (self.days.last or self.days.last_working):
            return False
        final = date(day.year, day.month, monthrange(day.year, day.month)[1])
        if self.days.last and day == final:
            return True
        working = final - timedelta(days=max(0, final.isoweekday() - 5))
        return self.days.last_working and day == working

    def _has_weekday(self, day: date) -> bool:
        number = day.isoweekday() % 7
        if number in self.weekdays.numbers:
            return True
        if not self.weekdays.nth:
            return False
        is_last = day.day + 7 > monthrange(day.year, day.month)[1]
        return (number, (day.day + 6) // 7) in self.weekdays.nth or (
            is_last and (number, 0) in self.weekdays.nth
        )


def fields_of(text: str) -> list[str]:
    """The five fields of a valid expression, or ``InvalidCron`` that says what is wrong."""
    parse(text)
    return SHORTHANDS.get(text.strip().lower(), text).split()


@lru_cache(maxsize=2_000)
def parse(text: str) -> Expression:
    """Raises ``InvalidCron`` naming the field of the form and the part of the expression."""
    fields = SHORTHANDS.get(text.strip().lower(), text).upper().split()
    if len(fields) != 5:
        raise InvalidCron(
            f"A cron expression has 5 fields, this has {len(fields)}.",
            field="cron",
            remedy="Write minute, hour, day of month, month and day of week: 0 6 * * 1-5.",
        )
    try:
        expression = _expression(*fields)
    except _Unfit as error:
        raise InvalidCron(
            f"{text!r} is not a cron expression: {error}.", field="cron", remedy=_REMEDY
        ) from None
    # Leap years and weekdays begin again after 400 years, but no schedule is about that.
    if next(expression.dates(date(2024, 1, 1)), None) is None:
        raise InvalidCron(
            f"{text!r} never comes: there is no such day.",
            field="cron",
            remedy="Choose a day that one of the months has.",
        )
    return expression


def _expression(minute: str, hour: str, day: str, month: str, weekday: str) -> Expression:
    return Expression(
        minutes=tuple(sorted(_numbers(MINUTE, minute))),
        hours=tuple(sorted(_numbers(HOUR, hour))),
        days=_days(day),
        months=frozenset(_numbers(MONTH, month)),
        weekdays=_weekdays(weekday),
        follows_clock=minute.startswith("*") or hour.startswith("*"),
    )


def _numbers(part: Part, text: str) -> set[int]:
    return {number for item in text.split(",") for number in part.numbers(item)}


def _days(text: str) -> Days:
    items = text.split(",")
    plain = [item for item in items if item not in {"L", "LW"}]
    return Days(
        numbers=frozenset(_numbers(DAY, ",".join(plain)) if plain else ()),
        starred=text.startswith("*"),
        last="L" in items,
        last_working="LW" in items,
    )


def _weekdays(text: str) -> Days:
    numbers: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for item in text.split(","):
        name, sign, count = item.partition("#")
        if sign:
            if count not in {"1", "2", "3", "4", "5"}:
                raise _Unfit(f"a month has no {count or 'nameless'}th {name}")
            nth.add((WEEKDAY.number(name) % 7, int(count)))
        elif len(item) > 1 and item.endswith("L"):
            nth.add((WEEKDAY.number(item[:-1]) % 7, 0))
        else:
            numbers |= {number % 7 for number in WEEKDAY.numbers(item)}
    return Days(frozenset(numbers), starred=text.startswith("*"), nth=frozenset(nth))
