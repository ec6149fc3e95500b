"""How each dialect compares a column with values, so that a filter keeps the same rows everywhere.

Text is compared to the letter and ordered by code point, whatever a column's collation says.
"""

import math
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.patterns import ESCAPE, as_glob, as_like
from connections.connectors.sql import FORMAT_STYLE, Dialect, literal, quote_text
from connections.connectors.values import (
    MOMENTS,
    Family,
    Value,
    coerce,
    type_family,
    wrong_value,
)

#: What a condition may ask, in the order pages offer it.
OPERATORS = (
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "in",
    "not_in",
    "like",
    "is_null",
)
LIST_OPERATORS = frozenset({"in", "not_in"})
_SIGNS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_ORDERING = frozenset({"gt", "gte", "lt", "lte", "between"})

# Types whose values are compared as their text. What is neither text nor one of these (an enum, an
# interval, an address) compares by its own rules with an untyped literal.
_POSTGRES_TEXT = re.compile(
    r"(text|character|varchar|char|bpchar|name|citext)\b[^\[]*", re.IGNORECASE
)
_POSTGRES_AS_TEXT = re.compile(
    r"(json|jsonb|xml|point|line|path|polygon|box|lseg)|.*\[\]", re.IGNORECASE
)
_DUCKDB_AS_TEXT = re.compile(r"(json|enum|struct|map|union|variant|list)\b.*|.*\]", re.IGNORECASE)
_MYSQL_TEXT = re.compile(r"(var|national )*char|.*text|enum|set|json", re.IGNORECASE)
_SQLITE_TEXT = re.compile(r"char|clob|text", re.IGNORECASE)
#: Floats of four bytes: 0.1 in such a column is another number than the double 0.1.
_NARROW = {
    Dialect.POSTGRES: frozenset({"real", "float4"}),
    Dialect.MYSQL: frozenset({"float"}),
    Dialect.DUCKDB: frozenset({"float", "float4", "real"}),
    Dialect.SQLITE: frozenset[str](),
}


@dataclass
class Comparer:
    """Writes comparisons of one dialect, collecting bind parameters unless ``inline``."""

    dialect: Dialect
    inline: bool
    #: How a column is read: its quoted name, or an expression.
    read: Callable[[Column], str]
    parameters: list[Value] = field(default_factory=list)

    def compare(self, column: Column, op: str, value: Any, path: str) -> str:
        """One condition. Raises ``UserError`` at ``path`` for what the column's type cannot be
        compared with.
        """
        left = self._left(column)
        if op == "is_null":
            return f"{left} IS {'NULL' if value else 'NOT NULL'}"
        family = family_of(column, self.dialect)
        if op == "like":
            return self._like(column, family, left, value, path)
        values = self._values(column, family, op, value, path)
        left, wrap = self._operands(column, family, op, left, values)
        marks = [wrap(self._mark(one, family)) for one in values]
        if op in LIST_OPERATORS:
            return f"{left} {'IN' if op == 'in' else 'NOT IN'} ({', '.join(marks)})"
        if op == "between":
            return f"{left} BETWEEN {marks[0]} AND {marks[1]}"
        return f"{left} {_SIGNS[op]} {marks[0]}"

    def _left(self, column: Column) -> str:
        left = self.read(column)
        # The driver reads a percent sign in a statement with parameters as a placeholder.
        return left if self.inline or self.dialect not in FORMAT_STYLE else left.replace("%", "%%")

    def _values(
        self, column: Column, family: Family, op: str, value: Any, path: str
    ) -> list[Value]:
        if op in LIST_OPERATORS or op == "between":
            return [
                _value(one, family, column, self.dialect, f"{path}[{i}]")
                for i, one in enumerate(value)
            ]
        return [_value(value, family, column, self.dialect, path)]

    def _mark(self, value: Value, family: Family) -> str:
        # As a literal a text takes the type of what it is compared with; DuckDB's parameters do not.
        if self.inline or (family is Family.TEXT and self.dialect is Dialect.DUCKDB):
            return literal(value, self.dialect)
        self.parameters.append(_bindable(value, self.dialect))
        return self.dialect.placeholder

    def _operands(
        self, column: Column, family: Family, op: str, left: str, values: list[Value]
    ) -> tuple[str, Callable[[str], str]]:
        """The left side, and what is written around each value."""
        if family is Family.TEXT:
            return self._text_operands(column, op, left)
        if self.dialect is Dialect.POSTGRES and column.type.strip().lower() == "money":
            return f"({left})::numeric", _as_it_is
        if self.dialect is Dialect.SQLITE and family in MOMENTS:
            return _sqlite_moment(left, values), _as_it_is
        return left, _as_it_is

    def _text_operands(
        self, column: Column, op: str, left: str
    ) -> tuple[str, Callable[[str], str]]:
        if self.dialect is Dialect.MYSQL:
            if not _MYSQL_TEXT.match(column.type):
                return left, _as_it_is
            # Collations there ignore case and spaces at the end; bytes of UTF-8 order by code point.
            return _mysql_bytes(left), _mysql_bytes
        if self.dialect is Dialect.SQLITE:
            return f"{_sqlite_text(column, left)} COLLATE BINARY", _as_it_is
        if self.dialect is Dialect.DUCKDB:
            as_text = _DUCKDB_AS_TEXT.fullmatch(column.type)
            return f"CAST({left} AS VARCHAR)" if as_text else left, _as_it_is
        if _POSTGRES_AS_TEXT.fullmatch(column.type):
            return f'({left})::text COLLATE "C"', _as_it_is
        if op in _ORDERING and _POSTGRES_TEXT.fullmatch(column.type):
            return f'({left}) COLLATE "C"', _as_it_is
        return left, _as_it_is

    def _like(self, column: Column, family: Family, left: str, pattern: str, path: str) -> str:
        if family is not Family.TEXT:
            raise UserError(
                f'The column "{column.name}" ({column.type}) is no text, so like does not fit it.',
                field=path,
                remedy="Compare with values, or choose a column of text.",
            )
        if self.dialect is Dialect.SQLITE:
            return f"{_sqlite_text(column, left)} GLOB {self._mark(as_glob(pattern), family)}"
        mark = self._mark(as_like(pattern), family)
        return f"{_like_left(left, self.dialect)} LIKE {mark} ESCAPE {quote_text(ESCAPE)}"


def family_of(column: Column, dialect: Dialect) -> Family:
    """The family of a column's type, as its own system means the word."""
    declared = column.type.strip().lower()
    if dialect is Dialect.MYSQL:
        if declared.startswith("tinyint(1)"):
            return Family.FLAG
        if declared.startswith("bit"):
            return Family.INTEGER
    return type_family(declared)


def _value(raw: Any, family: Family, column: Column, dialect: Dialect, path: str) -> Value:
    if dialect is Dialect.SQLITE and family in MOMENTS:
        return _sqlite_moment_value(raw, family, column, path)
    value = coerce(raw, family, column, field=path)
    if not isinstance(value, float):
        return value
    if not math.isfinite(value) and dialect in {Dialect.SQLITE, Dialect.MYSQL}:
        raise wrong_value(raw, family, column, field=path)
    return _narrow(value) if _word(column) in _NARROW[dialect] else value


def _word(column: Column) -> str:
    return re.split(r"[\s(]", column.type.strip().lower(), maxsplit=1)[0]


def _narrow(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return value


def _bindable(value: Value, dialect: Dialect) -> Value:
    """What the driver has no parameter type for, as the nearest it has."""
    if dialect is Dialect.SQLITE and isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    bits = {Dialect.SQLITE: 63, Dialect.DUCKDB: 127}.get(dialect)
    if bits and isinstance(value, int) and not -(2**bits) <= value < 2**bits:
        return float(value)
    return value


def _as_it_is(mark: str) -> str:
    return mark


# --- MySQL ----------------------------------------------------------------------------------------


def _mysql_bytes(operand: str) -> str:
    return f"CAST(CONVERT({operand} USING utf8mb4) AS BINARY)"


def _like_left(left: str, dialect: Dialect) -> str:
    if dialect is Dialect.MYSQL:
        return f"CONVERT({left} USING utf8mb4) COLLATE utf8mb4_bin"
    if dialect is Dialect.POSTGRES:
        return f'({left})::text COLLATE "C"'
    return f"CAST({left} AS VARCHAR)"


# --- SQLite ---------------------------------------------------------------------------------------


def _sqlite_text(column: Column, left: str) -> str:
    # Only a column with one of these words in its type is sure to hold texts.
    return left if _SQLITE_TEXT.search(column.type) else f"CAST({left} AS TEXT)"


def _sqlite_moment_value(raw: Any, family: Family, column: Column, path: str) -> Value:
    """SQLite has no date types: such a column holds texts as they were written, or numbers of
    seconds or days.
    """
    text = str(raw).strip()
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    moment = _read_moment(raw, family)
    if moment is None:
        raise wrong_value(raw, family, column, field=path)
    # With a zone the text stays as it is, and is compared as such.
    zoned = re.search(r"[T ].*([zZ]|[+-]\d\d:?\d\d)$", text)
    if zoned or not isinstance(moment, datetime | date):
        return text.replace("T", " ")
    if isinstance(moment, datetime):
        moment = moment.replace(tzinfo=None)
    return str(moment)


def _read_moment(raw: Any, family: Family) -> Value | None:
    """A date column may hold times of day as well."""
    kinds = [family] if family in {Family.DATE, Family.TIME} else [Family.TIMESTAMPTZ]
    for kind in [*kinds, *([Family.TIMESTAMPTZ] if family is Family.DATE else [])]:
        with suppress(UserError):
            return coerce(raw, kind, Column("", ""))
    return None


def _sqlite_moment(left: str, values: list[Value]) -> str:
    """The column as it compares with those values: texts with a blank between date and time."""
    return left if any(not isinstance(one, str) for one in values) else f"replace({left}, 'T', ' ')"
