"""Where the cursors of a pipeline stand, and setting one by hand."""

from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import Conflict, NotFound
from pipelines import runner
from pipelines.definition import ResourceDefinition
from pipelines.described import definition_of
from pipelines.errors import InvalidPipeline
from pipelines.models import Pipeline, WriteDisposition
from tenants.actors import Actor

_LONGEST_VALUE = 255


@dataclass(frozen=True)
class CursorState:
    """Where the next run of one resource begins."""

    resource: str
    column: str
    #: None: with everything, or with the first value of the settings.
    value: str | None
    #: How often a person has set it.
    edit: int
    #: A person set it, and no run has begun there yet.
    is_pending: bool = False
    #: The last value that was loaded, as the destination has it, and when.
    committed_value: str | None = None
    committed_at: str | None = None


def list_cursors(pipeline: Pipeline) -> list[CursorState]:
    """Of every resource with a cursor, in order. Asks the destination, and raises ``UserError`` when it is silent."""
    ledger = runner.read_state(pipeline)
    return [
        _merged(pipeline, resource, ledger.get(resource.name) or {})
        for resource in _with_cursor(pipeline)
    ]


def find_cursor(pipeline: Pipeline, resource: str) -> CursorState:
    """Of one resource; ``NotFound`` when it has none."""
    found = _resource(pipeline, resource)
    return _merged(pipeline, found, runner.read_state(pipeline).get(resource) or {})


@transaction.atomic
def set_cursor(
    *,
    pipeline: Pipeline,
    actor: Actor,
    resource: str,
    value: str | None,
    expected: str | EllipsisType | None = ...,
) -> CursorState:
    """Let the next run of the resource begin behind ``value``; None lets it begin anew.

    ``expected`` is the value the caller looked at; ``Conflict`` when a run or a person has moved it since.
    """
    actor.require(Permission.EDIT, on=pipeline)
    value = _checked(value)
    locked = Pipeline.objects.for_organization(pipeline.organization).select_for_update()
    row = locked.get(pk=pipeline.pk)
    found = _resource(row, resource)
    before = _entry(row, found).get("value")
    if expected is not ... and expected != before:
        raise Conflict(
            f"The cursor of {resource!r} was moved to {_word(before)} since you looked.",
            field="expected",
            remedy="Look again, then decide.",
        )
    # Counted on whatever column it stood: the engine compares this number with its ledger's.
    edit = int(row.cursors.get(resource, {}).get("edit") or 0) + 1
    row.cursors[resource] = {"column": found.cursor_column, "value": value, "edit": edit}
    row.save(update_fields=["cursors"])
    pipeline.cursors = row.cursors
    audit.record(
        organization=row.organization,
        actor=actor,
        action=AuditAction.PIPELINE_CURSOR_SET,
        target=row,
        changes={f"{resource}.{found.cursor_column}": [before, value]},
    )
    return CursorState(resource, found.cursor_column, value, edit, is_pending=True)


def _checked(value: str | None) -> str | None:
    if value is None:
        return None
    value = value.strip()
    if not value or len(value) > _LONGEST_VALUE:
        raise InvalidPipeline(
            f"A cursor's value has 1 to {_LONGEST_VALUE} characters.",
            field="value",
            remedy="Give a value of the cursor's column, or nothing at all to begin anew.",
        )
    return value


def _word(value: str | None) -> str:
    return "its beginning" if value is None else repr(value)


def _with_cursor(pipeline: Pipeline) -> list[ResourceDefinition]:
    definition = definition_of(pipeline)
    filled = [definition.filled(one) for one in definition.resources if one.is_selected]
    return [
        one
        for one in filled
        if one.cursor_column and one.write_disposition is not WriteDisposition.REPLACE
    ]


def _resource(pipeline: Pipeline, name: str) -> ResourceDefinition:
    found = _with_cursor(pipeline)
    for one in found:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in found)[:300]
    raise NotFound(
        f"{name!r} has no cursor in this pipeline.",
        field="resource",
        remedy=f"There are cursors of: {known}." if known else "Give a table a cursor first.",
    )


def _entry(pipeline: Pipeline, resource: ResourceDefinition) -> dict[str, Any]:
    entry: dict[str, Any] = pipeline.cursors.get(resource.name) or {}
    return entry if entry.get("column") == resource.cursor_column else {}


def _merged(
    pipeline: Pipeline, resource: ResourceDefinition, ledger: dict[str, Any]
) -> CursorState:
    """The person's value where it is the newer, else the ledger's, as the engine decides."""
    if ledger.get("column") != resource.cursor_column:
        ledger = {}
    entry = _entry(pipeline, resource)
    edit, committed = int(entry.get("edit") or 0), int(ledger.get("edit") or 0)
    stands = ledger if ledger and committed >= edit else entry
    return CursorState(
        resource=resource.name,
        column=resource.cursor_column,
        value=stands.get("value"),
        edit=max(edit, committed),
        is_pending=edit > committed,
        committed_value=ledger.get("value"),
        committed_at=ledger.get("committed_at"),
    )
