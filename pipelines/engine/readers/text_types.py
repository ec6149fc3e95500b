"""Types for columns that are text in the file. Pure.

They are decided from what is written and kept to by a guard in every row. A decimal becomes DECIMAL
and never a float; a code such as 00501 stays text. Types come from a sample; a row further down that
does not keep to them makes the guard stop the read, and the whole file decides the second time.
"""

from dataclasses import dataclass

from connections.connectors.sql import quote_text

#: What the guard's error starts with; the column's name follows.
MISFIT = "misfit in column: "

_INTEGER = "-?(0|[1-9][0-9]{0,17})"
_DECIMAL = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_STAMP = rf"{_DATE}[ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}})?)?"
_ZONE = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"


@dataclass(frozen=True)
class Seen:
    """Of the values of a column: how many there are, and how many are written as each type."""

    values: int = 0
    integers: int = 0
    decimals: int = 0
    whole_digits: int = 0
    fraction_digits: int = 0
    booleans: int = 0
    dates: int = 0
    stamps: int = 0
    zoned: int = 0
    #: Significant digits at most; a float is exact up to 15.
    digits: int = 0


def profile_sql(text: str) -> str:
    """The counts of ``Seen`` for an expression of text, in their order."""
    decimal = _matches(text, _DECIMAL)
    whole = f"length(ltrim(split_part({text}, '.', 1), '-'))"
    booleans = "('true', 'false', 'True', 'False', 'TRUE', 'FALSE')"

    def readable(pattern: str, kind: str) -> str:
        # CASE looks at the few rows that begin like a date; AND would match every row.
        exact = f"{_matches(text, pattern)} AND TRY_CAST({text} AS {kind}) IS NOT NULL"
        return f"count(*) FILTER (CASE WHEN {text} LIKE '____-__-__%' THEN {exact} ELSE false END)"

    return ", ".join(
        [
            f"count({text})",
            f"count(*) FILTER ({_matches(text, _INTEGER)} AND {text} <> '-0')",
            f"count(*) FILTER ({decimal} AND {text} <> '-0')",
            f"max({whole}) FILTER ({decimal})",
            f"max(length(split_part({text}, '.', 2))) FILTER ({decimal})",
            f"count(*) FILTER ({text} IN {booleans})",
            readable(_DATE, "DATE"),
            readable(_STAMP, "TIMESTAMP"),
            readable(_STAMP + _ZONE, "TIMESTAMPTZ"),
            f"max(length(replace(replace({text}, '-', ''), '.', ''))) FILTER ({decimal})",
        ]
    )


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quote_text(pattern)})"


def decide(seen: Seen) -> str:
    """The narrowest type that every value seen fits without loss."""
    if not seen.values:
        return "VARCHAR"
    candidates = (
        (seen.integers, "BIGINT"),
        (seen.decimals, decimal_type(seen)),
        (seen.booleans, "BOOLEAN"),
        (seen.dates, "DATE"),
        (seen.dates + seen.stamps, "TIMESTAMP"),
        (seen.zoned, "TIMESTAMPTZ"),
    )
    return next((kind for count, kind in candidates if kind and count == seen.values), "VARCHAR")


def decide_number(seen: Seen) -> str:
    """For a JSON number, which is a float: DECIMAL where a float holds its digits exactly, else DOUBLE."""
    exact = seen.values and seen.decimals == seen.values and seen.digits <= 15
    return (decimal_type(seen) if exact else "") or "DOUBLE"


def decide_moment(seen: Seen) -> str:
    """For a JSON text that DuckDB took for a date or time."""
    found = decide(seen)
    return found if found in ("DATE", "TIMESTAMP", "TIMESTAMPTZ") else "VARCHAR"


def decimal_type(seen: Seen) -> str:
    """Room for larger values than were seen, but no more digits after the point; nothing when too wide."""
    precision = max(seen.whole_digits, 1) + seen.fraction_digits
    if precision > 38:
        return ""
    return f"DECIMAL({18 if precision <= 16 else 38},{seen.fraction_digits})"


def guarded(name: str, text: str, kind: str) -> str:
    """The text as the type; a value that would be lost or changed by it is an error that names the column."""
    if kind == "VARCHAR":
        return text
    misfit = f"error({quote_text(MISFIT + name)} || substr({text}, 1, 0))"
    return (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN {_condition(text, kind)} "
        f"THEN coalesce(TRY_CAST({text} AS {kind}), {misfit}) ELSE {misfit} END"
    )


def _condition(text: str, kind: str) -> str:
    if kind.startswith("DECIMAL"):
        scale = int(kind.rstrip(")").split(",")[1])
        fraction = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
        return _matches(text, f"-?(0|[1-9][0-9]*){fraction}")
    if kind == "DOUBLE":
        return "true"
    if kind == "BIGINT":
        # Comparing is cheaper than a pattern, and refuses 007, +7 and -0 as well.
        return f"CAST(TRY_CAST({text} AS BIGINT) AS VARCHAR) = {text}"
    patterns = {
        "DATE": _DATE,
        "TIMESTAMP": f"{_STAMP}|{_DATE}",
        "TIMESTAMPTZ": _STAMP + _ZONE,
        "BOOLEAN": "true|false|True|False|TRUE|FALSE",
    }
    return _matches(text, patterns[kind])
