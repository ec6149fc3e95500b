"""Lengths of time as people write them: ``45 m``, ``2 h``, ``1 d 12 h``."""

import re

from common.errors import UserError

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+)\s*(d(?:ays?)?|h(?:ours?)?|m(?:in(?:utes?)?)?|s(?:ec(?:onds?)?)?)\s*")
SHORTEST, LONGEST = 60, 366 * 86_400


def parse(text: str) -> int:
    """Seconds. Raises ``UserError`` for what is no length of time, or too short or long to watch."""
    rest, seconds = text.strip().lower(), 0
    while match := _PART.match(rest):
        seconds += int(match[1]) * _UNITS[match[2][0]]
        rest = rest[match.end() :]
    if rest or not text.strip():
        raise UserError(f"“{text}” is no length of time.", remedy="Write 45 m, 2 h or 1 d 12 h.")
    return within_bounds(seconds)


def within_bounds(seconds: int, field: str = "") -> int:
    if not SHORTEST <= seconds <= LONGEST:
        raise UserError(
            "A length of time is between one minute and 366 days.",
            field=field,
            remedy="Choose one in between.",
        )
    return seconds


def as_text(seconds: int | None) -> str:
    """The shortest text that ``parse`` turns into the same; empty for None."""
    parts, rest = [], seconds or 0
    for unit, size in _UNITS.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts)
