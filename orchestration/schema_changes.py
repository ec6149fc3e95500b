"""How the tables of a pipeline have changed their shape, as its runs reported it."""

from dataclasses import dataclass
from datetime import datetime

from orchestration.models import RunStepResult
from pipelines.models import Pipeline


@dataclass(frozen=True)
class TableChange:
    """One change of one table, and what was done about it."""

    run: int
    at: datetime | None
    #: The table in the destination.
    table: str
    resource: str
    #: ``table_added``, ``column_added``, ``column_removed`` or ``type_changed``.
    change: str
    column: str
    before: str
    after: str
    #: ``evolved``, ``widened``, ``kept``, ``left out``, ``rejected rows``, ``set to NULL`` or ``refused``.
    treatment: str


def schema_changes(pipeline: Pipeline, limit: int = 100) -> list[TableChange]:
    """The newest first, at most ``limit``."""
    rows = RunStepResult.objects.for_organization(pipeline.organization).filter(
        step__pipeline=pipeline, kind="table", details__has_key="schema_changes"
    )
    # Each row that is left has one change at least, so this many are enough.
    rows = rows.exclude(details__schema_changes=[]).select_related("step__run")
    changes = [change for row in rows.order_by("-pk")[:limit] for change in _of(row)]
    return changes[:limit]


def _of(row: RunStepResult) -> list[TableChange]:
    return [
        TableChange(
            run=row.step.run.number,
            at=row.finished_at,
            table=row.target,
            resource=row.name,
            change=str(item.get("change") or ""),
            column=str(item.get("column") or ""),
            before=str(item.get("before") or ""),
            after=str(item.get("after") or ""),
            treatment=str(item.get("treatment") or ""),
        )
        for item in row.details["schema_changes"]
    ]
