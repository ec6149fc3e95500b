"""PostgreSQL's types, as ``format_type()`` writes them, in the hub."""

import re

from pipelines.engine.model import Mapping
from pipelines.engine.types import hub

_TEXT = "({c})::text"
_PLAIN = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "date": "DATE",
    "uuid": "UUID",
    "text": "VARCHAR",
    "name": "VARCHAR",
}
_NUMERIC = re.compile(r"^numeric\((\d+),(-?\d+)\)$")
_TIMESTAMP = re.compile(r"^timestamp(\(\d\))? with(out)? time zone$")
#: DuckDB's timestamps end here; the same bits would be read as a moment before our era.
_LAST_MOMENT = "timestamp '294247-01-10 04:00:54'"


def to_hub(kind: str) -> Mapping:
    """How a value of the type is selected, and what it is then."""
    if plain := _PLAIN.get(kind):
        return Mapping(plain, raw=_TEXT)
    if kind.startswith("character") and not kind.endswith("[]"):
        return Mapping("VARCHAR", read=_TEXT, raw=_TEXT)
    if found := _NUMERIC.match(kind):
        return _decimal(int(found[1]), int(found[2]))
    if kind == "numeric":
        return Mapping(hub.NUMERIC, read=_TEXT, raw=_TEXT)
    if found := _TIMESTAMP.match(kind):
        return _timestamp(zoned=not found[2])
    return _special(kind)


def _decimal(precision: int, scale: int) -> Mapping:
    kind = hub.decimal(precision, scale)
    if kind == hub.NUMERIC:
        return Mapping(kind, read=_TEXT, raw=_TEXT)
    # NaN would be read as 0.
    return Mapping(kind, raw=_TEXT, guard="{c} = 'NaN'")


def _timestamp(*, zoned: bool) -> Mapping:
    kind, limit = "TIMESTAMP", _LAST_MOMENT
    if zoned:
        kind, limit = "TIMESTAMPTZ", f"{_LAST_MOMENT} at time zone 'UTC'"
    late = f"({{c}} > {limit} AND {{c}} <> 'infinity')"
    return Mapping(kind, raw=_TEXT, guard=late)


def _special(kind: str) -> Mapping:
    if re.match(r"time(\(\d\))? without", kind) and not kind.endswith("[]"):
        return Mapping("TIME", raw=_TEXT)
    if kind == "bytea":
        return Mapping("BLOB", raw="encode({c}, 'hex')", parse="TRY(unhex({c}))")
    if kind in ("json", "jsonb"):
        # As text, digit by digit: a JSON number has no bounds.
        return Mapping("JSON", read=_TEXT, raw=_TEXT, load="CAST({c} AS JSON)")
    if kind == "oid":
        return Mapping("BIGINT", read="({c})::bigint", raw=_TEXT)
    if kind == "interval" or kind.startswith("interval "):
        return Mapping("INTERVAL", raw=_TEXT, parse="TRY_CAST({c} AS INTERVAL)")
    if kind == "money":
        return Mapping(
            hub.NUMERIC,
            read="({c})::numeric::text",
            raw="({c})::numeric::text",
            note="money, kept as a number",
        )
    if kind.endswith("[]"):
        return Mapping(
            "JSON",
            read="to_jsonb({c})::text",
            raw="to_jsonb({c})::text",
            load="CAST({c} AS JSON)",
            note=f"{kind}, kept as a JSON list",
        )
    if kind == "inet":
        # A cast to text writes a mask that nobody wrote.
        shown = "abbrev({c})"
        return Mapping("VARCHAR", read=shown, raw=shown, note="inet, kept as text")
    if kind == '"char"':
        return Mapping("VARCHAR", read=_TEXT, raw=_TEXT)
    return Mapping("VARCHAR", read=_TEXT, raw=_TEXT, note=f"{kind}, kept as text")
