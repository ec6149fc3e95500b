"""The hub's types in SQLite, whose declared types are only a promise: what is stored is a number, text or bytes.

The declarations are those our reader takes at their word.
"""

import re

from pipelines.engine.model import Landing
from pipelines.engine.types import hub

_PLAIN = {
    "BOOLEAN": Landing("BOOLEAN", write="CAST({c} AS BIGINT)"),
    "VARCHAR": Landing("TEXT"),
    "UUID": Landing("TEXT", write="CAST({c} AS VARCHAR)"),
    "BLOB": Landing("BLOB"),
    "TIME": Landing("TIME", write="CAST({c} AS VARCHAR)"),
}
_WHOLE = frozenset(
    {"TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER", "UINTEGER", "BIGINT"}
)
_HUB = {
    "INTEGER": "BIGINT",
    "BIGINT": "BIGINT",
    "INT": "BIGINT",
    "REAL": "DOUBLE",
    "DOUBLE": "DOUBLE",
    "TEXT": "VARCHAR",
    "BLOB": "BLOB",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP",
}
#: A REAL is sure of so many digits.
_DIGITS = 15
_DECIMAL = re.compile(r"^DECIMAL\((\d+),\s*(\d+)\)$")
#: SQLite would store NULL.
_NOT_NAN = "NOT isnan({c})"
_OUT_OF_RANGE = "error('out of range of the destination')"


def land(kind: str) -> Landing:
    """The declared type of a hub type, and how its value is handed over."""
    if kind in _WHOLE:
        return Landing("INTEGER", write="CAST({c} AS BIGINT)")
    if found := _PLAIN.get(kind):
        return found
    if kind in ("FLOAT", "DOUBLE"):
        return _checked("REAL", "CAST({c} AS DOUBLE)", _NOT_NAN)
    if kind == "DATE":
        return _moment("DATE")
    if kind.startswith("TIMESTAMP") and kind != "TIMESTAMPTZ":
        return _moment("TIMESTAMP")
    if (found_decimal := _DECIMAL.match(kind)) and int(found_decimal[1]) <= _DIGITS:
        return Landing(kind, write="CAST({c} AS DOUBLE)")
    return _text(kind)


def _text(kind: str) -> Landing:
    if hub.is_nested(kind):
        return Landing("TEXT", "CAST(to_json({c}) AS VARCHAR)", f"{kind[:60]}, kept as JSON")
    if kind == hub.NUMERIC:
        return Landing("TEXT", note="a decimal without bounds, kept as text")
    note = "" if kind.startswith("ENUM") else f"{kind}, kept as text"
    return Landing("TEXT", "CAST({c} AS VARCHAR)", note)


def _moment(declared: str) -> Landing:
    # As text they sort and compare as what they are only with four digits of the year.
    holds = "year({c}) BETWEEN 1 AND 9999 AND isfinite({c})"
    return _checked(declared, "CAST({c} AS VARCHAR)", holds)


def _checked(declared: str, write: str, holds: str) -> Landing:
    checked = f"CASE WHEN {holds} OR {{c}} IS NULL THEN {write} ELSE {_OUT_OF_RANGE} END"
    return Landing(declared, write=checked, holds=holds)


def hub_of(declared: str) -> str:
    """The hub type of a column that is there; empty for one the hub has no word for."""
    upper = declared.upper().strip()
    if found := _DECIMAL.match(upper):
        precision, scale = int(found[1]), int(found[2])
        return f"DECIMAL({precision},{scale})" if precision <= _DIGITS else ""
    return _HUB.get(upper, "")


def storage(declared: str) -> str:
    """What DuckDB's client stores of a value that ``land`` wrote for a column declared so."""
    upper = declared.upper()
    if upper in ("INTEGER", "BIGINT", "INT", "BOOLEAN"):
        return "BIGINT"
    if upper in ("REAL", "DOUBLE") or upper.startswith("DECIMAL"):
        return "DOUBLE"
    return "BLOB" if upper == "BLOB" else "TEXT"


def converted(before: str, after: str, column: str) -> str:
    """In SQLite: what was stored for ``before`` as ``after`` wants it, where a column gets a wider type."""
    if after != "TEXT":
        return column
    old = hub_of(before)
    if old == "BOOLEAN":
        return f"CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE {column} END"
    if found := _DECIMAL.match(old):
        return f"CASE WHEN {column} IS NOT NULL THEN printf('%.{found[2]}f', {column}) END"
    if old == "DOUBLE":
        # By itself SQLite writes fifteen digits, and of seventeen not always the right ones.
        return f"CASE WHEN {column} IS NOT NULL THEN printf('%!.20g', {column}) END"
    return f"hex({column})" if old == "BLOB" else column
