"""Values of filters and cursors, brought to the type a column declares."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any
from uuid import UUID

from common.errors import UserError
from connections.connectors.base import Column

Value = str | int | float | bool | Decimal | date | datetime | time | bytes


class Family(StrEnum):
    """What values of a declared type have in common; the text is how a message names one."""

    INTEGER = "a whole number"
    FLAG = "true, false or a whole number"
    DECIMAL = "a number"
    FLOAT = "a number (float)"
    BOOLEAN = "true or false"
    DATE = "a date such as 2026-03-31"
    TIMESTAMP = "a date and time such as 2026-03-31 14:05:00"
    TIMESTAMPTZ = "a date and time such as 2026-03-31 14:05:00+01:00"
    TIME = "a time such as 14:05:00"
    UUID = "a UUID"
    BINARY = "bytes in hexadecimal digits"
    TEXT = "text"


#: The families of points in time.
MOMENTS = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIMESTAMPTZ, Family.TIME})

_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(
        [
            "smallint",
            "integer",
            "int",
            "int2",
            "int4",
            "int8",
            "bigint",
            "tinyint",
            "mediumint",
            "hugeint",
            "utinyint",
            "usmallint",
            "uinteger",
            "ubigint",
            "uhugeint",
            "serial",
            "bigserial",
            "smallserial",
            "oid",
            "unsigned",
            "year",
            "bignum",
        ],
        Family.INTEGER,
    ),
    **dict.fromkeys(["numeric", "decimal", "dec", "number", "money"], Family.DECIMAL),
    **dict.fromkeys(["real", "float", "float4", "float8", "double"], Family.FLOAT),
    **dict.fromkeys(["boolean", "bool"], Family.BOOLEAN),
    "date": Family.DATE,
    **dict.fromkeys(
        ["timestamp", "datetime", "timestamp_s", "timestamp_ms", "timestamp_ns"], Family.TIMESTAMP
    ),
    "timestamptz": Family.TIMESTAMPTZ,
    **dict.fromkeys(["time", "timetz", "time_ns"], Family.TIME),
    "uuid": Family.UUID,
    **dict.fromkeys(
        ["bytea", "blob", "tinyblob", "mediumblob", "longblob", "binary", "varbinary"],
        Family.BINARY,
    ),
}
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
_INTEGER = re.compile(r"[+-]?\d+(\.0+)?")


def type_family(declared: str) -> Family:
    """The family of a type as PostgreSQL, MySQL, DuckDB or SQLite writes it; text where nothing
    better is known.
    """
    plain = declared.strip().lower()
    if plain.endswith("]") or plain.startswith(("struct", "map", "union")):
        return Family.TEXT
    base = re.sub(r"\([^)]*\)", "", plain)
    if base.startswith("timestamp") and "with time zone" in base:
        return Family.TIMESTAMPTZ
    word = base.split()[0] if base.split() else ""
    return _FAMILIES.get(word, Family.TEXT)


def coerce(value: Any, family: Family, column: Column, *, field: str = "filters") -> Value:
    """The value in the column's type, or a ``UserError`` (at ``field``) naming column and value."""
    if value is None or isinstance(value, dict | list):
        raise UserError(
            f'The filter on column "{column.name}" has no value to compare with.',
            field=field,
            remedy="Give a value; a row whose column is NULL passes no filter anyway.",
        )
    if isinstance(value, str) and not _is_storable(value):
        raise wrong_value(value, family, column, field=field)
    try:
        return _CONVERTERS[family](value)
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        raise wrong_value(value, family, column, field=field) from error


def _is_storable(text: str) -> bool:
    """Whether a system can hold it: no NUL, and no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


def wrong_value(value: Any, family: Family, column: Column, *, field: str) -> UserError:
    """That the column cannot be compared with this value, and what it takes instead."""
    shown = str(value)[:100].encode(errors="replace").decode().replace("\0", "\\0")
    return UserError(
        f'The filter on column "{column.name}" ({column.type}) cannot compare with "{shown}".',
        field=field,
        remedy=f"Give {family.value}.",
    )


def _integer(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text.partition(".")[0])


def _flag(value: Any) -> int:
    try:
        return _integer(value)
    except ValueError:
        return int(_boolean(value))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise ValueError(value)
    number = Decimal(str(value).strip())
    if not number.is_finite():
        raise ValueError(value)
    # Plain digits: "1E+3" is no literal of a decimal type.
    return Decimal(f"{number:f}")


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    return float(value)


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(text)


def _date(value: Any) -> date:
    text = str(value).strip()
    # A date cursor may come back with a midnight behind it.
    return date.fromisoformat(text[:10] if re.fullmatch(r".{10}[T ]00:00(:00)?", text) else text)


def _timestamp(value: Any) -> datetime:
    """Without a zone. One given with a zone is the same instant in UTC."""
    moment = datetime.fromisoformat(str(value).strip())
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _timestamptz(value: Any) -> datetime:
    """With a zone. One given without is UTC, as every connection is set to UTC."""
    moment = datetime.fromisoformat(str(value).strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(value: Any) -> time:
    return time.fromisoformat(str(value).strip())


def _uuid(value: Any) -> str:
    return str(UUID(str(value).strip()))


def _binary(value: Any) -> bytes:
    return bytes.fromhex(str(value).strip().removeprefix("\\x").removeprefix("0x"))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_CONVERTERS: dict[Family, Callable[[Any], Value]] = {
    Family.INTEGER: _integer,
    Family.FLAG: _flag,
    Family.DECIMAL: _decimal,
    Family.FLOAT: _float,
    Family.BOOLEAN: _boolean,
    Family.DATE: _date,
    Family.TIMESTAMP: _timestamp,
    Family.TIMESTAMPTZ: _timestamptz,
    Family.TIME: _time,
    Family.UUID: _uuid,
    Family.BINARY: _binary,
    Family.TEXT: _text,
}
