"""How a replace is noted on servers whose RENAME TABLE cannot share a transaction with the ledger.

The ledger row is written before the rename, under the name of the stage. After it the stage is gone, and that tells
the note of a load that happened from the note of one that did not.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.engine.destinations.base import LEDGER, STAGE_PREFIX, Order
from pipelines.engine.model import Committed, Known, TablePlan

if TYPE_CHECKING:
    from pipelines.engine.destinations.mysql_statements import MySqlStatements


@dataclass(frozen=True)
class Note:
    """Of a replace that was renamed into place but is not in the ledger under its own name."""

    stage: str
    target: str
    load_id: str
    resource: str
    known: Known


def write(destination: "MySqlStatements", order: Order, done: Committed) -> None:
    """Within the caller's transaction, before the rename."""
    row = order.ledger_row(destination.pipeline_name, done)
    row["table_name"] = destination.stage_name(order.plan)
    row["columns"] = json.dumps({"target": order.plan.target, "columns": row["columns"]})
    shown = ", ".join(destination.shown(value) for value in row.values())
    destination.run(
        f"INSERT INTO {destination.table(LEDGER)} ({', '.join(row)}, committed_at)"
        f" VALUES ({shown}, {destination.now()})"
    )


def forget(destination: "MySqlStatements", plan: TablePlan) -> None:
    """Of a load that did not happen. Before its stage is dropped, or it would seem to have happened."""
    stage = destination.text(destination.stage_name(plan))
    destination.run(f"DELETE FROM {destination.table(LEDGER)} WHERE table_name = {stage}")


def left(destination: "MySqlStatements") -> list[Note]:
    """The notes of replaces that happened."""
    rows = destination.query(
        "SELECT table_name, load_id, resource, cursor_column, cursor_value, cursor_edit, columns, committed_at"
        f" FROM {destination.table(LEDGER)} WHERE pipeline_name = {destination.text(destination.pipeline_name)}"
        f" AND LEFT(table_name, {len(STAGE_PREFIX)}) = {destination.text(STAGE_PREFIX)}"
    )
    staged = destination.names_like(STAGE_PREFIX) if rows else set()
    return [_note(row) for row in rows if row[0] not in staged]


def _note(row: tuple[Any, ...]) -> Note:
    kept = json.loads(row[6])
    known = Known(row[3], row[4], int(row[5] or 0), tuple(kept["columns"]), str(row[7]))
    return Note(row[0], kept["target"], row[1], row[2], known)


def settle(destination: "MySqlStatements", note: Note) -> None:
    """Give the ledger row its own name, within the caller's transaction."""
    columns = destination.text(json.dumps(note.known.columns))
    destination.run(
        f"UPDATE {destination.table(LEDGER)} SET table_name = {destination.text(note.target)}, columns = {columns}"
        f" WHERE load_id = {destination.text(note.load_id)} AND table_name = {destination.text(note.stage)}"
    )
