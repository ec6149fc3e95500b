"""Where the cursors of a pipeline stand, as a page says it: who moved them, and what the next run reads."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from audit.actions import AuditAction
from audit.models import AuditEvent
from common.errors import NotFound, UserError
from connections import runner as sources
from connections.connectors.filters import check_types
from connections.models import DatasetTable
from pipelines.cursors import CursorState, list_cursors
from pipelines.definition import ResourceDefinition
from pipelines.described import definition_of
from pipelines.errors import InvalidPipeline
from pipelines.history import CursorMove, history
from pipelines.models import Mode, Pipeline, WriteDisposition
from pipelines.wording import is_incremental


@dataclass(frozen=True)
class StateRow:
    """One resource with a cursor."""

    position: int
    resource: ResourceDefinition
    #: None: the next run begins with everything, or with the first value of the settings.
    value: str | None
    #: What a change has to start from, so that a run in between is noticed.
    expected: str
    #: Set by a person, and no run has begun there yet.
    is_pending: bool = False
    run: int | None = None
    person: str = ""
    at: datetime | None = None

    @property
    def appends(self) -> bool:
        return self.resource.write_disposition is WriteDisposition.APPEND

    @property
    def reads(self) -> str:
        return reads_words(self.resource, self.value)


def reads_words(resource: ResourceDefinition, value: str | None) -> str:
    """What the next run reads when the cursor stands there."""
    words = {
        "column": resource.cursor_column,
        "value": value,
        "initial": resource.cursor_initial,
        "lookback": resource.cursor_lookback,
    }
    if value is None and resource.cursor_initial:
        return _("Rows whose %(column)s is %(initial)s or higher") % words
    if value is None:
        return _("Every row")
    if resource.cursor_lookback:
        return (
            _("Rows whose %(column)s is higher than %(value)s, and %(lookback)s before it") % words
        )
    # A merge takes the last value again: rows with the same one may have come since.
    if resource.write_disposition is WriteDisposition.MERGE:
        return _("Rows whose %(column)s is %(value)s or higher") % words
    return _("Rows whose %(column)s is higher than %(value)s") % words


def known_state(pipeline: Pipeline) -> list[StateRow]:
    """As the last run and the last person left it; asks nobody outside."""
    people, runs = _set_by(pipeline), history().cursors(pipeline)
    rows = []
    for position, resource in _with_cursor(pipeline):
        entry = pipeline.cursors.get(resource.name) or {}
        value = entry.get("value") if entry.get("column") == resource.cursor_column else None
        row = StateRow(position, resource, value, expected=value or "")
        key = f"{resource.name}.{resource.cursor_column}"
        rows.append(_known(row, key, people.get(key), runs.get(resource.name)))
    return rows


def _known(row: StateRow, key: str, event: AuditEvent | None, move: CursorMove | None) -> StateRow:
    """With who brought the cursor where it stands: a person, as long as no run has moved it on."""
    if event and event.changes[key][1] == row.value:
        used = move is not None and move.seen_at is not None and move.seen_at > event.at
        return replace(row, person=event.actor_label, at=event.at, is_pending=not used)
    if move and row.value == move.value:
        return replace(row, run=move.run, at=move.at)
    return row


def asked_state(pipeline: Pipeline) -> list[StateRow]:
    """As the destination has it. Raises ``UserError`` when it is silent."""
    found = {one.resource: one for one in list_cursors(pipeline)}
    return [_asked(row, found.get(row.resource.name)) for row in known_state(pipeline)]


def _asked(row: StateRow, state: CursorState | None) -> StateRow:
    if state is None:
        return row
    at, run = row.at, row.run
    if not state.is_pending and state.value != row.value:
        # A run that ended without its report: only the destination knows of it.
        at, run = parse_datetime(state.committed_at or ""), None
    person = row.person if state.value == row.value else ""
    return replace(
        row, value=state.value, is_pending=state.is_pending, at=at, run=run, person=person
    )


def find_row(pipeline: Pipeline, position: int) -> StateRow:
    """Of the table at this place; ``NotFound`` when it has no cursor."""
    for row in known_state(pipeline):
        if row.position == position:
            return row
    raise NotFound(
        "This table has no cursor.", remedy="Give it one in its settings, then it can be moved."
    )


def _with_cursor(pipeline: Pipeline) -> Iterable[tuple[int, ResourceDefinition]]:
    definition = definition_of(pipeline)
    for position, one in enumerate(definition.resources):
        filled = definition.filled(one)
        if one.is_selected and is_incremental(filled.write_disposition, filled.cursor_column):
            yield position, filled


def _set_by(pipeline: Pipeline) -> dict[str, AuditEvent]:
    """The last time a person set each cursor, by ``resource.column``."""
    events = AuditEvent.objects.for_organization(pipeline.organization).filter(
        action=AuditAction.PIPELINE_CURSOR_SET,
        target_type="pipeline",
        target_id=str(pipeline.pk),
    )
    found: dict[str, AuditEvent] = {}
    for event in events.order_by("pk"):
        found |= dict.fromkeys(event.changes, event)
    return found


# --- values that people give -----------------------------------------------------------------------


def check_value(
    pipeline: Pipeline,
    resource: ResourceDefinition,
    value: str,
    *,
    like: str | None = None,
    field: str = "value",
) -> bool:
    """``InvalidPipeline`` for a value that the cursor's column cannot hold; False when nobody could say.

    ``like`` is a value the column has: text that is a date there takes no other text.
    """
    if like and not _is_alike(value, like):
        raise InvalidPipeline(
            f"“{value[:100]}” does not look like a value of {resource.cursor_column}.",
            field=field,
            remedy=f"Give one such as {like[:100]}.",
        )
    column, connector = _column(pipeline, resource)
    if column is None:
        return False
    condition = {"column": column["name"], "op": "gte", "value": value}
    try:
        check_types([condition], [column], connector)
    except UserError as error:
        raise InvalidPipeline(
            f"“{value[:100]}” is no value of {resource.cursor_column} ({column['type']}).",
            field=field,
            remedy=error.remedy,
        ) from error
    return True


def _is_alike(value: str, like: str) -> bool:
    readers: tuple[Callable[[str], object], ...] = (Decimal, datetime.fromisoformat)
    for read in readers:
        if _reads(read, like):
            return _reads(read, value)
    return True


def _reads(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except (ValueError, InvalidOperation):
        return False
    return True


def _column(pipeline: Pipeline, resource: ResourceDefinition) -> tuple[dict[str, Any] | None, str]:
    """The cursor's column as the destination or else the source declares it, and whose words its type is in."""
    settings = resource.column_settings.get(resource.cursor_column) or {}
    wanted = (settings.get("rename") or resource.cursor_column).lower()
    tables = DatasetTable.objects.for_organization(pipeline.organization)
    table = tables.filter(
        connection=pipeline.destination, schema=pipeline.dataset, name=resource.target
    ).first()
    if table and not settings.get("transform"):
        for column in table.columns:
            if column["name"].lower() == wanted:
                return column, pipeline.destination.connector
    return _described(pipeline, resource), pipeline.source.connector


def _described(pipeline: Pipeline, resource: ResourceDefinition) -> dict[str, Any] | None:
    if pipeline.mode == Mode.QUERY:
        return None  # The columns of a query are known when it has run.
    try:
        found = sources.describe(
            pipeline.source, schema=pipeline.source_schema, table=resource.name
        )
    except UserError:
        return None
    columns: list[dict[str, Any]] = found["columns"]
    return next((one for one in columns if one["name"] == resource.cursor_column), None)
