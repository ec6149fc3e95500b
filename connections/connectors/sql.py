"""SQL shared by the connectors: quoting, and row filters as a WHERE clause.

A filter is ``{"column", "op", "value"}``. Its value is brought to the column's type first, so that
a wrong one is refused with the column's name instead of failing (or quietly matching nothing) in
the source. NULL follows SQL: a row whose column is NULL passes no filter, ``ne`` and ``not_in``
included.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.values import MOMENTS, Family, Value, coerce, type_family

#: Operator → SQL, in the order pages offer them.
OPERATORS: dict[str, str] = {
    "eq": "=",
    "ne": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "in": "IN",
    "not_in": "NOT IN",
}
_LIST_OPERATORS = frozenset({"in", "not_in"})
#: A longer list belongs in a table; it would also pass the parameter limits of the systems.
MAX_LIST = 1000


class Dialect(StrEnum):
    """How a system writes parameters and literals."""

    POSTGRES = "postgres"
    SQLITE = "sqlite"
    DUCKDB = "duckdb"

    @property
    def placeholder(self) -> str:
        return "%s" if self is Dialect.POSTGRES else "?"


@dataclass(frozen=True)
class Where:
    """A condition (empty when there is no filter) and its bind parameters, in order."""

    condition: str = ""
    parameters: tuple[Value, ...] = ()

    @property
    def clause(self) -> str:
        """`` WHERE …`` with its leading space, or nothing."""
        return f" WHERE {self.condition}" if self.condition else ""


@dataclass(frozen=True)
class Condition:
    """One checked filter: the column as declared, its values in the column's type."""

    column: Column
    op: str
    values: tuple[Value, ...]


def quote_identifier(name: str) -> str:
    """The name in double quotes, as all three dialects write it."""
    if "\0" in name:
        raise UserError("A name holds a NUL character.", remedy="Remove it.")
    return '"' + name.replace('"', '""') + '"'


def quote_table(schema: str, name: str) -> str:
    """``"schema"."table"``, or the table alone where there is no schema."""
    return ".".join(quote_identifier(part) for part in (schema, name) if part)


def quote_text(text: str, dialect: Dialect = Dialect.DUCKDB) -> str:
    """The text as a string literal."""
    if "\0" in text:
        raise UserError("A value holds a NUL character.", field="filters", remedy="Remove it.")
    quoted = "'" + text.replace("'", "''") + "'"
    if dialect is Dialect.POSTGRES and "\\" in text:
        # Safe whatever standard_conforming_strings says: E'' always reads backslashes as escapes.
        return " E" + quoted.replace("\\", "\\\\")
    return quoted


def literal(value: Value, dialect: Dialect) -> str:
    """The value written out, for statements that take no parameters (COPY in DuckDB and
    PostgreSQL).
    """
    if isinstance(value, bool):
        return str(int(value)) if dialect is Dialect.SQLITE else str(value).upper()
    if isinstance(value, int | Decimal):
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, float):
        return quote_text(repr(value)) if dialect is not Dialect.SQLITE else repr(value)
    if isinstance(value, bytes):
        return _bytes_literal(value, dialect)
    if isinstance(value, datetime | date | time):
        return quote_text(str(value))
    return quote_text(value, dialect)


def parse_filters(
    filters: Sequence[dict[str, Any]], columns: Sequence[Column], dialect: Dialect
) -> list[Condition]:
    """The filters checked against the columns; ``UserError`` (field ``filters``) for the first
    wrong one.
    """
    by_name = {column.name: column for column in columns}
    return [_parse(one, by_name, dialect) for one in filters]


def where(
    filters: Sequence[dict[str, Any]],
    columns: Sequence[Column],
    dialect: Dialect,
    *,
    inline: bool = False,
    expression: Callable[[Column], str] | None = None,
) -> Where:
    """The filters as one condition, joined by AND, with bind parameters (or literals when
    ``inline``).

    ``expression`` says how to read a column where that is not its quoted name.
    """
    read = expression or (lambda column: quote_identifier(column.name))
    parts: list[str] = []
    parameters: list[Value] = []
    for condition in parse_filters(filters, columns, dialect):
        left = read(condition.column)
        # The driver has no parameter type for a decimal there; the column is a float anyway.
        values = [
            float(value) if dialect is Dialect.SQLITE and isinstance(value, Decimal) else value
            for value in condition.values
        ]
        if inline:
            marks = [literal(value, dialect) for value in values]
        else:
            marks = [dialect.placeholder] * len(values)
            parameters.extend(values)
            if dialect is Dialect.POSTGRES:
                # psycopg reads a percent sign in a statement with parameters as a placeholder.
                left = left.replace("%", "%%")
        right = f"({', '.join(marks)})" if condition.op in _LIST_OPERATORS else marks[0]
        parts.append(f"{left} {OPERATORS[condition.op]} {right}")
    return Where(" AND ".join(parts), tuple(parameters))


def select_columns(wanted: Sequence[str] | None, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The wanted columns in the table's order; all of them for None. An unknown name is refused."""
    if wanted is None:
        return tuple(columns)
    known = {column.name for column in columns}
    for name in wanted:
        if name not in known:
            raise _unknown_column(name, sorted(known), "columns")
    return tuple(column for column in columns if column.name in set(wanted))


def _parse(one: dict[str, Any], columns: dict[str, Column], dialect: Dialect) -> Condition:
    name = str(one.get("column") or "")
    if name not in columns:
        raise _unknown_column(name, sorted(columns), "filters")
    op = str(one.get("op") or "")
    if op not in OPERATORS:
        raise UserError(
            f'The filter on column "{name}" has an unknown operator "{op}".',
            field="filters",
            remedy=f"Use one of: {', '.join(OPERATORS)}.",
        )
    column = columns[name]
    family = type_family(column.type)
    raw = one.get("value")
    values = _list_of(raw, name) if op in _LIST_OPERATORS else [raw]
    coerced = (_coerce(value, family, column, dialect) for value in values)
    return Condition(column, op, tuple(coerced))


def _coerce(value: Any, family: Family, column: Column, dialect: Dialect) -> Value:
    """SQLite has no date types: such a column holds texts as they were written, or numbers of
    seconds or days.
    """
    if dialect is not Dialect.SQLITE or family not in MOMENTS:
        return coerce(value, family, column)
    text = str(value).strip()
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        coerce(value, Family.TIMESTAMPTZ if family is not Family.TIME else Family.TIME, column)
    return text


def _list_of(raw: Any, name: str) -> list[Any]:
    """A JSON list as it is; a text is a list with commas, as a form field sends it."""
    values = (
        [part.strip() for part in raw.split(",") if part.strip()] if isinstance(raw, str) else raw
    )
    if not isinstance(values, list | tuple) or not values:
        raise UserError(
            f'The filter on column "{name}" needs a list of values.',
            field="filters",
            remedy="Give at least one value, separated by commas.",
        )
    if len(values) > MAX_LIST:
        raise UserError(
            f'The filter on column "{name}" lists {len(values):,} values, more than {MAX_LIST:,}.',
            field="filters",
            remedy="Shorten the list, or filter in a transformation.",
        )
    return list(values)


def _bytes_literal(value: bytes, dialect: Dialect) -> str:
    if dialect is Dialect.POSTGRES:
        return f"decode('{value.hex()}', 'hex')"
    if dialect is Dialect.SQLITE:
        return f"x'{value.hex()}'"
    return f"from_hex('{value.hex()}')"


def _unknown_column(name: str, known: Sequence[str], field: str) -> UserError:
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return UserError(
        f'There is no column "{name}".',
        field=field,
        remedy=f"Columns there are: {shown or 'none'}.",
    )
