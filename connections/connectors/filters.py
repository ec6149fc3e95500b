"""Row filters: a tree of conditions, checked, and rendered as a WHERE clause of any dialect.

A list of items must hold as a whole. An item is a condition ``{"column", "op", "value"}`` or a group
``{"and": [items]}`` or ``{"or": [items]}``. Reading a tree needs no columns; rendering it does, and
brings every value to its column's type first, so that a wrong one is refused with its path instead
of failing (or quietly matching nothing) in the source. A row whose column is NULL passes no
condition but ``is_null``. The language is described in docs/filters.md.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.comparisons import LIST_OPERATORS, OPERATORS, Comparer
from connections.connectors.kinds import OFFERED, Kind, example_of, kind_of
from connections.connectors.patterns import check_pattern
from connections.connectors.sql import Dialect, quote_identifier, unknown_column
from connections.connectors.values import Value

__all__ = [
    "LIST_OPERATORS",
    "MAX_DEPTH",
    "OFFERED",
    "OPERATORS",
    "Condition",
    "Group",
    "Item",
    "Kind",
    "Where",
    "as_json",
    "check_types",
    "conditions_of",
    "example_of",
    "join_list",
    "kind_of",
    "parse_tree",
    "split_list",
    "where",
]

#: A longer list belongs in a table; it would also pass the parameter limits of the systems.
MAX_LIST = 1000
MAX_DEPTH = 5
MAX_CONDITIONS = 100
#: By key of the connector; what is not named here is read by DuckDB.
_DIALECTS = {
    "postgres": Dialect.POSTGRES,
    "mysql": Dialect.MYSQL,
    "sqlite": Dialect.SQLITE,
}
_CONDITION_KEYS = ("column", "op", "value")
_LIST_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(,|$)')

Joiner = Literal["and", "or"]


@dataclass(frozen=True)
class Condition:
    """One comparison. Lists and the two ends of ``between`` are tuples."""

    column: str
    op: str
    value: Any

    def as_json(self) -> dict[str, Any]:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"column": self.column, "op": self.op, "value": value}


@dataclass(frozen=True)
class Group:
    """Items of which all (``and``) or any (``or``) must hold."""

    joiner: Joiner
    items: "tuple[Item, ...]"

    def as_json(self) -> dict[str, Any]:
        return {self.joiner: [item.as_json() for item in self.items]}


Item = Condition | Group


def as_json(items: Sequence[Item]) -> list[dict[str, Any]]:
    """What ``parse_tree`` reads back to the same tree."""
    return [item.as_json() for item in items]


def conditions_of(items: Sequence[Item]) -> Iterator[Condition]:
    """Every condition of the tree, in reading order."""
    for item in items:
        if isinstance(item, Group):
            yield from conditions_of(item.items)
        else:
            yield item


def parse_tree(value: Any, where: str = "filters") -> tuple[Item, ...]:
    """The tree in ``value``, checked as far as that goes without columns.

    Nothing (None, an empty list) is no filter. Raises ``UserError`` whose field is the path of what
    is wrong, below ``where``: ``filters[0].and[1].value``.
    """
    if value is None:
        return ()
    items = _parse_items(value, where, 0)
    count = sum(1 for _condition in conditions_of(items))
    if count > MAX_CONDITIONS:
        raise UserError(
            f"There are {count} conditions, more than {MAX_CONDITIONS}.",
            field=where,
            remedy="Use a list (in) instead of many conditions, or filter in a transformation.",
        )
    return items


@dataclass(frozen=True)
class Where:
    """A condition (empty when there is no filter) and its bind parameters, in order.

    It may be joined with others by AND as it stands. Its value is NULL for a row of which it cannot
    be said.
    """

    condition: str = ""
    parameters: tuple[Value, ...] = ()

    @property
    def clause(self) -> str:
        """`` WHERE …`` with its leading space, or nothing."""
        return f" WHERE {self.condition}" if self.condition else ""

    @property
    def negated(self) -> str:
        """The condition of exactly the rows that do not pass; empty when there is no filter."""
        return f"({self.condition}) IS NOT TRUE" if self.condition else ""


def where(
    items: Sequence[Item] | Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    dialect: Dialect,
    *,
    inline: bool = False,
    expression: Callable[[Column], str] | None = None,
    path: str = "filters",
) -> Where:
    """The tree (parsed or as JSON) as one condition, with bind parameters, or literals when
    ``inline``.

    ``expression`` says how to read a column where that is not its quoted name; its value must be of
    the type the column declares. Raises ``UserError`` whose field is the path below ``path``.
    """
    tree = parse_tree(items, path)
    read = expression or (lambda column: quote_identifier(column.name, dialect=dialect))
    comparer = Comparer(dialect, inline, read)
    by_name = {column.name: column for column in columns}
    parts = [
        _render(item, comparer, by_name, f"{path}[{position}]")
        for position, item in enumerate(tree)
    ]
    return Where(" AND ".join(parts), tuple(comparer.parameters))


def check_types(
    items: Sequence[Mapping[str, Any]],
    columns: Sequence[Mapping[str, Any]],
    connector: str,
    path: str = "filters",
) -> None:
    """``UserError`` for a filter that the columns, as ``describe`` answers them, do not fit."""
    known = [Column(one["name"], one["type"]) for one in columns]
    where(items, known, _DIALECTS.get(connector, Dialect.DUCKDB), inline=True, path=path)


def _render(item: Item, comparer: Comparer, columns: Mapping[str, Column], path: str) -> str:
    if isinstance(item, Group):
        parts = [
            _render(one, comparer, columns, f"{path}.{item.joiner}[{position}]")
            for position, one in enumerate(item.items)
        ]
        return f"({f' {item.joiner.upper()} '.join(parts)})"
    if item.column not in columns:
        raise unknown_column(item.column, sorted(columns), f"{path}.column")
    return comparer.compare(columns[item.column], item.op, item.value, f"{path}.value")


def split_list(text: str) -> list[str]:
    """The values of a text with commas. One with a comma, or an empty one, stands in double
    quotes.
    """
    parts: list[str] = []
    position = 0
    while position < len(text):
        found = _LIST_PART.match(text, position)
        if found is None:  # something behind a closing quote: no quotes were meant
            end = text.find(",", position)
            end = len(text) if end < 0 else end
            parts.append(text[position:end].strip())
            position = end + 1
            continue
        quoted, plain, _end = found.groups()
        if quoted is not None:
            parts.append(quoted.replace('""', '"'))
        elif plain.strip():
            parts.append(plain.strip())
        position = found.end()
    return parts


def join_list(values: Sequence[str]) -> str:
    """The reverse of ``split_list``."""
    return ", ".join(
        '"' + one.replace('"', '""') + '"'
        if not one or one != one.strip() or "," in one or '"' in one
        else one
        for one in values
    )


def _parse_items(value: Any, where: str, depth: int) -> tuple[Item, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(
            "A list of filters is needed.",
            field=where,
            remedy="Give a list of conditions and groups.",
        )
    return tuple(_parse_item(item, f"{where}[{i}]", depth) for i, item in enumerate(value))


def _parse_item(item: Any, where: str, depth: int) -> Item:
    if isinstance(item, Condition | Group):
        item = item.as_json()
    if not isinstance(item, Mapping):
        raise _no_item(where)
    if "and" in item or "or" in item:
        return _parse_group(item, where, depth + 1)
    keys = set(item)
    if unknown := sorted(str(key) for key in keys - set(_CONDITION_KEYS)):
        raise UserError(
            f'A condition has no setting "{unknown[0]}".',
            field=f"{where}.{unknown[0]}",
            remedy="It has exactly column, op and value.",
        )
    if keys != set(_CONDITION_KEYS):
        raise _no_item(where)
    return _parse_condition(item, where)


def _parse_group(item: Mapping[Any, Any], where: str, depth: int) -> Group:
    if len(item) != 1:
        raise UserError(
            "A group is either all (and) or any (or) of its items, and nothing else.",
            field=where,
            remedy="Put the other settings into an item of their own.",
        )
    if depth > MAX_DEPTH:
        raise UserError(
            f"Groups stand more than {MAX_DEPTH} deep in each other here.",
            field=where,
            remedy="Join groups of the same kind, or filter in a transformation.",
        )
    joiner: Joiner = "and" if "and" in item else "or"
    items = _parse_items(item[joiner], f"{where}.{joiner}", depth)
    if not items:
        raise UserError(
            "A group needs at least one condition.",
            field=f"{where}.{joiner}",
            remedy="Add one, or remove the group.",
        )
    return Group(joiner, items)


def _parse_condition(item: Mapping[Any, Any], where: str) -> Condition:
    column, op, value = item["column"], item["op"], item["value"]
    if not isinstance(column, str) or not column.strip():
        raise UserError(
            "A condition needs a column.",
            field=f"{where}.column",
            remedy="Name a column of the table.",
        )
    if not isinstance(op, str) or op not in OPERATORS:
        raise UserError(
            f'The condition on column "{column}" has an unknown operator "{op}".',
            field=f"{where}.op",
            remedy=f"Use one of: {', '.join(OPERATORS)}.",
        )
    return Condition(column, str(op), _parse_value(value, column, str(op), f"{where}.value"))


def _parse_value(value: Any, column: str, op: str, where: str) -> Any:
    if op == "is_null":
        if not isinstance(value, bool):
            raise _shape(column, op, "true or false", where)
        return value
    if op in LIST_OPERATORS:
        return _parse_list(value, column, op, where)
    if op == "between":
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise _shape(column, op, "a list of two values, the lower and the upper", where)
        return tuple(_scalar(one, column, op, f"{where}[{i}]") for i, one in enumerate(value))
    if op == "like":
        if not isinstance(value, str) or not value:
            raise _shape(column, op, "a text with % for any characters and _ for one", where)
        check_pattern(value, column, where)
        return value
    return _scalar(value, column, op, where)


def _parse_list(value: Any, column: str, op: str, where: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = split_list(value)
    if not isinstance(value, list | tuple) or not value:
        raise _shape(column, op, "a list of values", where)
    if len(value) > MAX_LIST:
        raise UserError(
            f'The condition on column "{column}" lists {len(value):,} values, '
            f"more than {MAX_LIST:,}.",
            field=where,
            remedy="Shorten the list, or filter in a transformation.",
        )
    return tuple(_scalar(one, column, op, f"{where}[{i}]") for i, one in enumerate(value))


def _scalar(value: Any, column: str, op: str, where: str) -> Any:
    if value is None:
        raise UserError(
            f'The condition on column "{column}" has no value to compare with.',
            field=where,
            remedy="Give a value; for rows without one (NULL) use is_null.",
        )
    if not isinstance(value, str | int | float):
        raise _shape(column, op, "a text, a number, or true or false", where)
    if isinstance(value, float) and not math.isfinite(value):
        raise _shape(column, op, "a finite number, or NaN as a text,", where)
    return value


def _no_item(where: str) -> UserError:
    return UserError(
        "A filter is a condition with column, op and value, or a group with and or or.",
        field=where,
        remedy='Write {"column": …, "op": …, "value": …} or {"or": [ … ]}.',
    )


def _shape(column: str, op: str, wanted: str, where: str) -> UserError:
    return UserError(
        f'The condition on column "{column}" needs {wanted} for {op}.',
        field=where,
        remedy="Correct the value, or choose another operator.",
    )
