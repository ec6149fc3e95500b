"""The child entries of connection work (docs/architecture.md, Entry points): spec in, events out.

Free of Django's settings. A ``DatanikaError`` raised here becomes the child's ``error`` event.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from connections.connectors.base import Connector, Sample, StageStatus, Target
from connections.connectors.registry import get_connector

Emit = Callable[[dict[str, Any]], None]

#: No page shows more at once, and a larger answer only fills the pipe.
MAX_PAGE = 1000
MAX_SAMPLE_ROWS = 500
#: More tables than anybody chooses from in a list.
MAX_TABLES = 50_000


def check(spec: dict[str, Any], emit: Emit) -> None:
    """One ``stage`` event per stage; ``done`` says the worst status of them all."""
    connector, target = _endpoint(spec)
    worst = StageStatus.OK
    for stage in connector.check(target, spec.get("role") or "source"):
        emit(stage.as_event())
        if stage.status is StageStatus.FAILED:
            worst = StageStatus.FAILED
        elif stage.status is StageStatus.WARN and worst is StageStatus.OK:
            worst = StageStatus.WARN
    emit({"event": "done", "summary": {"status": worst.value}})


def discover(spec: dict[str, Any], emit: Emit) -> None:
    """One page of the catalogue as ``data``."""
    connector, target = _endpoint(spec)
    page = connector.discover(
        target,
        search=spec.get("search") or "",
        schema=spec.get("schema") or "",
        after=spec.get("after") or "",
        limit=_bounded(spec.get("limit"), MAX_PAGE),
    )
    _answer(emit, asdict(page))


def tables(spec: dict[str, Any], emit: Emit) -> None:
    """Every table of one schema as ``data`` events, a page each; the last of them says whether
    there were more than ``MAX_TABLES``.
    """
    connector, target = _endpoint(spec)
    after, found = "", 0
    while True:
        page = connector.discover(
            target, search="", schema=spec.get("schema") or "", after=after, limit=MAX_PAGE
        )
        found += len(page.tables)
        after = page.next or ""
        rows = [[table.name, table.kind, table.rows] for table in page.tables]
        cut = bool(after) and found >= MAX_TABLES
        emit({"event": "data", "value": {"tables": rows, "is_cut": cut}})
        if not after or cut:
            break
    emit({"event": "done", "summary": {}})


def describe(spec: dict[str, Any], emit: Emit) -> None:
    """Columns and primary key of one table, or the columns of a query, as ``data``."""
    connector, target = _endpoint(spec)
    if spec.get("query"):
        table = connector.describe_query(target, spec["query"])
    else:
        table = connector.describe(target, schema=spec.get("schema") or "", table=spec["table"])
    _answer(emit, asdict(table))


def sample(spec: dict[str, Any], emit: Emit) -> None:
    """Some rows of one table or query, as text, as ``data``."""
    _answer(emit, asdict(_sample(spec, _bounded(spec.get("limit"), MAX_SAMPLE_ROWS))))


def count(spec: dict[str, Any], emit: Emit) -> None:
    """How many rows of one table or query the filters keep, as ``data``: the counts of a sample."""
    _answer(emit, asdict(_sample({**spec, "columns": None}, 0)))


def _sample(spec: dict[str, Any], limit: int) -> Sample:
    connector, target = _endpoint(spec)
    columns, filters = spec.get("columns") or None, spec.get("filters") or []
    if spec.get("query"):
        return connector.sample_query(
            target, spec["query"], columns=columns, filters=filters, limit=limit
        )
    return connector.sample(
        target,
        schema=spec.get("schema") or "",
        table=spec["table"],
        columns=columns,
        filters=filters,
        limit=limit,
    )


def _endpoint(spec: dict[str, Any]) -> tuple[Connector, Target]:
    target = Target.from_spec(spec)
    return get_connector(target.connector), target


def _bounded(limit: int | None, most: int) -> int:
    return most if not limit else max(1, min(int(limit), most))


def _answer(emit: Emit, value: dict[str, Any]) -> None:
    emit({"event": "data", "value": value})
    emit({"event": "done", "summary": {}})
