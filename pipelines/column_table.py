"""The columns of a table's form: which are taken, which make the key, what they are called and how protected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from pipelines.models import Transform

#: Buttons of the page without script.
TAKE_ALL, TAKE_NONE = "columns-all", "columns-none"


@dataclass
class ColumnRow:
    """A column of the source in the form's table."""

    name: str
    type: str
    is_taken: bool
    is_key: bool
    rename: str = ""
    transform: str = ""
    #: Named in the settings, but the source has it no more.
    is_gone: bool = False
    error: str = ""
    #: What of it the error is about: ``rename`` or ``transform``.
    wrong: str = ""


class ColumnTable:
    """As stored, or as ``posted``.

    Fields are named by their column (``rename:total``); what was not sent stays as it is stored.
    """

    def __init__(
        self,
        columns: Sequence[Mapping[str, Any]],
        stored: Mapping[str, Any],
        posted: QueryDict | None,
    ) -> None:
        self._types = {str(one["name"]): str(one.get("type", "")) for one in columns}
        self._settings: Mapping[str, Mapping[str, str]] = stored.get("column_settings") or {}
        named = {*stored.get("columns", []), *stored.get("primary_key", []), *self._settings}
        named |= {stored.get("cursor_column", "")} - {""}
        gone = sorted(named - set(self._types))
        #: What the source has, then what the settings name and it has no more.
        self.names = [*self._types, *gone]
        self.rows = self._rows(stored, posted)

    @property
    def takes_all(self) -> bool:
        return all(row.is_taken for row in self.rows)

    @property
    def transforms(self) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in Transform.choices]

    @property
    def key(self) -> str:
        """The key as it is ticked, for the heading."""
        return ", ".join(row.name for row in self.rows if row.is_key)

    def ticked(self, posted: QueryDict, name: str) -> list[str]:
        """The boxes of ``columns`` or ``primary_key``; or what was typed while there were none."""
        values = [str(value) for value in posted.getlist(name)]
        if len(values) != 1 or values[0] in self.names:
            return values
        if not values[0].strip():
            return self.names if name == "columns" else []
        return [part.strip() for part in values[0].split(",") if part.strip()]

    def settings(self, columns: Sequence[str]) -> dict[str, dict[str, str]]:
        """Of the columns that are taken (all, where none are named): names and protection."""
        return {
            row.name: chosen
            for row in self.rows
            if (not columns or row.name in columns)
            and (chosen := _settings_of(row.rename, row.transform))
        }

    def put_error(self, path: str, text: str) -> bool:
        """At the column that ``column_settings.total.rename`` names; whether there is one."""
        place = path.removeprefix("column_settings.")
        if place == path:
            return False
        rows = {row.name: row for row in self.rows}
        name, _dot, part = place.rpartition(".")
        row = rows.get(place) or rows.get(name)
        if row is None:
            return False
        row.error, row.wrong = text, part if row.name == name else "rename"
        return True

    def _rows(self, stored: Mapping[str, Any], posted: QueryDict | None) -> list[ColumnRow]:
        if posted is None:
            ticked = stored.get("columns", [])
            taken = set(ticked or self.names)
            keys = set(stored.get("primary_key", []))
        else:
            everything = {TAKE_ALL: self.names, TAKE_NONE: []}
            ticked = self.ticked(posted, "columns")
            taken = set(everything.get(posted.get("action", ""), ticked))
            keys = set(self.ticked(posted, "primary_key"))
        return [self._row(name, taken, keys, posted) for name in self.names]

    def _row(
        self, name: str, taken: set[str], keys: set[str], posted: QueryDict | None
    ) -> ColumnRow:
        values = self._settings.get(name, {})
        if posted is not None:
            values = {
                key: posted.get(f"{key}:{name}", values.get(key, ""))
                for key in ("rename", "transform")
            }
        return ColumnRow(
            name,
            self._types.get(name, ""),
            is_taken=name in taken,
            is_key=name in keys,
            rename=values.get("rename", ""),
            transform=values.get("transform", ""),
            is_gone=name not in self._types,
        )


def _settings_of(rename: str, transform: str) -> dict[str, str]:
    chosen = {"rename": rename.strip(), "transform": transform}
    return {key: value for key, value in chosen.items() if value}
