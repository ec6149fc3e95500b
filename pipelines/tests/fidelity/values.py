"""Values of all systems in one form, so that what left a source can be compared with what arrived.

A value is a plain Python value where one is exact (int, Decimal, float, bool, str, bytes) and a tagged tuple where
Python has none wide enough: dates before year 1, infinities, nanoseconds, 24:00, months beside days.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from math import isnan
from struct import pack, unpack
from typing import Any

NAN = ("number", "NaN")
_STAMP = re.compile(
    r"^(\d+)-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?)?\s?([+-]\d\d(?::?\d\d){0,2}|Z)?$"
)
_TIME = re.compile(r"^(-?)(\d{2,3}):(\d\d):(\d\d)(?:\.(\d{1,9}))?([+-]\d\d(?::?\d\d){0,2})?$")
_NANO = 1_000_000_000


@dataclass(frozen=True)
class Cell:
    """One value: its kind (int, float, text, …), its canonical form, and the words its own system has for it."""

    kind: str
    value: Any
    text: str | None

    @property
    def is_null(self) -> bool:
        return self.value is None


def cell(kind: str, raw: str | None, text: str | None = None) -> Cell:
    """``raw`` is what ``parse`` reads; ``text`` the system's own words where those are others."""
    return Cell(kind, None if raw is None else parse(kind, raw), raw if text is None else text)


def parse(kind: str, text: str) -> Any:
    """The canonical value of a text form; ``ValueError`` where it has none of that kind."""
    if kind in ("int", "bool", "decimal", "float", "real"):
        return _number(kind, text)
    if kind in ("date", "timestamp", "timestamptz"):
        return _stamp(kind, text)
    if kind in ("time", "timetz"):
        return _time(kind, text)
    if kind == "interval":
        return _interval(text)
    if kind in ("json", "array"):
        return (kind, canonical_json(text))
    if kind == "bytes":
        return bytes.fromhex(text)
    if kind == "inet":
        # PostgreSQL writes the mask of a whole address in a cast, and leaves it out elsewhere.
        return text.removesuffix("/128" if ":" in text else "/32")
    # Blanks at the end of a char(n) are no part of its value.
    return text.rstrip(" ") if kind == "char" else text


def _number(kind: str, text: str) -> Any:
    if kind == "bool":
        return {"t": True, "f": False, "true": True, "false": False, "1": True, "0": False}[
            text.lower()
        ]
    if kind == "int":
        return int(text)
    if kind == "decimal":
        return NAN if text.lower() == "nan" else Decimal(text)
    return as_float(float(text), single=kind == "real")


def as_float(number: float, *, single: bool = False) -> Any:
    """A float with a NaN that equals itself; ``single`` rounds to what four bytes hold."""
    if isnan(number):
        return NAN
    return unpack("f", pack("f", number))[0] if single else number


def _stamp(kind: str, text: str) -> Any:
    if text.lstrip("-") == "infinity":
        return (kind, text)
    plain = re.sub(r" ?\(?BC\)?", "", text)
    match = _STAMP.match(plain.strip())
    if not match:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    number = 1 - int(year) if plain != text else int(year)
    days = _days(number, int(month), int(day))
    if kind == "date":
        if int(hour or 0) or int(minute or 0) or int(second or 0):
            raise ValueError(text)
        return ("date", days)
    seconds = days * 86_400 + _clock(hour, minute, second)
    if kind == "timestamptz":
        seconds -= _offset(zone or "Z")
    elif zone:
        raise ValueError(text)
    return (kind, seconds * _NANO + int((fraction or "").ljust(9, "0") or 0))


def _clock(hour: str | None, minute: str | None, second: str | None) -> int:
    return int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0)


def _time(kind: str, text: str) -> Any:
    match = _TIME.match(text)
    if not match or (kind == "time" and match[6]):
        raise ValueError(text)
    sign, hour, minute, second, fraction, zone = match.groups()
    nanos = _clock(hour, minute, second) * _NANO + int((fraction or "").ljust(9, "0") or 0)
    nanos = -nanos if sign else nanos
    return ("time", nanos) if kind == "time" else ("timetz", nanos, _offset(zone or "Z"))


def _interval(text: str) -> Any:
    """Months, days and microseconds; of "1,2,3" or of "1 year 2 mons -3 days 04:05:06.7"."""
    if text.count(",") == 2:
        return ("interval", *map(int, text.split(",")))
    found = {"year": 0, "mon": 0, "day": 0}
    for number, unit in re.findall(r"(-?\d+) (year|mon|day)(?:th)?s?", text):
        found[unit] += int(number)
    rest = re.sub(r"-?\d+ (?:year|mon|day)(?:th)?s?", "", text).strip()
    nanos = _time("time", rest)[1] if rest else 0
    return ("interval", found["year"] * 12 + found["mon"], found["day"], nanos // 1000)


def _offset(zone: str) -> int:
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(6, "0")
    seconds = _clock(digits[:2], digits[2:4], digits[4:6])
    return -seconds if zone[0] == "-" else seconds


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, for any year."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def canonical_json(text: str) -> str:
    """The document without its spacing and the order of its keys; numbers with every digit, zeros at the end aside."""
    digits: dict[str, Any] = {"parse_float": Decimal, "parse_int": Decimal}
    return _dump(json.loads(text, **digits))


def _dump(value: Any) -> str:
    if isinstance(value, dict):
        items = (f"{json.dumps(key)}:{_dump(item)}" for key, item in sorted(value.items()))
        return f"{{{','.join(items)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_dump, value))}]"
    return _plain_digits(value) if isinstance(value, Decimal) else json.dumps(value)


def _plain_digits(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits))
    stripped = text.rstrip("0") or "0"
    assert isinstance(exponent, int)
    return f"{'-' if sign else ''}{stripped}e{0 if stripped == '0' else exponent + len(text) - len(stripped)}"
