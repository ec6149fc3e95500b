"""Columns, as ``SHOW COLUMNS`` tells them."""

import re
from dataclasses import dataclass
from typing import ClassVar

from dbt.adapters.base.column import Column
from dbt.adapters.mysql.relation import quoted

_SHAPE = re.compile(r"^(\w+)(?:\(([^)]*)\))?")
_STRINGS = frozenset(
    {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
)
_INTEGERS = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "bool", "boolean", "year"}
)
#: Of other databases, or of a definition, to what ``CAST`` knows.
_CASTS = {
    **dict.fromkeys((*_STRINGS, "string", "json", "uuid"), "char"),
    **dict.fromkeys((*_INTEGERS, "signed", "bit"), "signed"),
    **dict.fromkeys(("datetime", "timestamp"), "datetime(6)"),
    **dict.fromkeys(("float", "double", "real", "float8", "float4"), "double"),
    **dict.fromkeys(
        ("binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob"), "binary"
    ),
    "date": "date",
    "time": "time(6)",
}
_DECIMALS = ("decimal", "numeric", "dec", "fixed", "number")


@dataclass
class MySQLColumn(Column):
    """``dtype`` is the whole type where it has more than a size: ``bigint(20) unsigned``, ``enum('a','b')``."""

    TYPE_LABELS: ClassVar[dict[str, str]] = {
        "STRING": "text",
        "TIMESTAMP": "datetime(6)",
        "FLOAT": "double",
        "INTEGER": "int",
        "NUMERIC": "decimal(28,6)",
    }

    @property
    def quoted(self) -> str:
        return quoted(self.column)

    @property
    def data_type(self) -> str:
        if self.dtype == "varchar" and self.char_size:
            return self.string_type(int(self.char_size))
        return self.dtype

    def is_string(self) -> bool:
        return self.dtype.lower().partition("(")[0] in _STRINGS

    def is_integer(self) -> bool:
        return self.dtype.lower().partition("(")[0] in _INTEGERS

    def is_numeric(self) -> bool:
        return self.dtype.lower().partition("(")[0] in _DECIMALS

    def is_float(self) -> bool:
        return self.dtype.lower().partition("(")[0] in {"float", "double", "real"}

    def can_expand_to(self, other_column: Column) -> bool:
        """A ``varchar`` may grow; texts without a length hold what they hold."""
        sizes = (self.char_size, other_column.char_size)
        return None not in sizes and int(sizes[1] or 0) > int(sizes[0] or 0)

    def string_size(self) -> int:
        return int(self.char_size or 65_535)

    @classmethod
    def string_type(cls, size: int) -> str:
        return f"varchar({size})"

    @classmethod
    def from_definition(cls, name: str, definition: str) -> "MySQLColumn":
        """From what ``SHOW COLUMNS`` says: ``varchar(20)``, ``decimal(10,2)``, ``bigint(20) unsigned``."""
        match = _SHAPE.match(definition)
        if match and match[1].lower() == "varchar" and match[2]:
            return cls(name, "varchar", char_size=int(match[2]))
        return cls(name, definition)


def cast_type(dtype: str) -> str:
    """The target of a ``CAST`` for a type of a column; of another database too, as far as it is clear."""
    match = _SHAPE.match(dtype.strip().lower())
    if match is None:
        return dtype
    name, size = match[1], match[2]
    if name in _DECIMALS:
        return f"decimal({size})" if size else "decimal(28,6)"
    if "unsigned" in dtype.lower() and name in _INTEGERS:
        return "unsigned"
    known = _CASTS.get(name, dtype)
    sized = size and name in ("char", "varchar", "datetime", "time", "timestamp")
    return f"{known.partition('(')[0]}({size})" if sized else known
