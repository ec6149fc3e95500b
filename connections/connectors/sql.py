"""SQL shared by the connectors: dialects, quoting and literals."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.values import Value


class Dialect(StrEnum):
    """How a system writes parameters and literals."""

    POSTGRES = "postgres"
    MYSQL = "mysql"
    SQLITE = "sqlite"
    DUCKDB = "duckdb"

    @property
    def placeholder(self) -> str:
        return "%s" if self in FORMAT_STYLE else "?"


#: Their drivers read a percent sign in a statement with parameters as a placeholder.
FORMAT_STYLE = frozenset({Dialect.POSTGRES, Dialect.MYSQL})
#: A boolean is a number there.
_NUMBER_BOOLEANS = frozenset({Dialect.SQLITE, Dialect.MYSQL})


def quote_identifier(name: str, *, dialect: Dialect = Dialect.DUCKDB) -> str:
    """The name in double quotes, or in backticks for MySQL."""
    if "\0" in name:
        raise UserError("A name holds a NUL character.", remedy="Remove it.")
    mark = "`" if dialect is Dialect.MYSQL else '"'
    return mark + name.replace(mark, mark * 2) + mark


def quote_table(schema: str, name: str, *, dialect: Dialect = Dialect.DUCKDB) -> str:
    """``"schema"."table"``, or the table alone where there is no schema."""
    return ".".join(quote_identifier(part, dialect=dialect) for part in (schema, name) if part)


def quote_text(text: str, dialect: Dialect = Dialect.DUCKDB) -> str:
    """The text as a string literal."""
    if "\0" in text:
        raise UserError("A value holds a NUL character.", field="filters", remedy="Remove it.")
    quoted = "'" + text.replace("'", "''") + "'"
    if dialect is Dialect.POSTGRES and "\\" in text:
        # Safe whatever standard_conforming_strings says: E'' always reads backslashes as escapes.
        return " E" + quoted.replace("\\", "\\\\")
    if dialect is Dialect.MYSQL and "\\" in text:
        # Whether a backslash escapes depends on sql_mode; digits mean the same in every mode.
        return f" _utf8mb4 x'{text.encode().hex()}'"
    return quoted


def literal(value: Value, dialect: Dialect) -> str:
    """The value written out, for statements that take no parameters (COPY in DuckDB and
    PostgreSQL).
    """
    if isinstance(value, bool):
        return str(int(value)) if dialect in _NUMBER_BOOLEANS else str(value).upper()
    if isinstance(value, int | Decimal):
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, float):
        return _float_literal(value, dialect)
    if isinstance(value, bytes):
        return _bytes_literal(value, dialect)
    if isinstance(value, datetime | date | time):
        return _moment_literal(value, dialect)
    return quote_text(value, dialect)


def select_columns(wanted: Sequence[str] | None, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The wanted columns in the table's order; all of them for None. An unknown name is refused."""
    if wanted is None:
        return tuple(columns)
    known = {column.name for column in columns}
    for name in wanted:
        if name not in known:
            raise unknown_column(name, sorted(known), "columns")
    return tuple(column for column in columns if column.name in set(wanted))


def unknown_column(name: str, known: Sequence[str], field: str) -> UserError:
    """That there is no such column, and which there are."""
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return UserError(
        f'There is no column "{name}".',
        field=field,
        remedy=f"Columns there are: {shown or 'none'}.",
    )


def _bytes_literal(value: bytes, dialect: Dialect) -> str:
    if dialect is Dialect.POSTGRES:
        return f"decode('{value.hex()}', 'hex')"
    if dialect is Dialect.DUCKDB:
        return f"from_hex('{value.hex()}')"
    return f"x'{value.hex()}'"


def _float_literal(value: float, dialect: Dialect) -> str:
    text = repr(value)
    if dialect is Dialect.SQLITE:
        return f"({text})" if value < 0 else text
    if dialect is Dialect.MYSQL:
        # With an exponent it is a double; without, MySQL reads a decimal.
        text = text if "e" in text else f"{text}e0"
        return f"({text})" if value < 0 else text
    return quote_text(text)


def _moment_literal(value: datetime | date | time, dialect: Dialect) -> str:
    if dialect is not Dialect.MYSQL:
        return quote_text(str(value))
    if isinstance(value, datetime):
        plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"TIMESTAMP'{plain.isoformat(' ')}'"
    return f"{'TIME' if isinstance(value, time) else 'DATE'}'{value.isoformat()}'"
