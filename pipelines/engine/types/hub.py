"""The types in the middle: DuckDB's, and NUMERIC for decimals wider than DuckDB has (they travel as text).

``fits`` and ``wider`` decide what happens when a column of the destination has another type by now.
"""

import re

#: A decimal without bounds. DuckDB has none, so its values are exact text while they travel.
NUMERIC = "NUMERIC"
_DECIMAL = re.compile(r"^DECIMAL\((\d+),\s*(\d+)\)$")
#: Whole numbers: type → digits that any value of it may have.
_DIGITS = {
    "TINYINT": 3,
    "UTINYINT": 3,
    "SMALLINT": 5,
    "USMALLINT": 5,
    "INTEGER": 10,
    "UINTEGER": 10,
    "BIGINT": 19,
    "UBIGINT": 20,
    "HUGEINT": 39,
    "UHUGEINT": 39,
}
_WIDER = {
    "TINYINT": {"SMALLINT", "INTEGER", "BIGINT", "HUGEINT"},
    "UTINYINT": {
        "SMALLINT",
        "USMALLINT",
        "INTEGER",
        "UINTEGER",
        "BIGINT",
        "UBIGINT",
        "HUGEINT",
        "UHUGEINT",
    },
    "SMALLINT": {"INTEGER", "BIGINT", "HUGEINT"},
    "USMALLINT": {"INTEGER", "UINTEGER", "BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"},
    "INTEGER": {"BIGINT", "HUGEINT"},
    "UINTEGER": {"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"},
    "BIGINT": {"HUGEINT"},
    "UBIGINT": {"HUGEINT", "UHUGEINT"},
    "FLOAT": {"DOUBLE"},
    "DATE": {"TIMESTAMP"},
}
#: A DOUBLE holds these whole numbers exactly.
_DOUBLE_INTEGERS = frozenset(
    {"TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER", "UINTEGER"}
)
_INTEGERS_BY_SIZE = ("SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_SPELLINGS = {
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIME WITH TIME ZONE": "TIMETZ",
    "DATETIME": "TIMESTAMP",
}


def canonical(name: str) -> str:
    """One spelling a type: DuckDB reports TIMESTAMP WITH TIME ZONE for TIMESTAMPTZ."""
    text = name.strip().replace(", ", ",")
    return _SPELLINGS.get(text, text)


def physical(hub: str) -> str:
    """What DuckDB holds while the value travels."""
    return "VARCHAR" if hub == NUMERIC else hub


def decimal(precision: int, scale: int) -> str:
    """DECIMAL(p,s), or NUMERIC where DuckDB has none as wide."""
    if precision <= 38 and 0 <= scale <= precision:
        return f"DECIMAL({precision},{scale})"
    return NUMERIC


def is_nested(hub: str) -> bool:
    return hub.endswith("]") or hub.startswith(("STRUCT(", "MAP(", "UNION("))


def is_number(hub: str) -> bool:
    return hub in _DIGITS or hub in (NUMERIC, "FLOAT", "DOUBLE") or hub.startswith("DECIMAL")


def is_whole(hub: str) -> bool:
    return hub in _DIGITS


def fits(planned: str, existing: str) -> bool:
    """Whether a column of ``existing`` takes every value of ``planned`` without loss."""
    if planned == existing or existing == "VARCHAR" or existing in _WIDER.get(planned, set()):
        return True
    if existing == NUMERIC:
        return is_number(planned)
    if existing == "DOUBLE":
        return planned in _DOUBLE_INTEGERS
    return _decimal_takes(planned, existing)


def wider(planned: str, existing: str) -> str:
    """The narrowest type that takes the values of both; VARCHAR takes anything."""
    for one, other in ((planned, existing), (existing, planned)):
        if fits(one, other):
            return other
    if planned in _DIGITS and existing in _DIGITS:
        digits = max(_DIGITS[planned], _DIGITS[existing])
        return next((kind for kind in _INTEGERS_BY_SIZE if _DIGITS[kind] >= digits), NUMERIC)
    extents = _extent(planned), _extent(existing)
    if extents[0] and extents[1]:
        scale = max(extents[0][1], extents[1][1])
        return decimal(max(extents[0][0], extents[1][0]) + scale, scale)
    # A decimal without bounds holds any number, a float's included.
    return NUMERIC if is_number(planned) and is_number(existing) else "VARCHAR"


def _extent(kind: str) -> tuple[int, int] | None:
    """Digits before and after the point."""
    if kind in _DIGITS:
        return _DIGITS[kind], 0
    match = _DECIMAL.match(kind)
    return (int(match[1]) - int(match[2]), int(match[2])) if match else None


def _decimal_takes(planned: str, existing: str) -> bool:
    wide = _DECIMAL.match(existing)
    narrow = _extent(planned)
    if not wide or not narrow:
        return False
    return int(wide[1]) - int(wide[2]) >= narrow[0] and int(wide[2]) >= narrow[1]
