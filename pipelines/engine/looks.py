"""What a person asks before or after a load: estimates, cursors, refused rows."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from common.errors import UserError
from pipelines.engine.cursors import window
from pipelines.engine.destinations.base import REJECT_COLUMNS, Destination
from pipelines.engine.destinations.sql import SqlDestination
from pipelines.engine.ends import destination_of, reader_of
from pipelines.engine.model import Known, Resource, SourceTable
from pipelines.engine.planner import Circumstances, plan_table
from pipelines.engine.readers.base import Reader
from pipelines.engine.resources import chosen_resources
from pipelines.engine.session import Session
from pipelines.engine.sqltext import typed_literal, where

Look = Callable[[dict[str, Any], Session], dict[str, Any]]

#: Counting stops here; what is left over is answered with the systems' own estimates.
_SECONDS = 10.0
_MOST_ROWS = 200


def estimate(spec: dict[str, Any], session: Session) -> dict[str, Any]:
    """Rows at the source and in the target of each resource, and of a range that is to be loaded again."""
    destination = destination_of(spec, session)
    deadline = time.monotonic() + _SECONDS
    with reader_of(spec, session) as reader, destination.opened():
        whole = spec.get("mode") == "full_database"
        names = reader.tables(spec.get("source_schema") or "") if whole else []
        resources = chosen_resources(spec, names)
        found = reader.describe(resources)
        existing = destination.existing([resource.target for resource in resources])
        known = destination.known()
        answers = []
        for resource in resources:
            given = Circumstances(
                existing=existing.get(resource.target),
                known=known.get((resource.label, resource.target)),
                only=_bounds(spec),
            )
            table = found.get(resource.label)
            answers.append(
                _estimate(reader, destination, resource, table, given, deadline)
                if table
                else _unknown(resource)
            )
    return {"resources": answers}


def _bounds(spec: dict[str, Any]) -> tuple[str, str] | None:
    bounds = (spec.get("options") or {}).get("cursor_range")
    return (str(bounds["from"]), str(bounds["to"])) if bounds else None


def _unknown(resource: Resource) -> dict[str, Any]:
    counts = ("source_rows", "target_rows", "range_rows", "range_target_rows")
    return {
        "name": resource.name,
        "target": resource.target,
        "exact": False,
        **dict.fromkeys(counts),
    }


def _estimate(
    reader: Reader,
    destination: Destination,
    resource: Resource,
    table: SourceTable,
    given: Circumstances,
    deadline: float,
) -> dict[str, Any]:
    answer = _unknown(resource) | {"source_rows": table.rows}
    if time.monotonic() > deadline:
        return answer
    plan = plan_table(
        resource, table, given, dialect=reader.dialect, shore=destination, own_kind=False
    )
    count = f"SELECT count(*) FROM {plan.relation}"
    answer["source_rows"] = int(reader.value(count + where(plan.where)))
    answer["exact"] = True
    if given.existing is not None:
        target = destination.table(resource.target)
        answer["target_rows"] = int(destination.query(f"SELECT count(*) FROM {target}")[0][0])
    if plan.cursor and given.only:
        within = window(plan.cursor, reader.dialect)
        answer["range_rows"] = int(reader.value(count + where(within, plan.where)))
        if given.existing is not None and plan.order_column:
            answer["range_target_rows"] = _in_range(destination, plan.order_column, resource, given)
    return answer


def _in_range(
    destination: Destination, column: str, resource: Resource, given: Circumstances
) -> int | None:
    if not isinstance(destination, SqlDestination) or given.existing is None or not given.only:
        return None
    kind = given.existing.columns.get(column, "")
    low, high = (typed_literal(value, kind, destination.dialect) for value in given.only)
    name = destination.ident(column)
    rows = destination.query(
        f"SELECT count(*) FROM {destination.table(resource.target)} WHERE {name} >= {low} AND {name} < {high}"
    )
    return int(rows[0][0])


def state(spec: dict[str, Any], session: Session) -> dict[str, Any]:
    """The cursor of every resource that has one, as the ledger has it."""
    destination = destination_of(spec, session)
    with destination.opened():
        known = destination.known()
    labels = {_label(spec, one): one["name"] for one in spec.get("resources") or []}
    return {
        "resources": {
            labels.get(label, label.rpartition(".")[2]): _cursor(found)
            for (label, _), found in known.items()
            if found.cursor_column
        }
    }


def _label(spec: dict[str, Any], one: dict[str, Any]) -> str:
    schema = "" if one.get("query") else one.get("schema") or spec.get("source_schema") or ""
    return f"{schema}.{one['name']}" if schema else str(one["name"])


def _cursor(found: Known) -> dict[str, Any]:
    return {
        "column": found.cursor_column,
        "value": found.cursor_value,
        "committed_at": found.committed_at,
        "edit": found.cursor_edit,
    }


def _shown(value: Any) -> str:
    """As text; a moment without a zone is UTC in every destination."""
    if not isinstance(value, datetime):
        return str(value)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def rejects(spec: dict[str, Any], session: Session) -> dict[str, Any]:
    """A page of refused rows, and how many each target has."""
    destination = destination_of(spec, session)
    limit = max(1, min(int(spec.get("limit") or 50), _MOST_ROWS))
    with destination.opened():
        if not destination.has_ledger():
            return {"rows": [], "next": None, "tables": []}
        counted = destination.count_rejects()
        rows = destination.list_rejects(spec.get("table") or "", spec.get("after") or "", limit + 1)
    shown = rows[:limit]
    names = [name for name, _ in REJECT_COLUMNS]
    return {
        "rows": [
            {
                name: None if value is None else _shown(value)
                for name, value in zip(names, row, strict=True)
            }
            for row in shown
        ],
        "next": str(shown[-1][0]) if len(rows) > limit else None,
        "tables": [{"table_name": row[0], "count": int(row[1])} for row in counted],
    }


def discard_rejects(spec: dict[str, Any], session: Session) -> dict[str, Any]:
    destination = destination_of(spec, session)
    ids = [str(one) for one in spec.get("ids") or []]
    if not ids:
        raise UserError("Choose the rows to throw away.", field="ids")
    with destination.opened():
        return {"discarded": destination.discard_rejects(ids)}
