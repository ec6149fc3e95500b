"""The conversions a report may announce, each with the test of its result.

A rule judges one value: the cell at the source and the cell found at the destination. A conversion that no rule
describes is a loss, whatever the report calls it.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation

from pipelines.tests.fidelity.values import NAN, Cell, canonical_json, parse

Rule = Callable[[Cell, Cell], bool]


def same(source: Cell, found: Cell) -> bool:
    """The value itself, in a type of the destination that holds it."""
    if source.value is None or found.value is None:
        return source.value is found.value
    if source.kind == "char" and isinstance(found.value, str):
        return bool(source.value == found.value.rstrip(" "))
    if isinstance(source.value, str | bytes) or isinstance(found.value, str | bytes):
        return type(source.value) is type(found.value) and source.value == found.value
    return bool(source.value == found.value)


def _text(source: Cell, found: Cell) -> bool:
    """Text that reads back as the same value."""
    if not isinstance(found.value, str):
        return False
    if found.value == source.text:
        return True
    with suppress(ValueError, KeyError, InvalidOperation):
        return bool(parse(source.kind, found.value) == source.value)
    return False


def _json(source: Cell, found: Cell) -> bool:
    """A JSON list or object with the same contents, in a JSON column or as text."""
    wanted = source.value[1]
    if isinstance(found.value, str):
        with suppress(ValueError):
            return bool(canonical_json(found.value) == wanted)
        return False
    return bool(found.value == ("json", wanted))


def _json_floats(source: Cell, found: Cell) -> bool:
    """A JSON list or object with the same contents, its numbers being the nearest doubles."""
    text = found.value if isinstance(found.value, str) else found.value[1]
    with suppress(ValueError):
        return bool(json.loads(source.value[1]) == json.loads(text))
    return False


def _number(source: Cell, found: Cell) -> bool:
    """The same number in a type of another kind ("12.50" of money as 12.5)."""
    digits = (source.text or "").replace("$", "").replace(",", "")
    with suppress(InvalidOperation):
        return bool(Decimal(digits) == Decimal(str(found.value)))
    return False


def _float(source: Cell, found: Cell) -> bool:
    """The nearest double."""
    return isinstance(found.value, float) and float(source.value) == found.value


def _utc(source: Cell, found: Cell) -> bool:
    """An instant as date and time in UTC, without a zone."""
    return bool(found.value == ("timestamp", source.value[1]))


def _hex(source: Cell, found: Cell) -> bool:
    """Bytes as their hexadecimal digits."""
    return isinstance(found.value, str) and found.value.lower() == source.value.hex()


def _null(source: Cell, found: Cell) -> bool:
    """NULL for what the destination cannot hold at all."""
    return found.value is None


def _nan_is_null(source: Cell, found: Cell) -> bool:
    """NULL for NaN alone."""
    return found.value is None if source.value == NAN else same(source, found)


def _microseconds(source: Cell, found: Cell) -> bool:
    """Without the part below a microsecond."""
    kind, nanos = source.value
    return bool(found.value == (kind, nanos // 1000 * 1000))


RULES: dict[str, Rule] = {
    "same": same,
    "text": _text,
    "json": _json,
    "json floats": _json_floats,
    "number": _number,
    "float": _float,
    "utc": _utc,
    "hex": _hex,
    "null": _null,
    "nan is null": _nan_is_null,
    "microseconds": _microseconds,
}
