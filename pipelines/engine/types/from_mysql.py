"""MySQL's and MariaDB's types, as information_schema's COLUMN_TYPE writes them, in the hub."""

import re

from pipelines.engine.model import Mapping
from pipelines.engine.types import hub

#: Text in the client's character set, whatever the column's is. Without the cast a column with a binary collation
#: would be taken for bytes.
_TEXT = "CAST({c} AS CHAR)"
_HEX = "HEX({c})"
#: Type → hub type, and the one of its unsigned form.
_WHOLE = {
    "tinyint": ("TINYINT", "UTINYINT"),
    "smallint": ("SMALLINT", "USMALLINT"),
    "mediumint": ("INTEGER", "INTEGER"),
    "int": ("INTEGER", "UINTEGER"),
    "integer": ("INTEGER", "UINTEGER"),
    "bigint": ("BIGINT", "UBIGINT"),
}
_TEXTS = frozenset(
    {
        "char",
        "varchar",
        "tinytext",
        "text",
        "mediumtext",
        "longtext",
        "enum",
        "set",
        "inet4",
        "inet6",
    }
)
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
_SHAPES = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
        "geomcollection",
    }
)
_SIZE = re.compile(r"\((\d+)(?:,\s*(\d+))?\)")
#: "0000-00-00", "2024-00-00" and their like are no dates anywhere else; the first would be read as NULL.
_NO_DATE = "MONTH({c}) = 0 OR DAYOFMONTH({c}) = 0"
#: What a TIME of a day or more makes the load say: it is a duration, and no time of day.
BEYOND_A_DAY = "time beyond a day"
_CLOCK = (
    "CASE WHEN {c} LIKE '__:%' AND {c} < '24' THEN CAST({c} AS TIME)"
    f" WHEN {{c}} IS NOT NULL THEN error('{BEYOND_A_DAY}') END"
)


def base_of(kind: str) -> str:
    """``decimal`` of ``decimal(12,2) unsigned``."""
    return re.split(r"[ (]", kind, maxsplit=1)[0]


def to_hub(kind: str) -> Mapping:
    """How a value of the type is selected, and what it is then."""
    base, unsigned = base_of(kind), " unsigned" in kind
    if pair := _WHOLE.get(base):
        found = pair[unsigned]
        return Mapping(found, raw=_TEXT, load=f"CAST({{c}} AS {found})")
    if base in _TEXTS:
        return Mapping("VARCHAR", read=_TEXT, raw=_TEXT)
    if base in _BYTES:
        return Mapping("BLOB", raw=_HEX, parse="TRY(unhex({c}))")
    if base in ("decimal", "numeric"):
        return _decimal(kind)
    return _moment(base) or _special(kind, base)


def _decimal(kind: str) -> Mapping:
    size = _SIZE.search(kind)
    found = hub.decimal(int(size[1]), int(size[2] or 0)) if size else hub.decimal(10, 0)
    if found == hub.NUMERIC:
        return Mapping(found, read=_TEXT, raw=_TEXT)
    return Mapping(found, raw=_TEXT, load=f"CAST({{c}} AS {found})")


def _moment(base: str) -> Mapping | None:
    if base == "date":
        return Mapping("DATE", raw=_TEXT, guard=_NO_DATE)
    if base == "datetime":
        return Mapping("TIMESTAMP", raw=_TEXT, guard=_NO_DATE)
    if base == "timestamp":
        # Both sessions are set to UTC, so that is what the server says and the hub reads.
        return Mapping("TIMESTAMPTZ", raw=_TEXT, load="CAST({c} AS TIMESTAMPTZ)", guard=_NO_DATE)
    if base == "time":
        return Mapping("TIME", read=_TEXT, raw=_TEXT, load=_CLOCK, parse=_CLOCK)
    return None


def _special(kind: str, base: str) -> Mapping:
    if base == "float":
        # As text a FLOAT has six digits; as a double it has all of them.
        return Mapping(
            "FLOAT", read="{c} + 0e0", raw="CAST({c} + 0e0 AS CHAR)", load="CAST({c} AS FLOAT)"
        )
    if base in ("double", "real"):
        return Mapping("DOUBLE", raw=_TEXT)
    if base == "bit":
        size = _SIZE.search(kind)
        found = "UBIGINT" if size and int(size[1]) > 63 else "BIGINT"
        unsigned = "CAST({c} AS UNSIGNED)"
        return Mapping(found, unsigned, f"CAST({unsigned} AS CHAR)", f"CAST({{c}} AS {found})")
    if base == "year":
        return Mapping("SMALLINT", "CAST({c} AS SIGNED)", _TEXT, "CAST({c} AS SMALLINT)")
    if base == "json":
        # As text, digit by digit: a JSON number has no bounds.
        return Mapping("JSON", read=_TEXT, raw=_TEXT, load="CAST({c} AS JSON)")
    if base == "uuid":
        return Mapping("UUID", read=_TEXT, raw=_TEXT, load="CAST({c} AS UUID)")
    if base in _SHAPES:
        text = "ST_AsText({c})"
        return Mapping("VARCHAR", read=text, raw=text, note=f"{base}, kept as text")
    return Mapping("VARCHAR", read=_TEXT, raw=_TEXT, note=f"{kind}, kept as text")
