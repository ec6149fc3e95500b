"""The row filters of a form: a tree of rows as it was typed, right or not.

Fields are named by their place in the tree (``filter-1-0-op``), so the form works as a plain one,
without script. What it does not show differently stays as it was stored: a condition nobody touched
goes back with its own JSON.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from connections.connectors.filters import (
    LIST_OPERATORS,
    MAX_DEPTH,
    Kind,
    example_of,
    join_list,
    kind_of,
    split_list,
)
from pipelines.filter_choices import WHOLE, Choice, ColumnChoice, choices, word_of
from pipelines.models import FilterOperator

_FIELD = re.compile(r"filter((?:-\d+)*)-(column|op|value|high|was|join)")


@dataclass
class ConditionRow:
    """One condition as it stands in the form."""

    path: str
    column: str = ""
    op: str = str(FilterOperator.EQ)
    value: str = ""
    high: str = ""
    #: The stored condition as JSON, empty for a new one.
    was: str = ""
    error: str = ""
    #: What of it the error is about: ``column``, ``op`` or ``value``.
    wrong: str = ""

    is_group = False

    @classmethod
    def of(cls, item: dict[str, Any], path: str) -> "ConditionRow":
        row = cls(path, item["column"], item["op"], was=json.dumps(item))
        value = item["value"]
        if isinstance(value, bool) and (word := word_of(row.op, value)):
            row.op = word
        elif row.op == FilterOperator.BETWEEN:
            row.value, row.high = (_text(one) for one in value)
        else:
            row.value = (
                join_list([_text(one) for one in value])
                if isinstance(value, list)
                else _text(value)
            )
        return row

    @property
    def number(self) -> str:
        """How a person counts it: 2.1 is the first of the second group."""
        return _number(self.path)

    @property
    def is_blank(self) -> bool:
        return not self.column and not self.value.strip() and not self.high.strip()

    @property
    def is_complete(self) -> bool:
        """Whether it can be counted with; an untouched stored one always is."""
        if self.stored is not None or (self.column and self.op in WHOLE):
            return True
        ends = [self.value, self.high] if self.op == FilterOperator.BETWEEN else [self.value]
        return bool(self.column) and all(one.strip() for one in ends)

    @property
    def stored(self) -> dict[str, Any] | None:
        """The stored condition, where nothing of it was changed."""
        try:
            item = json.loads(self.was)
            same = ConditionRow.of(item, self.path)
        except (ValueError, TypeError, KeyError):
            return None
        shown = (same.column, same.op, same.value, same.high if self.op == "between" else self.high)
        return item if shown == (self.column, self.op, self.value, self.high) else None

    def as_item(self, kinds: dict[str, Kind]) -> dict[str, Any]:
        if (stored := self.stored) is not None:
            return stored
        if self.op in WHOLE:
            op, value = WHOLE[self.op]
            return {"column": self.column, "op": op, "value": value}
        return {"column": self.column, "op": self.op, "value": self._typed(kinds.get(self.column))}

    def _typed(self, kind: Kind | None) -> Any:
        """The text as the operator takes it; None where nothing was typed."""
        if self.op in LIST_OPERATORS:
            return [_native(one, kind) for one in split_list(self.value)]
        if self.op == FilterOperator.BETWEEN:
            ends = (self.value.strip(), self.high.strip())
            return [_native(one, kind) if one else None for one in ends]
        if self.op == FilterOperator.LIKE:
            return self.value or None
        text = self.value.strip()
        return _native(text, kind) if text else None


@dataclass
class GroupBox:
    """A group as it stands in the form; the whole of the filters is one too, with an empty path."""

    path: str = ""
    joiner: str = "and"
    items: "list[ConditionRow | GroupBox]" = field(default_factory=list)
    error: str = ""

    is_group = True

    @classmethod
    def of(cls, items: Sequence[dict[str, Any]], joiner: str, path: str) -> "GroupBox":
        return cls(
            path,
            joiner,
            [
                ConditionRow.of(item, place) if "column" in item else cls.of(*_content(item), place)
                for place, item in _places(path, items)
            ],
        )

    @property
    def number(self) -> str:
        return _number(self.path)

    @property
    def depth(self) -> int:
        return self.path.count("-")

    @property
    def may_nest(self) -> bool:
        # The whole of the filters is a group of the definition too when any of them is enough.
        return self.depth < MAX_DEPTH - 1


class FilterForm:
    """The tree of a form, and what the source says about its columns (None when it did not)."""

    def __init__(self, root: GroupBox, columns: Sequence[dict[str, Any]] | None) -> None:
        self.root = root
        self.kinds = {one["name"]: kind_of(one.get("type", "")) for one in columns or []}
        self._examples = {one["name"]: example_of(one.get("type", "")) for one in columns or []}
        #: Whether columns are chosen from a list, and not typed.
        self.knows_columns = columns is not None
        #: The path of the row that gets the focus, after a row was added or removed.
        self.focus = ""
        self._at: dict[str, ConditionRow | GroupBox] = {}

    @classmethod
    def of(
        cls, items: Sequence[dict[str, Any]], columns: Sequence[dict[str, Any]] | None
    ) -> "FilterForm":
        """As stored."""
        if len(items) == 1 and "or" in items[0]:
            return cls(GroupBox.of(items[0]["or"], "or", ""), columns)
        return cls(GroupBox.of(items, "and", ""), columns)

    @classmethod
    def read(cls, data: QueryDict, columns: Sequence[dict[str, Any]] | None) -> "FilterForm":
        """As typed, after the button that adds or removes something was heard."""
        fields: dict[str, dict[str, str]] = {}
        for name in data:
            if found := _FIELD.fullmatch(name):
                fields.setdefault(found[1], {})[found[2]] = str(data.get(name, ""))
        form = cls(_read_group("", fields), columns)
        action, _sep, path = data.get("action", "").partition(":")
        form._hear(action, path)
        return form

    def rows(self) -> Iterator[ConditionRow]:
        """Every condition, in reading order."""
        for item in _walk(self.root):
            if isinstance(item, ConditionRow):
                yield item

    def boxes(self) -> Iterator[GroupBox]:
        """Every group, the whole of them first."""
        for item in _walk(self.root):
            if isinstance(item, GroupBox):
                yield item

    @property
    def columns(self) -> list[ColumnChoice]:
        """What the source has, then what a filter names and the source has no more."""
        known = [
            ColumnChoice(name, kind, self._examples[name]) for name, kind in self.kinds.items()
        ]
        named = dict.fromkeys(row.column for row in self.rows() if row.column)
        return [
            *known,
            *(ColumnChoice(one, Kind.TEXT, "", True) for one in named if one not in self.kinds),
        ]

    @property
    def operators(self) -> list[Choice]:
        return choices()

    @property
    def all_items(self) -> list[ConditionRow | GroupBox]:
        """Every condition and group, each of which has a place for an error."""
        return list(_walk(self.root))

    @property
    def counts_at_once(self) -> bool:
        """Whether there is something to count before anybody types."""
        return any(row.is_complete for row in self.rows())

    @property
    def incomplete(self) -> int:
        """Rows begun, but not far enough to be counted with."""
        return sum(1 for row in self.rows() if not row.is_blank and not row.is_complete)

    @property
    def is_refused(self) -> bool:
        return any(item.error for item in self.all_items)

    def items(self, *, complete: bool = False) -> list[dict[str, Any]]:
        """The filters as JSON, without rows left wholly empty; only ``complete`` ones for a count."""
        self._at.clear()
        if self.root.joiner == "and":
            return self._items(self.root, "filters", complete)
        items = self._items(self.root, "filters[0].or", complete)
        self._at["filters[0]"] = self.root
        return [{"or": items}] if items else []

    def put_error(self, path: str, text: str) -> None:
        """At the row or group of ``items()`` that an error's path (``filters[0].or[1].value``) names."""
        for place in sorted(self._at, key=len, reverse=True):
            if path.startswith(place):
                item = self._at[place]
                item.error = text
                if isinstance(item, ConditionRow):
                    part = re.match(r"\.(\w+)", path[len(place) :])
                    item.wrong = part[1] if part else "value"
                return
        self.root.error = text

    def _items(self, box: GroupBox, path: str, complete: bool) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        for one in box.items:
            place = f"{path}[{len(items)}]"
            if isinstance(one, GroupBox):
                inner = self._items(one, f"{place}.{one.joiner}", complete)
                if not inner:
                    continue
                items.append({one.joiner: inner})
            elif one.is_blank or (complete and not one.is_complete):
                continue
            else:
                items.append(one.as_item(self.kinds))
            self._at[place] = one
        return items

    def _hear(self, action: str, path: str) -> None:
        boxes = {box.path: box for box in self.boxes()}
        if action == "add-filter" and path in boxes:
            self.focus = self._add(boxes[path], ConditionRow(""))
        elif action == "add-filter-group" and path in boxes and boxes[path].may_nest:
            opposite = "and" if boxes[path].joiner == "or" else "or"
            self._add(boxes[path], GroupBox("", opposite, [ConditionRow("")]))
            self.focus = f"{boxes[path].items[-1].path}-0"
        elif action == "remove-filter":
            for box in boxes.values():
                box.items = [item for item in box.items if item.path != path]
            _renumber(self.root)
            # Where the next one does not move up, the focus goes to the button that adds.
            self.focus = "add"

    def _add(self, box: GroupBox, item: ConditionRow | GroupBox) -> str:
        box.items.append(item)
        _renumber(self.root)
        return item.path


def _content(item: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    joiner = "and" if "and" in item else "or"
    return item[joiner], joiner


def _places(path: str, items: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(f"{path}-{number}", item) for number, item in enumerate(items)]


def _walk(box: GroupBox) -> Iterator[ConditionRow | GroupBox]:
    yield box
    for item in box.items:
        if isinstance(item, GroupBox):
            yield from _walk(item)
        else:
            yield item


def _renumber(box: GroupBox) -> None:
    for place, item in _places(box.path, box.items):
        item.path = place
        if isinstance(item, GroupBox):
            _renumber(item)


def _read_group(path: str, fields: dict[str, dict[str, str]]) -> GroupBox:
    joiner = fields.get(path, {}).get("join", "and")
    box = GroupBox(path, joiner if joiner in {"and", "or"} else "and")
    if box.depth > MAX_DEPTH:
        return box
    inside = [
        one for one in fields if one.startswith(f"{path}-") and "-" not in one[len(path) + 1 :]
    ]
    for place in sorted(inside, key=lambda one: int(one.rpartition("-")[2])):
        given = fields[place]
        if "join" in given:
            box.items.append(_read_group(place, fields))
            continue
        names = ("column", "op", "value", "high", "was")
        texts = {name: given[name] for name in names if name in given}
        box.items.append(ConditionRow(place, **texts))
    _renumber(box)
    return box


def _number(path: str) -> str:
    return ".".join(str(int(part) + 1) for part in path.split("-")[1:])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _native(text: str, kind: Kind | None) -> Any:
    """The text as JSON would write it: whole numbers and truth as such."""
    if kind is Kind.WHOLE and re.fullmatch(r"-?(0|[1-9]\d{0,14})", text):
        return int(text)
    if kind is Kind.BOOLEAN and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return text
