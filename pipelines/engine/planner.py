"""One plan a table: what is selected, how each column travels, what is written.

Pure; every refusal happens here, before anything is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.filters import where as filter_where
from connections.connectors.sql import Dialect
from pipelines.engine import contracts
from pipelines.engine.cursors import plan_cursor
from pipelines.engine.errors import BadFilter, MissingColumn, MissingKey, near
from pipelines.engine.model import (
    LOAD_ID_COLUMN,
    VALID_FROM,
    VALID_TO,
    ColumnPlan,
    Disposition,
    ExistingTable,
    Known,
    Mapping,
    Resource,
    SourceColumn,
    SourceTable,
    TablePlan,
)
from pipelines.engine.shores import Shore
from pipelines.engine.sqltext import filled, ident
from pipelines.engine.types import from_duckdb, from_mysql, from_postgres
from pipelines.engine.types.to_postgres import same_type

_TO_HUB: dict[Dialect, Callable[[str], Mapping]] = {
    Dialect.POSTGRES: from_postgres.to_hub,
    Dialect.MYSQL: from_mysql.to_hub,
    Dialect.DUCKDB: from_duckdb.to_hub,
}
_TEXT = {Dialect.POSTGRES: "text", Dialect.MYSQL: "longtext", Dialect.DUCKDB: "VARCHAR"}
_OURS = (LOAD_ID_COLUMN, VALID_FROM, VALID_TO)


@dataclass(frozen=True)
class Circumstances:
    """What is known besides the resource and its table."""

    existing: ExistingTable | None = None
    known: Known | None = None
    #: The cursor as a person set it.
    edited: dict[str, Any] | None = None
    full_refresh: bool = False
    only: tuple[str, str] | None = None
    replay: bool = False
    #: Source columns that are taken as text, whatever they are declared as.
    as_text: frozenset[str] = frozenset()


def plan_table(
    resource: Resource,
    table: SourceTable,
    given: Circumstances,
    *,
    dialect: Dialect,
    shore: Shore,
    own_kind: bool,
) -> TablePlan:
    """The plan of one table. ``own_kind``: source and destination are both PostgreSQL.

    Raises ``UserError`` naming resource and field for what does not fit.
    """
    existing = given.existing
    selected = [
        replace(column, type=_TEXT[dialect]) if column.name in given.as_text else column
        for column in _selected(resource, table)
    ]
    write = _write(resource, existing, given)
    cursor = plan_cursor(
        resource,
        table,
        given.known,
        given.edited,
        restart=given.full_refresh or existing is None,
        only=given.only,
        dialect=dialect,
    )
    renames = dict(resource.renames)
    _check_settings(resource, [column.name for column in selected])
    columns = _columns(resource, selected, dialect, shore, own_kind=own_kind)
    _check_names(resource, columns, shore)
    found = contracts.apply(resource, columns, existing, given.known, write, shore)
    key = _key(resource, table, selected)
    order = renames.get(resource.cursor_column or "", resource.cursor_column)
    where = _filters(resource, table, dialect)
    return TablePlan(
        resource=resource.label,
        name=resource.name,
        target=resource.target,
        disposition=resource.disposition,
        strategy=resource.strategy,
        write=write,
        columns=tuple(
            replace(column, holds=shore.land(column.hub).holds) for column in found.columns
        ),
        relation=table.relation,
        primary_key=tuple(renames.get(name, name) for name in key),
        # Refused rows hold every version of a key that was refused.
        key_is_unique=bool(table.primary_key)
        and set(table.primary_key) <= set(key)
        and not given.replay,
        cursor=cursor,
        order_column=order if any(column.name == order for column in found.columns) else None,
        row_order=resource.row_order,
        where=where,
        contract=resource.contract,
        widened=found.widened,
        changes=found.changes,
        rows_estimate=table.rows,
        is_partial=cursor is not None or bool(where),
        tolerant=found.tolerant or given.replay,
        is_there=existing is not None,
        is_ours=existing is None or LOAD_ID_COLUMN in existing.columns,
        replay=given.replay,
    )


def _selected(resource: Resource, table: SourceTable) -> list[SourceColumn]:
    names = [column.name for column in table.columns]
    if resource.columns is None:
        return list(table.columns)
    for name in resource.columns:
        if name not in names:
            raise no_column(resource, "columns", name, names)
    return [column for column in table.columns if column.name in resource.columns]


def no_column(resource: Resource, field: str, name: str, names: list[str]) -> UserError:
    """The resource names a column in ``field`` that its table does not have."""
    return MissingColumn(
        f'{resource.label} has no column "{name}", named in {field}.',
        field=f"resources.{resource.name}.{field}",
        remedy=near(name, names),
    )


def _check_settings(resource: Resource, names: list[str]) -> None:
    for name, _ in (*resource.renames, *resource.transforms):
        if name not in names:
            raise no_column(resource, "column_settings", name, names)


def _check_names(resource: Resource, columns: list[ColumnPlan], shore: Shore) -> None:
    names = [column.name for column in columns]
    if not names:
        raise UserError(
            f"{resource.label} has no columns to load.", field=f"resources.{resource.name}.columns"
        )
    for name in (resource.target, *names):
        if shore.max_name and len(name.encode()) > shore.max_name:
            raise UserError(
                f'The name "{name}" is longer than the {shore.max_name} bytes the destination allows.',
                field=f"resources.{resource.name}",
                remedy="Give it a shorter name in the column settings.",
            )
    seen: dict[str, str] = {}
    for column in columns:
        folded = column.name.lower() if shore.folds_case else column.name
        if other := seen.get(folded):
            raise UserError(
                f'{resource.label} has the columns "{other}" and "{column.source}"; '
                "the destination takes them for one.",
                field=f"resources.{resource.name}.columns",
                remedy="Choose one of them, or rename one in the column settings.",
            )
        seen[folded] = column.source


def _write(resource: Resource, existing: ExistingTable | None, given: Circumstances) -> Disposition:
    """The first load of a table is written beside it and put in place, whatever comes later."""
    if given.replay:
        return "append" if resource.disposition == "replace" else resource.disposition
    if given.only:
        return resource.disposition
    scd2 = resource.disposition == "merge" and resource.strategy == "scd2"
    if (given.full_refresh or existing is None) and not scd2:
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
            raise no_column(resource, "primary_key", name, names)
    return key


def _columns(
    resource: Resource,
    selected: list[SourceColumn],
    dialect: Dialect,
    shore: Shore,
    *,
    own_kind: bool,
) -> list[ColumnPlan]:
    renames, transforms = dict(resource.renames), dict(resource.transforms)
    columns = []
    for column in selected:
        if column.name in _OURS:
            continue
        transform = transforms.get(column.name, "")
        plan = _column(column, renames.get(column.name, column.name), transform, dialect, shore)
        columns.append(_direct(plan, column) if own_kind and not transform else plan)
    return columns


def _column(
    column: SourceColumn, name: str, transform: str, dialect: Dialect, shore: Shore
) -> ColumnPlan:
    found = _TO_HUB[dialect](column.type)
    value = column.expression or ident(column.name, dialect)
    raw = column.raw or filled(found.raw, value)
    if transform:
        found = Mapping("VARCHAR", load=transformed(transform), parse=transformed(transform))
    read = raw if transform else filled(found.read, value)
    landing = shore.land(found.type)
    notes = [_transform_note(transform)] if transform else [column.note, found.note, landing.note]
    return ColumnPlan(
        source=column.name,
        name=name,
        read=read,
        raw=raw,
        hub=found.type,
        load=found.load,
        parse=found.parse,
        type=landing.type,
        write=landing.write,
        guard=filled(found.guard, value) if found.guard else "",
        note="; ".join(note for note in notes if note),
        source_type=column.type,
        protected=bool(transform),
    )


def _direct(plan: ColumnPlan, column: SourceColumn) -> ColumnPlan:
    """PostgreSQL into PostgreSQL: the type stays what it is, whatever the hub would make of it."""
    kind, template, note = same_type(column.type)
    value = column.expression or ident(column.name)
    if kind.endswith("[]"):
        # Where rows are judged they go through the hub, and a list there as PostgreSQL spells it.
        text = f"({value})::text"
        plan = replace(plan, hub="VARCHAR", read=text, raw=text, load="{c}", parse="")
    return replace(plan, type=kind, direct=filled(template, value), note=note)


#: Stands for the organization's key until the statement is made, so that no plan holds it.
HASH_KEY = "{hash_key}"


def transformed(transform: str) -> str:
    """The hub expression of a hashed or masked value; NULL stays NULL."""
    if transform == "hash":
        return f"sha256({HASH_KEY} || {{c}})"
    hidden = "repeat('*', length({c}))"
    shown = "repeat('*', length({c}) - 4) || right({c}, 4)"
    return f"CASE WHEN length({{c}}) <= 8 THEN {hidden} ELSE {shown} END"


def _transform_note(transform: str) -> str:
    return "hashed" if transform == "hash" else "masked"


def _named(items: Sequence[dict[str, Any]]) -> list[str]:
    """The columns of a filter tree."""
    names: list[str] = []
    for item in items:
        inner = item.get("and") or item.get("or")
        names += _named(inner) if inner else [str(item.get("column"))]
    return names


def _filters(resource: Resource, table: SourceTable, dialect: Dialect) -> str:
    expressions = {column.name: column.expression for column in table.columns}
    for name in _named(resource.filters):
        if name not in expressions:
            raise no_column(resource, "filters", name, list(expressions))
    try:
        found = filter_where(
            resource.filters,
            [Column(column.name, column.type) for column in table.columns],
            dialect,
            inline=True,
            expression=lambda column: expressions[column.name] or ident(column.name, dialect),
        )
    except UserError as error:
        raise BadFilter(
            f"{resource.label}: {error.message}",
            field=f"resources.{resource.name}.{error.field}",
            remedy=error.remedy,
        ) from error
    return found.condition
