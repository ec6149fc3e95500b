"""One plan a table: what is selected, how each column travels, what is written.

Pure; every refusal happens here, before anything is written.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.sql import Dialect
from connections.connectors.sql import where as filter_where
from connections.connectors.values import coerce, type_family
from pipelines.engine import types
from pipelines.engine.errors import BadFilter, MissingColumn, MissingKey, TypeConflict, near
from pipelines.engine.model import (
    LOAD_ID_COLUMN,
    ColumnPlan,
    CursorPlan,
    Disposition,
    ExistingTable,
    Mapping,
    Resource,
    SourceColumn,
    SourceTable,
    TablePlan,
)
from pipelines.engine.sqltext import ident

#: PostgreSQL cuts longer names without asking.
MAX_NAME = {"postgres": 63}

_MAPPINGS: dict[tuple[Dialect, str], Callable[[str], Mapping]] = {
    (Dialect.POSTGRES, "postgres"): types.postgres_to_postgres,
    (Dialect.POSTGRES, "duckdb"): types.postgres_to_duckdb,
    (Dialect.DUCKDB, "postgres"): types.duckdb_to_postgres,
    (Dialect.DUCKDB, "duckdb"): types.duckdb_to_duckdb,
}


def parse_resource(
    value: dict[str, Any], default_schema: str, defaults: dict[str, Any] | None = None
) -> Resource:
    """A resource of the spec; what it leaves out comes from ``defaults``."""
    merged = {
        **(defaults or {}),
        **{key: item for key, item in value.items() if item is not None},
    }
    cursor = merged.get("cursor") or {}
    disposition: Any = merged.get("write_disposition") or "replace"
    if disposition not in ("append", "replace", "merge"):
        raise UserError(
            f'"{disposition}" is no write disposition.', remedy="Use append, replace or merge."
        )
    initial = cursor.get("initial")
    columns = merged.get("columns")
    return Resource(
        schema=merged.get("schema") or default_schema,
        name=merged["name"],
        target=merged.get("target") or merged["name"],
        disposition=disposition,
        primary_key=tuple(merged.get("primary_key") or ()),
        cursor_column=cursor.get("column") or None,
        cursor_initial=None if initial in (None, "") else initial,
        columns=tuple(columns) if columns else None,
        filters=tuple(merged.get("filters") or ()),
    )


def plan_table(
    resource: Resource,
    table: SourceTable,
    existing: ExistingTable | None,
    *,
    dialect: Dialect,
    destination: str,
    full_refresh: bool = False,
) -> TablePlan:
    """The plan of one table. ``existing`` is the target as it stands in the destination, None where it does not.

    Raises ``UserError`` naming resource and field for what does not fit.
    """
    selected = _selected(resource, table)
    _check_names(resource, [column.name for column in selected], destination)
    write = _write(resource, existing, full_refresh)
    key = _key(resource, table, selected)
    cursor = _cursor(resource, table, existing, write, full_refresh)
    mapping = _MAPPINGS[dialect, destination]
    columns, notes = _columns(selected, mapping)
    if existing and write != "replace":
        _check_existing(resource, columns, existing)
        columns = tuple(_adopt(column, existing) for column in columns)
    return TablePlan(
        resource=resource.label,
        target=resource.target,
        disposition=resource.disposition,
        write=write,
        columns=columns,
        relation=table.relation,
        primary_key=key,
        key_is_unique=bool(table.primary_key) and set(table.primary_key) <= set(key),
        cursor=cursor,
        where=_filters(resource, table, dialect),
        conversions=tuple(notes),
        rows_estimate=table.rows,
    )


def _selected(resource: Resource, table: SourceTable) -> list[SourceColumn]:
    names = [column.name for column in table.columns]
    if resource.columns is None:
        return list(table.columns)
    for name in resource.columns:
        if name not in names:
            raise _no_column(resource, "columns", name, names)
    return [column for column in table.columns if column.name in resource.columns]


def _no_column(resource: Resource, field: str, name: str, names: list[str]) -> UserError:
    return MissingColumn(
        f'{resource.label} has no column "{name}", named in {field}.',
        field=f"resources.{resource.name}.{field}",
        remedy=near(name, names),
    )


def _check_names(resource: Resource, names: list[str], destination: str) -> None:
    if not names:
        raise UserError(
            f"{resource.label} has no columns to load.", field=f"resources.{resource.name}.columns"
        )
    limit = MAX_NAME.get(destination)
    for name in (resource.target, *names):
        if limit and len(name.encode()) > limit:
            raise UserError(
                f'The name "{name}" is longer than the {limit} bytes PostgreSQL allows.',
                field=f"resources.{resource.name}",
            )
    if destination != "duckdb":
        return
    seen: dict[str, str] = {}
    for name in names:
        if other := seen.get(name.lower()):
            raise UserError(
                f'{resource.label} has the columns "{other}" and "{name}"; DuckDB takes them for one.',
                field=f"resources.{resource.name}.columns",
                remedy="Choose one of them.",
            )
        seen[name.lower()] = name


def _write(resource: Resource, existing: ExistingTable | None, full_refresh: bool) -> Disposition:
    if full_refresh or (resource.disposition == "merge" and existing is None):
        return "replace"
    return resource.disposition


def _key(resource: Resource, table: SourceTable, selected: list[SourceColumn]) -> tuple[str, ...]:
    if resource.disposition != "merge":
        return ()
    key = resource.primary_key or table.primary_key
    if not key:
        raise MissingKey(
            f"{resource.label} is merged but has no primary key.",
            field=f"resources.{resource.name}.primary_key",
            remedy="Name the columns that identify a row, or choose append or replace.",
        )
    names = [column.name for column in selected]
    for name in key:
        if name not in names:
            raise _no_column(resource, "primary_key", name, names)
    return key


def _cursor(
    resource: Resource,
    table: SourceTable,
    existing: ExistingTable | None,
    write: Disposition,
    full_refresh: bool,
) -> CursorPlan | None:
    # A replace reads everything each time, so a cursor has no say there.
    if resource.cursor_column is None or resource.disposition == "replace":
        return None
    names = [column.name for column in table.columns]
    column = table.column(resource.cursor_column)
    if column is None:
        raise _no_column(resource, "cursor", resource.cursor_column, names)
    state = None if full_refresh or existing is None else existing.cursor
    if state and state["column"] != column.name:
        if write == "append":
            raise UserError(
                f'The cursor of {resource.label} was "{state["column"]}" and is now "{column.name}".',
                field=f"resources.{resource.name}.cursor",
                remedy="Run a full refresh once, so that no row comes twice.",
            )
        state = None
    return CursorPlan(
        column=column.name,
        type=column.type,
        expression=column.expression or ident(column.name),
        before=state["value"] if state else None,
        initial=_initial(resource, column),
        inclusive=resource.disposition == "merge",
    )


def _initial(resource: Resource, column: SourceColumn) -> str | None:
    if resource.cursor_initial is None:
        return None
    typed = Column(column.name, column.type)
    try:
        return str(coerce(resource.cursor_initial, type_family(column.type), typed))
    except UserError as error:
        raise BadFilter(
            f'The start value "{resource.cursor_initial}" of {resource.label} does not fit its '
            f'cursor "{column.name}" ({column.type}).',
            field=f"resources.{resource.name}.cursor",
            remedy=error.remedy,
        ) from error


def _columns(
    selected: list[SourceColumn], mapping: Callable[[str], Mapping]
) -> tuple[tuple[ColumnPlan, ...], list[str]]:
    plans, notes = [], []
    for column in selected:
        if column.name == LOAD_ID_COLUMN:
            notes.append(f"{column.name}: the source's own, replaced by that of this load")
            continue
        found = mapping(column.type)
        read = found.read.replace("{c}", column.expression or ident(column.name))
        notes += [f"{column.name}: {note}" for note in (column.note, found.note) if note]
        plans.append(
            ColumnPlan(column.name, read, found.type, found.transport, found.load, found.dlt)
        )
    return tuple(plans), notes


def _check_existing(
    resource: Resource, columns: tuple[ColumnPlan, ...], existing: ExistingTable
) -> None:
    for column in columns:
        there = existing.columns.get(column.name)
        if there is not None and not types.fits(column.type, there):
            raise TypeConflict(
                f'The column "{column.name}" of {resource.label} is {column.type} now, but {there} '
                f"in {resource.target}.",
                field=f"resources.{resource.name}",
                remedy="Run a full refresh to write the table anew, or leave the column out.",
            )


def _adopt(column: ColumnPlan, existing: ExistingTable) -> ColumnPlan:
    """A wider column of the destination stays as wide."""
    return replace(column, type=existing.columns.get(column.name, column.type))


def _filters(resource: Resource, table: SourceTable, dialect: Dialect) -> str:
    names = [column.name for column in table.columns]
    for condition in resource.filters:
        if condition.get("column") not in names:
            raise _no_column(resource, "filters", str(condition.get("column")), names)
    expressions = {column.name: column.expression for column in table.columns}
    try:
        found = filter_where(
            resource.filters,
            [Column(column.name, column.type) for column in table.columns],
            dialect,
            inline=True,
            expression=lambda column: expressions[column.name] or ident(column.name),
        )
    except UserError as error:
        raise BadFilter(
            f"{resource.label}: {error.message}",
            field=f"resources.{resource.name}.filters",
            remedy=error.remedy,
        ) from error
    return found.condition
