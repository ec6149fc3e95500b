"""The hub's types in Parquet files, as DuckDB writes them and any reader of the format takes them."""

import re

from pipelines.engine.model import Landing
from pipelines.engine.types import hub

_PLAIN = frozenset(
    {
        "BOOLEAN",
        "TINYINT",
        "UTINYINT",
        "SMALLINT",
        "USMALLINT",
        "INTEGER",
        "UINTEGER",
        "BIGINT",
        "UBIGINT",
        "FLOAT",
        "DOUBLE",
        "VARCHAR",
        "BLOB",
        "UUID",
        "JSON",
        "TIMESTAMP_NS",
    }
)
#: Within a list or a record these would be rounded, or only DuckDB could read them.
_NOT_NESTED = re.compile(r"HUGEINT|INTERVAL|BIT|TIME WITH|TIMETZ|BIGNUM|UNION\(|MAP\(|ENUM|VARIANT")
_FINITE = "isfinite({c})"
_REFUSED = "error('out of range of the destination')"


def land(kind: str) -> Landing:
    if kind in _PLAIN or kind.startswith("DECIMAL"):
        return Landing(kind)
    if kind == "DATE" or kind == "TIMESTAMPTZ":
        return _checked(kind, "{c}", _FINITE)
    if kind.startswith("TIMESTAMP"):
        return _checked("TIMESTAMP", "CAST({c} AS TIMESTAMP)", _FINITE)
    if kind == "TIME":
        return _checked(kind, "{c}", "{c} < TIME '24:00:00'")
    return _nested(kind) if hub.is_nested(kind) else _text(kind)


def _nested(kind: str) -> Landing:
    if _NOT_NESTED.search(kind):
        return Landing("JSON", "to_json({c})", f"{kind[:60]}, kept as JSON")
    # A list of a fixed length is a list like any other.
    plain = re.sub(r"\[\d+\]", "[]", kind)
    return Landing(plain, write="{c}" if plain == kind else f"CAST({{c}} AS {plain})")


def _text(kind: str) -> Landing:
    if kind == hub.NUMERIC:
        return Landing("VARCHAR", note="a decimal without bounds, kept as text")
    note = "" if kind.startswith("ENUM") else f"{kind}, kept as text"
    return Landing("VARCHAR", "CAST({c} AS VARCHAR)", note)


def _checked(kind: str, write: str, holds: str) -> Landing:
    checked = f"CASE WHEN {holds} OR {{c}} IS NULL THEN {write} ELSE {_REFUSED} END"
    return Landing(kind, write=checked, holds=holds)


def hub_of(own: str) -> str:
    return hub.canonical(own)
