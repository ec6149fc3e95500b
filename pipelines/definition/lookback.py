"""How far before its cursor's last value a run begins again."""

import re

from pipelines.errors import InvalidPipeline

_LOOKBACK = re.compile(r"^(?P<number>\d{1,12})(?P<fraction>\.\d{1,9})?\s*(?P<unit>[a-z]*)$")
_UNITS = {
    "s": "seconds",
    "second": "seconds",
    "seconds": "seconds",
    "minute": "minutes",
    "minutes": "minutes",
    "hour": "hours",
    "hours": "hours",
    "day": "days",
    "days": "days",
}


def canonical_lookback(value: str, *, where: str = "cursor_lookback") -> str:
    """The one spelling of a lookback: ``100``, ``90 seconds``; ``InvalidPipeline`` for what is none.

    A bare number is for cursors that are numbers, one with a unit for dates and times.
    """
    if not value:
        return ""
    match = _LOOKBACK.match(value.strip().lower())
    unit = match["unit"] if match else ""
    if match and not unit:
        return f"{match['number']}{match['fraction'] or ''}"
    if match and unit in _UNITS and not match["fraction"]:
        return f"{int(match['number'])} {_UNITS[unit]}"
    raise InvalidPipeline(
        f"{value!r} is no lookback.",
        field=where,
        remedy="Write a whole number of seconds, minutes, hours or days, such as 15 minutes;"
        " or a number alone for a cursor of numbers.",
    )
