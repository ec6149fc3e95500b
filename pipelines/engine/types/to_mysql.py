"""The hub's types in MySQL and MariaDB. Rows arrive as CSV text, so every value is written as the server reads it."""

import re

from pipelines.engine.model import Landing
from pipelines.engine.types import hub

_PLAIN = {
    "TINYINT": "tinyint",
    "UTINYINT": "tinyint unsigned",
    "SMALLINT": "smallint",
    "USMALLINT": "smallint unsigned",
    "INTEGER": "int",
    "UINTEGER": "int unsigned",
    "BIGINT": "bigint",
    "UBIGINT": "bigint unsigned",
    "VARCHAR": "longtext",
}
_HUB = {mysql: kind for kind, mysql in _PLAIN.items()} | {
    "tinyint(1)": "BOOLEAN",
    "mediumint": "INTEGER",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time(6)": "TIME",
    "datetime(6)": "TIMESTAMP",
    "longblob": "BLOB",
    "char(36)": "UUID",
}
_DECIMAL = re.compile(r"^DECIMAL\((\d+),\s*(\d+)\)$", re.IGNORECASE)
#: How MariaDB writes whole numbers: with a width that means nothing but for the one of a boolean.
_WIDTH = re.compile(r"^((?:small|medium|big|tiny)?int)\((?!1\))\d+\)")
_NUMBER = re.compile(r"^(?:(?:small|medium|big|tiny)?int|decimal|float|double)\b")
#: A decimal's digits after the point, at most.
_SCALE = 30
_REFUSED = "error('out of range of the destination')"
_TEXT = "CAST({c} AS VARCHAR)"


def land(kind: str) -> Landing:
    """The type of a hub type, and how its value is written into the CSV."""
    if plain := _PLAIN.get(kind):
        return Landing(plain)
    if kind in ("FLOAT", "DOUBLE"):
        # The shortest digits of the largest FLOAT are more than it, for a server that reads a double first.
        return _checked(kind.lower(), "CAST({c} AS DOUBLE)", "isfinite({c})")
    if found := _DECIMAL.match(kind):
        if int(found[2]) <= _SCALE:
            return Landing(f"decimal({found[1]},{found[2]})")
        return Landing("longtext", _TEXT, f"{kind}, kept as text")
    return _moment(kind) or _special(kind)


def _moment(kind: str) -> Landing | None:
    years = "year({c}) BETWEEN 1 AND 9999 AND isfinite({c})"
    if kind == "DATE":
        return _checked("date", _TEXT, years)
    if kind == "TIME":
        return Landing("time(6)", _TEXT)
    if kind == "TIMESTAMPTZ":
        # With a zone a year before our era is counted without a sign.
        years = years.replace("year({c})", "year(CAST({c} AS TIMESTAMP))")
        found = _checked("datetime(6)", "CAST(CAST({c} AS TIMESTAMP) AS VARCHAR)", years)
        return Landing(found.type, found.write, "in UTC, without its zone", found.holds)
    if kind == "TIMESTAMP_NS":
        return _checked(
            "datetime(6)",
            "CAST(CAST({c} AS TIMESTAMP) AS VARCHAR)",
            f"{years} AND epoch_ns({{c}}) % 1000 = 0",
        )
    if kind.startswith("TIMESTAMP"):
        return _checked("datetime(6)", "CAST(CAST({c} AS TIMESTAMP) AS VARCHAR)", years)
    return None


def _special(kind: str) -> Landing:
    if kind == "BOOLEAN":
        return Landing("tinyint(1)", "CAST({c} AS TINYINT)")
    if kind == "BLOB":
        return Landing("longblob", "hex({c})")
    if kind == "UUID":
        return Landing("char(36)", _TEXT)
    if kind in ("HUGEINT", "UHUGEINT"):
        return Landing("decimal(39,0)", note=f"{kind}, kept as decimal")
    if hub.is_nested(kind):
        return Landing(
            "longtext", "CAST(to_json({c}) AS VARCHAR)", f"{kind[:60]}, kept as JSON text"
        )
    if kind == hub.NUMERIC:
        return Landing("longtext", note="a decimal without bounds, kept as text")
    # MySQL's own JSON type would round numbers; text keeps every digit, and its JSON functions take it.
    note = "" if kind.startswith("ENUM") else f"{kind}, kept as text"
    return Landing("longtext", _TEXT, note)


def _checked(kind: str, write: str, holds: str) -> Landing:
    checked = f"CASE WHEN {holds} OR {{c}} IS NULL THEN {write} ELSE {_REFUSED} END"
    return Landing(kind, write=checked, holds=holds)


def canonical(own: str) -> str:
    """One spelling of a type in MySQL and MariaDB: ``int(11)`` is ``int``."""
    return _WIDTH.sub(r"\1", own.lower())


def hub_of(own: str) -> str:
    """The hub type of a column that is there; empty for one the hub has no word for."""
    if found := _DECIMAL.match(own):
        return f"DECIMAL({found[1]},{found[2]})" if int(found[1]) <= 38 else ""
    return _HUB.get(own, "")


def is_number(own: str) -> bool:
    """Whether values of the type stand in the CSV without quotes."""
    return bool(_NUMBER.match(own))


def is_binary(own: str) -> bool:
    return own.endswith("blob") or "binary" in own


def is_long(own: str) -> bool:
    """Whether an index takes the beginning of a value only."""
    return own.endswith(("text", "blob"))
