"""The child entries of connection work (docs/architecture.md, Entry points): spec in, events out.

Free of Django's settings. A ``DatanikaError`` raised here becomes the child's ``error`` event.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from connections.connectors.base import Connector, StageStatus, Target
from connections.connectors.registry import get_connector

Emit = Callable[[dict[str, Any]], None]

#: No page shows more at once, and a larger answer only fills the pipe.
MAX_PAGE = 1000
MAX_SAMPLE_ROWS = 500


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


def describe(spec: dict[str, Any], emit: Emit) -> None:
    """Columns and primary key of one table as ``data``."""
    connector, target = _endpoint(spec)
    table = connector.describe(target, schema=spec.get("schema") or "", table=spec["table"])
    _answer(emit, asdict(table))


def sample(spec: dict[str, Any], emit: Emit) -> None:
    """Some rows of one table, as text, as ``data``."""
    connector, target = _endpoint(spec)
    rows = connector.sample(
        target,
        schema=spec.get("schema") or "",
        table=spec["table"],
        columns=spec.get("columns") or None,
        filters=spec.get("filters") or [],
        limit=_bounded(spec.get("limit"), MAX_SAMPLE_ROWS),
    )
    _answer(emit, asdict(rows))


def count(spec: dict[str, Any], emit: Emit) -> None:
    """How many rows of one table the filters keep, as ``data``: the counts of a sample."""
    connector, target = _endpoint(spec)
    counts = connector.sample(
        target,
        schema=spec.get("schema") or "",
        table=spec["table"],
        columns=None,
        filters=spec.get("filters") or [],
        limit=0,
    )
    _answer(emit, asdict(counts))


def _endpoint(spec: dict[str, Any]) -> tuple[Connector, Target]:
    target = Target.from_spec(spec)
    return get_connector(target.connector), target


def _bounded(limit: int | None, most: int) -> int:
    return most if not limit else max(1, min(int(limit), most))


def _answer(emit: Emit, value: dict[str, Any]) -> None:
    emit({"event": "data", "value": value})
    emit({"event": "done", "summary": {}})
