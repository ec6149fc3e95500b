"""What a form offers for a column: the operators that make sense for its type."""

from enum import StrEnum

from connections.connectors.values import MOMENTS, Family, type_family


class Kind(StrEnum):
    """Types as far as a person who filters minds them."""

    WHOLE = "whole"
    NUMBER = "number"
    MOMENT = "moment"
    BOOLEAN = "boolean"
    #: Equal or not, but without an order that means anything (UUID, bytes).
    EXACT = "exact"
    TEXT = "text"


_KINDS = {
    Family.INTEGER: Kind.WHOLE,
    Family.FLAG: Kind.WHOLE,
    Family.DECIMAL: Kind.NUMBER,
    Family.FLOAT: Kind.NUMBER,
    Family.BOOLEAN: Kind.BOOLEAN,
    Family.UUID: Kind.EXACT,
    Family.BINARY: Kind.EXACT,
    Family.TEXT: Kind.TEXT,
    **dict.fromkeys(MOMENTS, Kind.MOMENT),
}
_EQUALITY = frozenset({"eq", "ne", "in", "not_in", "is_null"})
_ORDER = _EQUALITY | {"gt", "gte", "lt", "lte", "between"}
#: The operators offered; others may still stand in a definition.
OFFERED: dict[Kind, frozenset[str]] = {
    Kind.WHOLE: _ORDER,
    Kind.NUMBER: _ORDER,
    Kind.MOMENT: _ORDER,
    # Its two values are choices of their own in a form.
    Kind.BOOLEAN: frozenset({"is_null"}),
    Kind.EXACT: _EQUALITY,
    Kind.TEXT: _ORDER | {"like"},
}


def kind_of(declared: str) -> Kind:
    """The kind of a type in the words of its system."""
    return _KINDS[type_family(declared)]


#: How a value of such a column is written, for an empty field.
_EXAMPLES = {
    Family.DATE: "2026-03-31",
    Family.TIMESTAMP: "2026-03-31 14:05:00",
    Family.TIMESTAMPTZ: "2026-03-31 14:05:00+01:00",
    Family.TIME: "14:05:00",
    Family.BINARY: "00ff",
}


def example_of(declared: str) -> str:
    """A value as a filter on a column of the type takes it; empty where that needs no saying."""
    return _EXAMPLES.get(type_family(declared), "")
