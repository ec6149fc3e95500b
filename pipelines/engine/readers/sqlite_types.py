"""What a SQLite column is loaded as: declaration, affinity and the classes of the stored values. Pure."""

import re
from dataclasses import dataclass

from pipelines.engine.sqltext import ident

_DECIMAL = re.compile(r"(?:NUMERIC|DECIMAL)\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)", re.IGNORECASE)
#: Whole numbers a DOUBLE holds exactly.
_EXACT = 2**53
#: Digits of a whole number that a DOUBLE surely holds.
_DOUBLE_DIGITS = 15
#: What the error of a value begins with that is not what its column was declared for; the scanner's own words.
MISMATCH = "Mismatch Type Error"
_DAY = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]"
_CLOCK = "[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"


@dataclass(frozen=True)
class Stored:
    """How many values of each storage class a column holds, and how many break what the declaration promises."""

    integers: int = 0
    reals: int = 0
    texts: int = 0
    blobs: int = 0
    #: Whole numbers a DOUBLE would round.
    huge: int = 0
    #: Values outside the declared decimal, boolean, date or timestamp.
    misfits: int = 0

    @property
    def numbers_only(self) -> bool:
        return not self.texts and not self.blobs


@dataclass(frozen=True)
class Decision:
    type: str
    note: str = ""


def affinity(declared: str) -> str:
    """SQLite's own five rules, in its order."""
    upper = declared.upper()
    if "INT" in upper:
        return "integer"
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if "BLOB" in upper or not upper.strip():
        return "none"
    if any(word in upper for word in ("REAL", "FLOA", "DOUB")):
        return "real"
    return "numeric"


def meaning(declared: str) -> str:
    """What the declaration promises beyond its affinity: boolean, date, timestamp, decimal, or nothing."""
    upper = declared.upper().strip()
    if upper.startswith("BOOL"):
        return "boolean"
    if upper == "DATE":
        return "date"
    if upper.startswith(("DATETIME", "TIMESTAMP")):
        return "timestamp"
    return "decimal" if decimal_type(upper) else ""


def decimal_type(declared: str) -> str:
    match = _DECIMAL.search(declared)
    if not match or int(match[1]) > 38 or int(match[2]) > int(match[1]):
        return ""
    return f"DECIMAL({match[1]},{match[2]})"


def profile_sql(name: str, declared: str) -> str:
    """Six counts of a column, in the order of ``Stored``."""
    column = ident(name)
    classes = [f"sum(typeof({column}) = '{kind}')" for kind in ("integer", "real", "text", "blob")]
    huge = f"sum(typeof({column}) = 'integer' AND ({column} > {_EXACT} OR {column} < -{_EXACT}))"
    return ", ".join([*classes, huge, f"sum({_misfit(column, declared)})"])


def _misfit(column: str, declared: str) -> str:
    kind = meaning(declared)
    if kind == "boolean":
        return f"{column} IS NOT NULL AND {column} IS NOT 0 AND {column} IS NOT 1"
    if kind == "date":
        # A sign before the year sorts before the digits.
        return f"{column} IS NOT NULL AND NOT (date({column}) IS {column} AND {column} >= '0')"
    if kind == "timestamp":
        # The usual spelling is told by one comparison; the patterns are for the others.
        usual = f"(datetime({column}) IS {column} AND {column} >= '0')"
        plain = f"{column} GLOB '{_DAY}[ T]{_CLOCK}'"
        digits = f"substr({column}, 21) NOT GLOB '*[^0-9]*' AND length({column}) BETWEEN 21 AND 26"
        fraction = f"({column} GLOB '{_DAY}[ T]{_CLOCK}.*' AND {digits})"
        real = f"datetime({column}) IS replace(substr({column}, 1, 19), 'T', ' ')"
        other = f"(({plain} OR {fraction}) AND {real})"
        return f"{column} IS NOT NULL AND NOT ({usual} OR {other})"
    if kind == "decimal":
        match = _DECIMAL.search(declared)
        assert match is not None
        scale, whole = int(match[2]), int(match[1]) - int(match[2])
        return (
            f"{column} IS NOT NULL AND (typeof({column}) NOT IN ('integer', 'real')"
            f" OR {column} <> round({column}, {scale}) OR {column} >= 1e{whole} OR {column} <= -1e{whole})"
        )
    return "0"


#: What a column that keeps its promise holds, as if it had been counted.
_KEPT = {
    "boolean": {"integers": 1},
    "date": {"texts": 1},
    "timestamp": {"texts": 1},
    "decimal": {"integers": 1, "reals": 1},
}


def kept(declared: str) -> Stored:
    """The counts of a column all of whose values are what the declaration promises."""
    return Stored(**_KEPT[meaning(declared)])


def is_told_by_the_scan(declared: str) -> bool:
    """A promise the scan itself can watch over, at next to no cost: ``watched``."""
    kind = decimal_type(declared)
    match = _DECIMAL.search(declared)
    small = bool(kind and match and int(match[1]) - int(match[2]) <= _DOUBLE_DIGITS)
    return meaning(declared) == "boolean" or small


def watched(name: str, declared: str) -> str:
    """What the scanner's number is promised to be; any other is an error that ``MISMATCH`` opens."""
    column, kind = ident(name), decide(declared, kept(declared)).type
    fits = f"{column} IN (0, 1)" if kind == "BOOLEAN" else ""
    fits = fits or f"CAST(TRY_CAST({column} AS {kind}) AS DOUBLE) = {column}"
    return (
        f"CASE WHEN {column} IS NULL OR {fits} THEN CAST({column} AS {kind})"
        f" ELSE error('{MISMATCH}') END"
    )


def broken_promise(name: str, declared: str) -> str:
    """A quick condition for a moment that is not spelled as promised; what it means the scan will tell.

    Much cheaper than the counts of ``profile_sql``, which are asked for once this has found something.
    """
    column = ident(name)
    if meaning(declared) == "date":
        fits = f"typeof({column}) = 'text' AND length({column}) = 10"
    elif meaning(declared) == "timestamp":
        fits = (
            f"typeof({column}) = 'text' AND length({column}) BETWEEN 19 AND 26"
            f" AND substr({column}, 17, 1) = ':' AND substr({column}, 20) NOT GLOB '*[^.0-9]*'"
        )
    else:
        return f"({_misfit(column, declared)} OR abs({column}) > {_EXACT})"
    return f"({column} IS NOT NULL AND NOT ({fits}))"


def decide(declared: str, stored: Stored | None) -> Decision:
    """The DuckDB type of a column. ``stored`` is None where the strict scan checks the declaration itself."""
    kind = affinity(declared)
    if stored is None:
        return Decision({"integer": "BIGINT", "text": "VARCHAR", "real": "DOUBLE"}[kind])
    promised = _promised(declared)
    rounded = promised.startswith("DECIMAL") and stored.huge
    if promised and not stored.misfits and not stored.blobs and not rounded:
        return Decision(promised)
    found = _by_class(declared, stored)
    note = (
        f"declared {declared}, kept as {found}"
        if promised or (found == "VARCHAR" and kind != "text")
        else ""
    )
    if kind == "none" and found != "VARCHAR":
        note = ""
    if found == "VARCHAR" and not _mixed(stored) and kind in ("none", "numeric") and not promised:
        # Text in a column that promised nothing, or a type of the user's own invention (JSON, UUID, STRING).
        note = ""
    return Decision(found, note)


def _promised(declared: str) -> str:
    return {
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
        "decimal": decimal_type(declared),
        "": "",
    }[meaning(declared)]


def _mixed(stored: Stored) -> bool:
    classes = (stored.integers + stored.reals, stored.texts, stored.blobs)
    return sum(1 for count in classes if count) > 1


def _by_class(declared: str, stored: Stored) -> str:
    if stored.numbers_only:
        if stored.reals:
            return "VARCHAR" if stored.huge else "DOUBLE"
        if stored.integers:
            return "DOUBLE" if affinity(declared) == "real" else "BIGINT"
        empty = {"integer": "BIGINT", "text": "VARCHAR", "real": "DOUBLE", "numeric": "DOUBLE"}
        return empty.get(affinity(declared), "BLOB" if "BLOB" in declared.upper() else "VARCHAR")
    only_blobs = stored.blobs and not (stored.integers or stored.reals or stored.texts)
    return "BLOB" if only_blobs else "VARCHAR"


def native_expression(name: str, native: str, decided: str, stored: Stored | None) -> str | None:
    """How the scanner's own column becomes the decided type; None where the scanner would fail or lose something."""
    column = ident(name)
    if native == decided and native != "BLOB":
        if stored and native == "VARCHAR" and stored.blobs:
            return None
        return None if native == "DOUBLE" and stored and stored.huge else column
    if native == "BLOB":
        if decided == "BLOB":
            return column
        only_texts = stored is not None and not (stored.integers or stored.reals or stored.blobs)
        return f"decode({column})" if decided == "VARCHAR" and only_texts else None
    exact = stored is not None and stored.numbers_only and not stored.huge
    if native == "BIGINT" and decided == "BOOLEAN" and exact:
        return f"CAST({column} AS BOOLEAN)"
    if native == "DOUBLE" and exact and (decided == "BIGINT" or decided.startswith("DECIMAL")):
        return f"CAST({column} AS {decided})"
    return None


#: Opens the text of a float, so that it is told from a text with digits. No text begins so by chance.
_REAL = "char(1) || 'real:'"


def spelled(column: str) -> str:
    """A float as short as it can be written, everything else as it is."""
    mark = "chr(1) || 'real:'"
    short = f"CAST(CAST(substr({column}, 7) AS DOUBLE) AS VARCHAR)"
    return f"CASE WHEN starts_with({column}, {mark}) THEN {short} ELSE {column} END"


def query_expressions(types: dict[str, str]) -> tuple[str, dict[str, str | None]]:
    """SQLite's select list that spells every value as exact text, and DuckDB's expressions that read it back."""
    inner, outer = [], dict[str, str | None]()
    for name, kind in types.items():
        column = ident(name)
        # Of seventeen digits SQLite does not always write the right ones; with three more the float is the same.
        real = f"WHEN 'real' THEN {_REAL} || printf('%!.20g', {column})"
        blob = f"WHEN 'blob' THEN hex({column})"
        inner.append(
            f"CASE typeof({column}) WHEN 'null' THEN NULL {real} {blob} ELSE CAST({column} AS TEXT) END AS {column}"
        )
        text = spelled(column)
        if kind == "VARCHAR":
            outer[name] = text
        elif kind == "BLOB":
            outer[name] = f"unhex({column})"
        elif kind.startswith("DECIMAL"):
            outer[name] = f"CAST(CAST({text} AS DOUBLE) AS {kind})"
        else:
            outer[name] = f"CAST({text} AS {kind})"
    return ", ".join(inner), outer
