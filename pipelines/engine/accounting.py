"""Every row is accounted for: read = loaded + filtered + rejected + deduplicated, or the run fails. Pure."""

from typing import Any

from pipelines.engine.errors import CountMismatch
from pipelines.engine.model import LOAD_ID_COLUMN, Committed, TablePlan


def account(
    plan: TablePlan, rows_read: int, rows_kept: int, committed: Committed
) -> dict[str, int]:
    """The counters of a ``result``. Raises ``CountMismatch`` when they do not add up."""
    counters = {
        "rows_read": rows_read,
        "rows_filtered": rows_read - rows_kept,
        # A row that cannot be loaded fails the run; none is ever put aside.
        "rows_rejected": 0,
        "rows_deduplicated": committed.rows_deduplicated,
        "rows_loaded": committed.rows_loaded,
    }
    if rows_kept != committed.rows_loaded + committed.rows_deduplicated or rows_kept > rows_read:
        raise CountMismatch(
            f"{plan.resource}: the counts do not agree: {rows_read:,} read, {rows_read - rows_kept:,} filtered, "
            f"{committed.rows_deduplicated:,} deduplicated, {committed.rows_loaded:,} loaded."
        )
    return counters


def result(
    plan: TablePlan,
    name: str,
    counters: dict[str, int],
    *,
    started_at: str,
    finished_at: str,
    cursor_after: str | None,
    message: str = "",
) -> dict[str, Any]:
    """The ``result`` event of a table that was loaded."""
    cursor = plan.cursor
    return {
        "name": name,
        "target": plan.target,
        "status": "succeeded",
        **counters,
        "started_at": started_at,
        "finished_at": finished_at,
        "message": message,
        "columns": [
            *({"name": column.name, "type": column.type} for column in plan.columns),
            {"name": LOAD_ID_COLUMN, "type": "text"},
        ],
        "cursor": {"column": cursor.column, "before": cursor.before, "after": cursor_after}
        if cursor
        else None,
        "conversions": list(plan.conversions),
    }
