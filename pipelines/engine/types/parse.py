"""From text to a type of the hub, or NULL: no rounding, no cutting, no guessing. Pure."""

import re

from pipelines.engine.sqltext import filled
from pipelines.engine.types import hub

_DECIMAL = re.compile(r"^DECIMAL\(\d+,(\d+)\)$")
#: PostgreSQL writes "4713-01-01 00:00:00 BC", DuckDB reads "4713-01-01 (BC) 00:00:00".
_ERA = "regexp_replace({c}, '^([^ ]+)(.*) BC$', '\\1 (BC)\\2')"
_NUMBER = r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|[+-]?NaN|[+-]?Infinity"


def template(kind: str) -> str:
    """The expression that makes a value of ``kind`` of the text ``{c}``, NULL where it is none."""
    if kind == "VARCHAR":
        return "{c}"
    if kind == hub.NUMERIC:
        return _when(f"regexp_full_match({{c}}, '{_NUMBER}')", "{c}")
    if hub.is_whole(kind):
        return _when("regexp_full_match({c}, '[+-]?[0-9]+')", f"TRY_CAST({{c}} AS {kind})")
    if found := _DECIMAL.match(kind):
        fraction = rf"(\.[0-9]{{0,{found[1]}}}0*)?"
        return _when(
            f"regexp_full_match({{c}}, '[+-]?[0-9]*{fraction}')", f"TRY_CAST({{c}} AS {kind})"
        )
    if kind == "DATE":
        # A time of day would be cut off.
        return _when("NOT regexp_matches({c}, ':')", f"TRY_CAST({_ERA} AS DATE)")
    if kind in ("TIMESTAMP", "TIMESTAMPTZ"):
        return _when(r"NOT regexp_matches({c}, '\.[0-9]{6}[1-9]')", f"TRY_CAST({_ERA} AS {kind})")
    if kind == "JSON":
        return _when("json_valid({c})", "CAST({c} AS JSON)")
    return f"TRY_CAST({{c}} AS {kind})"


def _when(condition: str, then: str) -> str:
    return f"CASE WHEN {condition} THEN {then} END"


def parsed(parse: str, kind: str, expression: str) -> str:
    """``expression`` as ``kind``, by a column's own template or the usual one."""
    return filled(parse or template(kind), expression)
