"""The schema contract: what becomes of a column the destination does not know, or knows with another type. Pure."""

from dataclasses import dataclass, replace

from common.errors import UserError
from pipelines.engine.errors import SchemaFrozen, TableLeftOut
from pipelines.engine.model import (
    LOAD_ID_COLUMN,
    VALID_FROM,
    VALID_TO,
    ColumnPlan,
    Disposition,
    ExistingTable,
    Known,
    Resource,
    SchemaChange,
)
from pipelines.engine.shores import Shore
from pipelines.engine.sqltext import filled
from pipelines.engine.types import hub
from pipelines.engine.types.to_postgres import is_catalogue_type

_OURS = frozenset({LOAD_ID_COLUMN, VALID_FROM, VALID_TO})


@dataclass(frozen=True)
class Agreed:
    """The columns as they will be written, and what was found on the way."""

    columns: tuple[ColumnPlan, ...]
    changes: tuple[SchemaChange, ...] = ()
    #: Columns of the destination that need a wider type first.
    widened: tuple[tuple[str, str], ...] = ()
    #: Each row has to be looked at.
    tolerant: bool = False


def apply(
    resource: Resource,
    columns: list[ColumnPlan],
    existing: ExistingTable | None,
    known: Known | None,
    write: Disposition,
    shore: Shore,
) -> Agreed:
    """The contract of the resource applied to its columns.

    Raises ``SchemaFrozen`` for a change it forbids, ``TableLeftOut`` for a new table it does not want.
    """
    if existing is None:
        return _new_table(resource, columns)
    # The destination's own spelling decides, where it does not tell cases apart.
    there = {_fold(name, shore): kind for name, kind in existing.columns.items()}
    before = {one["name"]: one.get("source_type", "") for one in known.columns} if known else {}
    judge = _Judge(resource, write, shore)
    kept: list[ColumnPlan] = []
    for column in columns:
        found = judge.column(
            column, there.get(_fold(column.name, shore)), before.get(column.name, "")
        )
        if found:
            kept.append(found)
    judge.removed(kept, columns, before)
    return Agreed(tuple(kept), tuple(judge.changes), tuple(judge.widened), judge.tolerant)


def _new_table(resource: Resource, columns: list[ColumnPlan]) -> Agreed:
    rule = resource.contract.tables
    if rule == "freeze":
        raise SchemaFrozen(
            f'The schema contract allows no new table, and "{resource.target}" is not there yet.',
            field=f"resources.{resource.name}.schema_contract",
            remedy="Set tables to evolve for the first load, or create the table yourself.",
        )
    if rule != "evolve":
        raise TableLeftOut(resource.label)
    return Agreed(
        tuple(columns),
        (SchemaChange("table_added", "", "", f"{len(columns)} columns", "evolved"),),
    )


def _fold(name: str, shore: Shore) -> str:
    return name.lower() if shore.folds_case else name


class _Judge:
    """Judges column after column; what it says stands in its lists."""

    def __init__(self, resource: Resource, write: Disposition, shore: Shore) -> None:
        self._resource, self._write, self._shore = resource, write, shore
        self.changes: list[SchemaChange] = []
        self.widened: list[tuple[str, str]] = []
        self.tolerant = False

    def column(
        self, column: ColumnPlan, there: str | None, source_before: str
    ) -> ColumnPlan | None:
        """The column as it is written; None when it is left out."""
        if there is None:
            return self._added(column)
        if there == column.type:
            self._note_source(column, source_before)
            return column
        if self._write == "replace" and self._resource.contract.data_type == "evolve":
            self._changed(column, there, column.type, "evolved")
            return column
        own = self._shore.hub_of(there)
        if own and hub.fits(column.hub, own):
            self._note_source(column, source_before)
            return self._adopt(column, there, own)
        if own == "DOUBLE" and hub.is_number(column.hub):
            return self._adopt(column, there, own, checked=True)
        return self._conflict(column, there, own)

    def removed(
        self, kept: list[ColumnPlan], planned: list[ColumnPlan], before: dict[str, str]
    ) -> None:
        """Columns the source had at the last load and has no more."""
        now = {column.name for column in (*kept, *planned)} | _OURS
        fate = "left out" if self._write == "replace" else "kept"
        for name in before:
            if name not in now:
                self.changes.append(SchemaChange("column_removed", name, before[name], "", fate))

    def _added(self, column: ColumnPlan) -> ColumnPlan | None:
        rule = self._resource.contract.columns
        if rule == "freeze":
            raise self._frozen(f'the new column "{column.name}"', "columns")
        treatment = {
            "evolve": "evolved",
            "discard_value": "left out",
            "discard_row": "rejected rows",
        }[rule]
        self.changes.append(SchemaChange("column_added", column.name, "", column.type, treatment))
        if rule == "discard_value":
            return None
        if rule == "discard_row":
            self.tolerant = True
            return replace(column, refuse=True, direct="")
        return column

    def _conflict(self, column: ColumnPlan, there: str, own: str) -> ColumnPlan:
        rule = self._resource.contract.data_type
        if rule == "freeze":
            raise self._frozen(
                f'the column "{column.name}" to become {column.type}; it is {there}', "data_type"
            )
        if rule == "evolve":
            kind = hub.wider(column.hub, own) if own else "VARCHAR"
            wide = self._shore.land(kind).type
            self.widened.append((column.name, wide))
            self._changed(column, there, wide, "widened")
            return self._adopt(column, wide, kind)
        self.tolerant = True
        nullify = rule == "discard_value"
        self._changed(column, there, column.type, "set to NULL" if nullify else "rejected rows")
        return replace(
            column,
            type=there,
            hub=own or "VARCHAR",
            parse="",
            nullify=nullify,
            direct="",
        )

    def _adopt(
        self, column: ColumnPlan, there: str, own: str, *, checked: bool = False
    ) -> ColumnPlan:
        """The destination's type, which takes every value; ``checked``: or the load is told."""
        if own == column.hub:
            return replace(column, type=there, direct=_cast_direct(column, there))
        physical = hub.physical(own)
        load = f"CAST({column.load} AS {physical})"
        parse = f"CAST({column.parse} AS {physical})" if column.parse else ""
        if checked:
            back = f"CAST({load} AS {hub.physical(column.hub)})"
            load = f"CASE WHEN {back} = {column.load} OR {column.load} IS NULL THEN {load} ELSE error('inexact') END"
            parse = f"TRY({filled(load, f'TRY_CAST({{c}} AS {hub.physical(column.hub)})')})"
        return replace(
            column,
            type=there,
            hub=own,
            load=load,
            parse=parse,
            direct="" if checked else _cast_direct(column, there),
        )

    def _note_source(self, column: ColumnPlan, before: str) -> None:
        if before and before != column.source_type:
            self.changes.append(
                SchemaChange("type_changed", column.name, before, column.source_type, "kept")
            )

    def _changed(self, column: ColumnPlan, before: str, after: str, treatment: str) -> None:
        self.changes.append(SchemaChange("type_changed", column.name, before, after, treatment))

    def _frozen(self, what: str, part: str) -> UserError:
        return SchemaFrozen(
            f"{self._resource.label}: the schema contract does not allow {what}.",
            field=f"resources.{self._resource.name}.schema_contract",
            remedy=f"Set {part} to evolve, leave the column out, or change the source back.",
        )


def _cast_direct(column: ColumnPlan, there: str) -> str:
    """For PostgreSQL into PostgreSQL: the source casts, as long as both know the type."""
    if not column.direct or not is_catalogue_type(there):
        return ""
    return f"({column.direct})::{there}"
