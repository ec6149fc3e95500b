"""The type of a column of a result, as information_schema would write it, from what the protocol says of it. Pure."""

from typing import Any

_UNSIGNED, _ENUM, _SET = 1 << 5, 1 << 8, 1 << 11
#: The "character set" of bytes.
_BINARY = 63
_PLAIN = {
    1: "tinyint",
    2: "smallint",
    3: "int",
    4: "float",
    5: "double",
    7: "timestamp",
    8: "bigint",
    9: "mediumint",
    10: "date",
    11: "time",
    12: "datetime",
    13: "year",
    245: "json",
    255: "geometry",
}
_WHOLE = frozenset({1, 2, 3, 8, 9})
_WITH_FRACTION = frozenset({7, 11, 12})
_DECIMALS = frozenset({0, 246})
_BIT = 16


def type_of(field: Any) -> str:
    """``field`` is PyMySQL's description of the column."""
    kind, unsigned = field.type_code, bool(field.flags & _UNSIGNED)
    if kind in _DECIMALS:
        # The length counts the point and, unless unsigned, the sign.
        digits = field.length - (1 if field.scale else 0) - (0 if unsigned else 1)
        return f"decimal({digits},{field.scale})"
    if kind == _BIT:
        return f"bit({field.length})"
    if kind in _PLAIN:
        fraction = f"({field.scale})" if kind in _WITH_FRACTION and 0 < field.scale <= 6 else ""
        return f"{_PLAIN[kind]}{fraction}{' unsigned' if unsigned and kind in _WHOLE else ''}"
    if field.flags & (_ENUM | _SET):
        return "text"
    # A column of nothing but NULL has no length.
    return "longblob" if field.charsetnr == _BINARY and field.length else "longtext"
