"""Source type → destination type, and how values travel in between. Pure.

Two transports: CSV text (PostgreSQL's COPY, or DuckDB writing for PostgreSQL) and Parquet (DuckDB to
DuckDB). A type that would lose something on the way travels as text; one the destination lacks becomes
text and is reported.
"""

import re

from pipelines.engine.model import Mapping

_NUMERIC = re.compile(r"^(?:numeric|decimal)\((\d+),\s*(-?\d+)\)$", re.IGNORECASE)

#: Types of pg_catalog whose text form any PostgreSQL reads back as the same value.
_PORTABLE = frozenset(
    [
        "smallint",
        "integer",
        "bigint",
        "boolean",
        "real",
        "numeric",
        "text",
        "json",
        "jsonb",
        "bytea",
        "uuid",
        "date",
        "interval",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
        "xml",
        "oid",
        "point",
        "line",
        "lseg",
        "box",
        "path",
        "polygon",
        "circle",
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
        "name",
        "jsonpath",
        '"char"',
    ]
    + ["double precision"]
)
_PORTABLE_PREFIXES = (
    "numeric(",
    "character varying",
    "character",
    "timestamp",
    "time",
    "interval",
    "bit",
)
_POSTGRES_DUCKDB = {
    "smallint": ("SMALLINT", "bigint"),
    "integer": ("INTEGER", "bigint"),
    "bigint": ("BIGINT", "bigint"),
    "oid": ("BIGINT", "bigint"),
    "boolean": ("BOOLEAN", "bool"),
    "real": ("FLOAT", "double"),
    "double precision": ("DOUBLE", "double"),
    "text": ("VARCHAR", "text"),
    "name": ("VARCHAR", "text"),
    '"char"': ("VARCHAR", "text"),
    "date": ("DATE", "date"),
    "uuid": ("UUID", "text"),
    "json": ("JSON", "json"),
    "jsonb": ("JSON", "json"),
}
_DLT = {
    "smallint": "bigint",
    "integer": "bigint",
    "bigint": "bigint",
    "boolean": "bool",
    "real": "double",
    "double precision": "double",
    "date": "date",
    "bytea": "binary",
    "json": "json",
    "jsonb": "json",
}


def postgres_to_postgres(type_name: str) -> Mapping:
    """``type_name`` as format_type() writes it; a type of another schema is spelled with that schema."""
    base = type_name.removesuffix("[]")
    if type_name == "money":
        return Mapping("numeric", read="{c}::numeric", note="money, kept as numeric", dlt="decimal")
    if base in _PORTABLE or base.startswith(_PORTABLE_PREFIXES):
        return Mapping(type_name, dlt=_dlt_of_postgres(type_name))
    # COPY writes the type's own text; a cast would spell some of them (inet) differently.
    return Mapping("text", note=f"{type_name}, kept as text")


def postgres_to_duckdb(type_name: str) -> Mapping:
    if type_name in _POSTGRES_DUCKDB:
        duck, dlt = _POSTGRES_DUCKDB[type_name]
        return Mapping(duck, transport="VARCHAR" if duck == "JSON" else duck, dlt=dlt)
    if type_name.startswith("character") and not type_name.endswith("[]"):
        return Mapping("VARCHAR", transport="VARCHAR")
    if exact := decimal_of(type_name):
        return Mapping(exact, transport=exact, dlt="decimal")
    if re.match(r"timestamp(\(\d\))? without", type_name):
        return Mapping("TIMESTAMP", transport="TIMESTAMP", dlt="timestamp")
    if re.match(r"timestamp(\(\d\))? with ", type_name):
        return Mapping("TIMESTAMPTZ", transport="TIMESTAMPTZ", dlt="timestamp")
    if re.match(r"time(\(\d\))? without", type_name) and not type_name.endswith("[]"):
        return Mapping("TIME", transport="TIME", dlt="time")
    if type_name == "bytea":
        # Plain hex digits: shorter than PostgreSQL's own form and the same in both systems.
        return Mapping(
            "BLOB", read="encode({c}, 'hex')", transport="VARCHAR", load="unhex({c})", dlt="binary"
        )
    return _postgres_as_text(type_name)


def _postgres_as_text(type_name: str) -> Mapping:
    if type_name.endswith("[]"):
        return Mapping(
            "JSON",
            read="to_jsonb({c})::text",
            transport="VARCHAR",
            note=f"{type_name}, kept as a JSON list",
            dlt="json",
        )
    if type_name == "money":
        return Mapping(
            "VARCHAR", read="{c}::numeric::text", transport="VARCHAR", note="money, kept as text"
        )
    return Mapping("VARCHAR", transport="VARCHAR", note=f"{type_name}, kept as text")


def _dlt_of_postgres(type_name: str) -> str:
    if type_name.startswith("numeric"):
        return "decimal"
    if type_name.startswith("timestamp"):
        return "timestamp"
    return _DLT.get(type_name, "text")


def decimal_of(type_name: str) -> str:
    """``DECIMAL(p,s)`` where DuckDB has one exactly as wide, else nothing."""
    match = _NUMERIC.match(type_name)
    if not match:
        return ""
    precision, scale = int(match[1]), int(match[2])
    return f"DECIMAL({precision},{scale})" if precision <= 38 and 0 <= scale <= precision else ""


_DUCKDB_POSTGRES = {
    "BOOLEAN": ("boolean", "bool"),
    "TINYINT": ("smallint", "bigint"),
    "SMALLINT": ("smallint", "bigint"),
    "INTEGER": ("integer", "bigint"),
    "BIGINT": ("bigint", "bigint"),
    "UTINYINT": ("smallint", "bigint"),
    "USMALLINT": ("integer", "bigint"),
    "UINTEGER": ("bigint", "bigint"),
    "FLOAT": ("real", "double"),
    "DOUBLE": ("double precision", "double"),
    "VARCHAR": ("text", "text"),
    "DATE": ("date", "date"),
    "TIME": ("time without time zone", "time"),
    "TIMESTAMP": ("timestamp without time zone", "timestamp"),
    "TIMESTAMP_S": ("timestamp without time zone", "timestamp"),
    "TIMESTAMP_MS": ("timestamp without time zone", "timestamp"),
    "TIMESTAMP WITH TIME ZONE": ("timestamp with time zone", "timestamp"),
    "UUID": ("uuid", "text"),
    "JSON": ("json", "json"),
}
#: Only microseconds fit; a value with more must not lose them without a word.
_NANOSECONDS = "CASE WHEN epoch_ns({c}) % 1000 <> 0 THEN error('nanoseconds do not fit') ELSE {c}::TIMESTAMP END"


def duckdb_to_postgres(type_name: str) -> Mapping:
    """Values travel as CSV text that DuckDB writes and PostgreSQL's COPY reads."""
    type_name = canonical(type_name)
    if type_name in _DUCKDB_POSTGRES:
        target, dlt = _DUCKDB_POSTGRES[type_name]
        return Mapping(target, dlt=dlt)
    if type_name.startswith("DECIMAL"):
        return Mapping(type_name.replace("DECIMAL", "numeric"), dlt="decimal")
    if type_name in ("HUGEINT", "UHUGEINT", "UBIGINT"):
        return Mapping("numeric", note=f"{type_name}, kept as numeric", dlt="decimal")
    if type_name == "BLOB":
        return Mapping("bytea", read="'\\x' || hex({c})", dlt="binary")
    if type_name == "TIMESTAMP_NS":
        return Mapping("timestamp without time zone", read=_NANOSECONDS, dlt="timestamp")
    if type_name.startswith("ENUM"):
        return Mapping("text", read="CAST({c} AS VARCHAR)")
    if is_nested(type_name):
        note = f"{type_name[:60]}, kept as JSON"
        return Mapping("json", read="CAST(to_json({c}) AS VARCHAR)", note=note, dlt="json")
    return Mapping("text", read="CAST({c} AS VARCHAR)", note=f"{type_name}, kept as text")


#: Parquet has no such type, or a narrower one: these travel as text and are read back as what they were.
_AS_TEXT = ("HUGEINT", "UHUGEINT", "INTERVAL", "TIME WITH TIME ZONE", "TIME_NS", "BIT", "BIGNUM")
_DUCKDB_DLT = {
    "BOOLEAN": "bool",
    "FLOAT": "double",
    "DOUBLE": "double",
    "DATE": "date",
    "TIME": "time",
    "BLOB": "binary",
    "JSON": "json",
}


def duckdb_to_duckdb(type_name: str) -> Mapping:
    """Values travel as Parquet."""
    if type_name in _AS_TEXT:
        return Mapping(
            type_name, read="CAST({c} AS VARCHAR)", load=f"CAST({{c}} AS {type_name})", dlt="text"
        )
    if is_nested(type_name):
        if type_name.startswith("UNION") or any(word in type_name for word in (*_AS_TEXT, "ENUM")):
            note = f"{type_name[:60]}, kept as JSON"
            return Mapping("JSON", read="CAST(to_json({c}) AS VARCHAR)", note=note, dlt="json")
        return Mapping(type_name, dlt="json")
    if type_name.startswith("ENUM"):
        return Mapping("VARCHAR", read="CAST({c} AS VARCHAR)")
    if type_name.startswith("GEOMETRY") or type_name in ("VARIANT", "NULL", '"NULL"'):
        return Mapping("VARCHAR", read="CAST({c} AS VARCHAR)", note=f"{type_name}, kept as text")
    if type_name.startswith("TIMESTAMP"):
        return Mapping(type_name, load=f"CAST({{c}} AS {type_name})", dlt="timestamp")
    if type_name.startswith("DECIMAL"):
        return Mapping(type_name, dlt="decimal")
    return Mapping(type_name, dlt=_DUCKDB_DLT.get(type_name, _integer_or_text(type_name)))


def _integer_or_text(type_name: str) -> str:
    return "bigint" if type_name.endswith(("INT", "INTEGER")) else "text"


def is_nested(type_name: str) -> bool:
    return type_name.endswith("]") or type_name.startswith(("STRUCT(", "MAP(", "UNION("))


_WIDER = {
    "smallint": {"integer", "bigint", "numeric"},
    "integer": {"bigint", "numeric"},
    "bigint": {"numeric"},
    "real": {"double precision"},
    "json": {"jsonb"},
    "SMALLINT": {"INTEGER", "BIGINT", "HUGEINT"},
    "TINYINT": {"SMALLINT", "INTEGER", "BIGINT", "HUGEINT"},
    "INTEGER": {"BIGINT", "HUGEINT"},
    "BIGINT": {"HUGEINT"},
    "FLOAT": {"DOUBLE"},
}
_TEXT = ("text", "varchar", "character varying")


def fits(planned: str, existing: str) -> bool:
    """Whether every value of ``planned`` can be written to an ``existing`` column without loss."""
    planned, existing = canonical(planned), canonical(existing)
    if planned == existing or existing.lower() in _TEXT or existing in _WIDER.get(planned, set()):
        return True
    if existing == "numeric" and planned.startswith("numeric"):
        return True
    return _decimal_fits(planned, existing)


def _decimal_fits(planned: str, existing: str) -> bool:
    narrow, wide = _NUMERIC.match(planned), _NUMERIC.match(existing)
    if not narrow or not wide:
        return False
    whole_narrow, whole_wide = int(narrow[1]) - int(narrow[2]), int(wide[1]) - int(wide[2])
    return whole_wide >= whole_narrow and int(wide[2]) >= int(narrow[2])


def canonical(type_name: str) -> str:
    """One spelling a type: DuckDB reports TIMESTAMP WITH TIME ZONE for TIMESTAMPTZ, DECIMAL(4,2) without a space."""
    name = type_name.replace(", ", ",").strip()
    return {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "varchar": "character varying"}.get(
        name, name
    )
