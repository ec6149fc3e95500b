"""The hub's types in PostgreSQL.

Rows arrive by COPY: in binary where the hub writes every type of the table as PostgreSQL reads it, else as CSV text.
"""

import re

from pipelines.engine.model import Landing
from pipelines.engine.types import hub

#: Hub type ⇄ PostgreSQL type with one binary form.
_BINARY = {
    "BOOLEAN": "boolean",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMPTZ": "timestamp with time zone",
    "UUID": "uuid",
    "BLOB": "bytea",
    "INTERVAL": "interval",
    "JSON": "json",
}
_HUB = {postgres: kind for kind, postgres in _BINARY.items()} | {
    "character varying": "VARCHAR",
    "numeric": hub.NUMERIC,
}
_WIDENED = {
    "TINYINT": "SMALLINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
}
_NUMERIC = re.compile(r"^numeric\((\d+),(\d+)\)$")
_PRECISION = re.compile(r"\(\d\)")
#: Only microseconds fit; a value with more must not lose them without a word.
_NANOSECONDS = (
    "CASE WHEN epoch_ns({c}) % 1000 <> 0 THEN error('nanoseconds do not fit')"
    " ELSE CAST({c} AS TIMESTAMP) END"
)
_FIRST_DAY = "'4714-11-24 (BC)'"
_HOLDS = {
    "VARCHAR": "NOT contains({c}, chr(0))",
    "DATE": f"NOT isfinite({{c}}) OR {{c}} BETWEEN {_FIRST_DAY}::DATE AND DATE '5874897-12-31'",
    "TIMESTAMP": f"NOT isfinite({{c}}) OR {{c}} >= {_FIRST_DAY}::TIMESTAMP",
    "TIMESTAMPTZ": f"NOT isfinite({{c}}) OR {{c}} >= {_FIRST_DAY}::TIMESTAMPTZ",
    "TIMESTAMP_NS": "epoch_ns({c}) % 1000 = 0",
}


def land(kind: str) -> Landing:
    """The PostgreSQL type of a hub type, and how its value is written into the COPY."""
    if plain := _BINARY.get(kind):
        write = "CAST({c} AS VARCHAR)" if kind == "JSON" else "{c}"
        return Landing(plain, write=write, holds=_HOLDS.get(kind, ""))
    if wider := _WIDENED.get(kind):
        return Landing(_BINARY[wider], write=f"CAST({{c}} AS {wider})")
    if kind.startswith("DECIMAL"):
        return Landing(kind.replace("DECIMAL", "numeric"))
    if kind == hub.NUMERIC:
        return Landing("numeric")
    if kind in ("HUGEINT", "UHUGEINT", "UBIGINT", "BIGNUM"):
        return Landing("numeric", write="CAST({c} AS VARCHAR)", note=f"{kind}, kept as numeric")
    if kind in ("TIMESTAMP_S", "TIMESTAMP_MS"):
        return Landing(_BINARY["TIMESTAMP"], write="CAST({c} AS TIMESTAMP)")
    if kind == "TIMESTAMP_NS":
        return Landing(_BINARY["TIMESTAMP"], write=_NANOSECONDS, holds=_HOLDS[kind])
    if kind == "TIMETZ":
        return Landing("time with time zone", write="CAST({c} AS VARCHAR)")
    if kind.startswith("ENUM"):
        return Landing("text", write="CAST({c} AS VARCHAR)")
    if hub.is_nested(kind):
        note = f"{kind[:60]}, kept as JSON"
        return Landing("json", write="CAST(to_json({c}) AS VARCHAR)", note=note)
    return Landing("text", write="CAST({c} AS VARCHAR)", note=f"{kind}, kept as text")


def hub_of(postgres: str) -> str:
    """The hub type of a column that is there; empty for one the hub has no word for."""
    if found := _NUMERIC.match(postgres):
        return hub.decimal(int(found[1]), int(found[2]))
    # Less than microseconds would round: such a column takes only its own kind.
    return _HUB.get(postgres, "")


def _without_precision(postgres: str) -> str:
    """``timestamp(3) with time zone`` without its precision; other types as they are."""
    return _PRECISION.sub("", postgres) if postgres.startswith(("time", "interval")) else postgres


def is_binary(postgres: str) -> bool:
    """Whether a value that ``land`` wrote for this column travels in COPY's binary form."""
    if found := _NUMERIC.match(postgres):
        return int(found[1]) <= 38
    return _without_precision(postgres) in _HUB and postgres != "numeric"


def copy_write(kind: str, postgres: str, *, binary: bool) -> str:
    """The template from a hub value to the COPY of a column of that type."""
    template = land(kind).write
    target = hub_of(postgres)
    if binary:
        if target and target != kind and target not in (hub.NUMERIC, "JSON"):
            return f"CAST({template} AS {target})"
        return template
    if kind == "BLOB":
        return "'\\x' || hex({c})"
    return template


def portable_binary(postgres: str) -> bool:
    """Whether PostgreSQL's own binary form of the type means the same in any two databases.

    Not for types with object ids in them (arrays, enums, composites), nor those of extensions.
    """
    base = re.sub(r"\(.*?\)", "", postgres)
    return base in _PORTABLE_BINARY


_PORTABLE_BINARY = frozenset(_BINARY.values()) | frozenset(
    [
        "numeric",
        "character varying",
        "character",
        "jsonb",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
        "oid",
        "name",
        "bit",
        "bit varying",
        "time with time zone",
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "money",
        "point",
        "line",
        "lseg",
        "box",
        "path",
        "polygon",
        "circle",
    ]
)

#: Types of pg_catalog whose text any PostgreSQL reads back as the same value.
_PORTABLE_TEXT = _PORTABLE_BINARY | frozenset(
    [
        "xml",
        "tsvector",
        "tsquery",
        "int4range",
        "int8range",
        "numrange",
        "tsrange",
        "tstzrange",
        "daterange",
        "int4multirange",
        "int8multirange",
        "nummultirange",
        "tsmultirange",
        "tstzmultirange",
        "datemultirange",
        "pg_lsn",
        "jsonpath",
        '"char"',
    ]
)


def is_catalogue_type(postgres: str) -> bool:
    """Whether any PostgreSQL knows the type by this name."""
    return re.sub(r"\(.*?\)", "", postgres.removesuffix("[]")) in _PORTABLE_TEXT


def same_type(postgres: str) -> tuple[str, str, str]:
    """PostgreSQL to PostgreSQL: the type over there, the expression to select, and what to say of it."""
    if postgres == "money":
        return "numeric", "({c})::numeric", "money, kept as numeric"
    base = re.sub(r"\(.*?\)", "", postgres.removesuffix("[]"))
    if base in _PORTABLE_TEXT or base.startswith("interval"):
        return postgres, "{c}", ""
    # Its own text: a cast would spell some types differently.
    return "text", "({c})::text", f"{postgres}, kept as text"
