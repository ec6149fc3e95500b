"""Every row is accounted for: read = loaded + filtered + rejected + deduplicated, or the run fails. Pure."""

from dataclasses import dataclass, field
from typing import Any

from pipelines.engine.errors import CountMismatch
from pipelines.engine.lanes import Refused
from pipelines.engine.model import LOAD_ID_COLUMN, Committed, Resource, TablePlan


@dataclass
class Outcome:
    """What came of one table."""

    plan: TablePlan
    resource: Resource
    committed: Committed
    started_at: str
    seconds: float = 0.0
    #: Of these, until the last row was at the destination.
    reading_seconds: float = 0.0
    lane: str = ""
    bytes: int = 0
    #: Non-NULL values of the columns that were converted.
    values: dict[str, int] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    #: Values the contract set to NULL, by column.
    emptied: dict[str, int] = field(default_factory=dict)
    verification: dict[str, Any] | None = None

    @property
    def counters(self) -> dict[str, int]:
        done = self.committed
        return {
            "rows_read": done.rows_read,
            "rows_filtered": done.rows_filtered,
            "rows_rejected": done.rows_rejected,
            "rows_deduplicated": done.rows_deduplicated,
            "rows_loaded": done.rows_loaded,
        }

    def check(self) -> None:
        """Raises ``CountMismatch`` when the counts do not add up."""
        done = self.committed
        parts = done.rows_loaded + done.rows_filtered + done.rows_rejected + done.rows_deduplicated
        if done.rows_read != parts:
            raise CountMismatch(
                f"{self.plan.resource}: the counts do not agree: {done.rows_read:,} read, "
                f"{done.rows_filtered:,} filtered, {done.rows_rejected:,} rejected, "
                f"{done.rows_deduplicated:,} deduplicated, {done.rows_loaded:,} loaded."
            )


def succeeded(outcome: Outcome, finished_at: str, message: str) -> dict[str, Any]:
    """The ``result`` event of a table that was loaded."""
    plan, cursor = outcome.plan, outcome.plan.cursor
    return {
        "name": plan.name,
        "target": plan.target,
        "status": "succeeded",
        **outcome.counters,
        "started_at": outcome.started_at,
        "finished_at": finished_at,
        "message": message,
        "columns": [
            *({"name": column.name, "type": column.type} for column in plan.kept),
            {"name": LOAD_ID_COLUMN, "type": "text"},
        ],
        "cursor": {
            "column": cursor.column,
            "before": cursor.before,
            "after": outcome.committed.cursor_after,
            "edit": cursor.edit,
        }
        if cursor
        else None,
        "conversions": _conversions(outcome),
        "schema_changes": [change.as_json() for change in plan.changes],
        "rejects": [refused.as_json() for refused in outcome.refused],
        "verification": outcome.verification,
        "lane": outcome.lane,
        "bytes": outcome.bytes or None,
        "seconds": {
            "read": round(outcome.reading_seconds, 3),
            "commit": round(outcome.seconds - outcome.reading_seconds, 3),
        },
    }


def _conversions(outcome: Outcome) -> list[dict[str, Any]]:
    found = [
        {"column": column.name, "text": column.note, "count": outcome.values.get(column.name)}
        for column in outcome.plan.kept
        if column.note
    ]
    found += [
        {"column": name, "text": "set to NULL by the schema contract", "count": count}
        for name, count in outcome.emptied.items()
        if count
    ]
    return found


def failed(resource: Resource, message: str, started_at: str, finished_at: str) -> dict[str, Any]:
    """The ``result`` event of a table of which nothing was kept."""
    return _empty(resource, "failed", message, started_at) | {"finished_at": finished_at}


def left_out(resource: Resource, started_at: str) -> dict[str, Any]:
    """The ``result`` event of a new table that the contract does not want."""
    change = {
        "change": "table_added",
        "column": "",
        "before": "",
        "after": "",
        "treatment": "left out",
    }
    message = "Left out: the schema contract wants no new table."
    return _empty(resource, "succeeded", message, started_at) | {"schema_changes": [change]}


def _empty(resource: Resource, status: str, message: str, started_at: str) -> dict[str, Any]:
    counters = ("rows_read", "rows_filtered", "rows_rejected", "rows_deduplicated", "rows_loaded")
    return {
        "name": resource.name,
        "target": resource.target,
        "status": status,
        "message": message,
        **dict.fromkeys(counters, 0),
        "started_at": started_at,
        "finished_at": started_at,
        "columns": [],
        "cursor": None,
        "conversions": [],
        "schema_changes": [],
        "rejects": [],
        "verification": None,
    }
