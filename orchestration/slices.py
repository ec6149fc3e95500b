"""Cuts a range of a cursor into slices: by the calendar, by hours, or by numbers. Pure."""

import calendar
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from common.errors import UserError

MOST_SLICES = 1_000
#: A proposed size makes at most so many.
_PROPOSED = 60

_SIZE = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]*)$")
_FIXED = {"minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
#: Units whose boundaries are whole days when the range begins with one.
_WHOLE_DAYS = frozenset({"day", "week", *_MONTHS})
_OFFERED = ("1 hour", "6 hours", "1 day", "1 week", "1 month", "1 year")
_AVERAGE_MONTH = timedelta(days=30.44)


class InvalidBackfill(UserError):
    """This range cannot be loaded in these slices."""

    code = "invalid_backfill"


@dataclass(frozen=True)
class Slice:
    """Half open: rows whose cursor is ``begin`` or higher and lower than ``end``."""

    begin: str
    end: str


@dataclass(frozen=True)
class Size:
    """How far one slice reaches; without a unit it is a step of a cursor that is a number."""

    amount: Decimal
    unit: str = ""

    def __str__(self) -> str:
        amount = f"{self.amount:f}"
        if not self.unit:
            return amount
        return f"{amount} {self.unit}" if self.amount == 1 else f"{amount} {self.unit}s"


def parse_size(text: str) -> Size:
    """``1 day``, ``6 hours``, ``1 month`` or ``50000``. Raises ``InvalidBackfill``."""
    found = _SIZE.match(text.strip().lower())
    unit = found[2].removesuffix("s") if found else ""
    if found is None or (unit and unit not in {*_FIXED, *_MONTHS}):
        units = ", ".join([*_FIXED, *_MONTHS])
        raise InvalidBackfill(
            f"“{text.strip()[:40]}” is no size of a slice.",
            field="slice_size",
            remedy=f"Give a number for cursors that are numbers, or a number and a unit: {units}.",
        )
    amount = Decimal(found[1])
    if unit and amount != amount.to_integral_value():
        raise InvalidBackfill(
            "A slice of time is a whole number of units.",
            field="slice_size",
            remedy="Take a smaller unit: 90 minutes instead of 1.5 hours.",
        )
    if amount <= 0:
        raise InvalidBackfill(
            "A slice is larger than nothing.", field="slice_size", remedy="Give 1 or more."
        )
    return Size(amount, unit)


def cut(begin: str, end: str, size: Size) -> list[Slice]:
    """The slices of ``[begin, end)``, the last one perhaps shorter; the outer bounds stay as they were written.

    Raises ``InvalidBackfill`` naming the field when a bound does not fit the size, the range is empty, or the
    slices are more than ``MOST_SLICES``.
    """
    inner = _times(begin, end, size) if size.unit else _numbers(begin, end, size)
    bounds = [begin, *itertools.islice(inner, MOST_SLICES), end]
    if len(bounds) - 1 > MOST_SLICES:
        larger = proposed_size(begin, end)
        raise InvalidBackfill(
            f"These are more than {MOST_SLICES:,} slices.",
            field="slice_size",
            remedy=f"Take larger slices, such as {larger}, or a shorter range.",
        )
    return [Slice(low, high) for low, high in itertools.pairwise(bounds)]


def proposed_size(begin: str, end: str) -> str:
    """A size that cuts the range into a few dozen slices at most; empty where the bounds say nothing."""
    low, high = _as_moment(begin), _as_moment(end)
    if low is not None and high is not None and _comparable(low, high):
        return _proposed_time(high - low, whole_days=_is_day(begin) and _is_day(end))
    try:
        return _proposed_number(Decimal(end) - Decimal(begin))
    except InvalidOperation:
        return ""


def _proposed_time(span: timedelta, *, whole_days: bool) -> str:
    lengths = {unit: timedelta(seconds=seconds) for unit, seconds in _FIXED.items()}
    lengths |= {unit: _AVERAGE_MONTH * months for unit, months in _MONTHS.items()}
    for text in _OFFERED:
        size = parse_size(text)
        if whole_days and size.unit == "hour":
            continue
        if span / (lengths[size.unit] * int(size.amount)) <= _PROPOSED:
            return text
    years = -(-span // (lengths["year"] * _PROPOSED))
    return str(Size(Decimal(max(years, 1)), "year"))


def _proposed_number(span: Decimal) -> str:
    if not span.is_finite() or span <= 0:
        return ""
    step = Decimal(1)
    while True:
        for factor in (1, 2, 5):
            if span / (step * factor) <= _PROPOSED:
                return f"{step * factor:f}"
        step *= 10


# --- numbers ---------------------------------------------------------------------------------------


def _numbers(begin: str, end: str, size: Size) -> Iterator[str]:
    low, high = _number("cursor_from", begin), _number("cursor_to", end)
    _check_order(high <= low, begin, end)
    step = low + size.amount
    while step < high:
        yield f"{step:f}"
        step += size.amount


def _number(field: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise InvalidBackfill(
            f"“{text[:100]}” is no number, but the size of a slice is one.",
            field=field,
            remedy="Give a number here, or a size such as 1 day.",
        )
    return value


# --- time ------------------------------------------------------------------------------------------


def _times(begin: str, end: str, size: Size) -> Iterator[str]:
    low, high = _moment("cursor_from", begin), _moment("cursor_to", end)
    if not _comparable(low, high):
        raise InvalidBackfill(
            "One end of the range has a time zone and the other has none.",
            field="cursor_to",
            remedy="Write both with an offset such as +00:00, or both without.",
        )
    _check_order(high <= low, begin, end)
    days = _is_day(begin) and size.unit in _WHOLE_DAYS
    for step in _steps(low, size):
        if step >= high:
            return
        yield step.date().isoformat() if days else _spelled(step, begin)


def _steps(low: datetime, size: Size) -> Iterator[datetime]:
    """Each reckoned from the beginning, so that the 31st comes back after a shorter month."""
    amount = int(size.amount)
    for count in itertools.count(1):
        try:
            if size.unit in _MONTHS:
                yield _months_later(low, _MONTHS[size.unit] * amount * count)
            else:
                yield low + timedelta(seconds=_FIXED[size.unit] * amount * count)
        except (OverflowError, ValueError):
            return  # Behind the last day there is.


def _months_later(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _spelled(moment: datetime, like: str) -> str:
    """As the beginning is: cursors that are text compare as text."""
    text = moment.isoformat(sep="T" if "T" in like else " ")
    return text.removesuffix("+00:00") + "Z" if like.endswith("Z") else text


def _moment(field: str, text: str) -> datetime:
    moment = _as_moment(text)
    if moment is None:
        raise InvalidBackfill(
            f"“{text[:100]}” is no date or time, but the size of a slice is one of time.",
            field=field,
            remedy="Give a date such as 2024-01-31, or a number as the size of a slice.",
        )
    return moment


def _as_moment(text: str) -> datetime | None:
    # A plain number may be read as a date in its short form; that is not meant here.
    if text.isdecimal():
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _comparable(low: datetime, high: datetime) -> bool:
    return (low.tzinfo is None) == (high.tzinfo is None)


def _check_order(is_empty: bool, begin: str, end: str) -> None:
    if is_empty:
        raise InvalidBackfill(
            f"The range from {begin} up to {end} is empty.",
            field="cursor_to",
            remedy="Give an end behind the beginning; the end itself is not loaded.",
        )
