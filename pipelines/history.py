"""What the runs of a pipeline have left, for its pages. The app above registers how to ask, so that nothing here
imports it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audit.actions import AuditAction
from audit.models import AuditEvent
from pipelines.models import Pipeline


@dataclass(frozen=True)
class TableLoad:
    """What the last run of one table came to."""

    #: The resource's name, as a run is asked for it.
    resource: str
    run: int
    at: datetime | None
    #: A key of the status table.
    status: str
    rows_loaded: int | None
    rows_rejected: int
    message: str


@dataclass(frozen=True)
class CursorMove:
    """The run that brought a cursor to ``value``, and when a run last reported it there."""

    run: int
    at: datetime | None
    value: str
    seen_at: datetime | None


class ShapeChange(Protocol):
    """One change of a table's columns, and what was done about it (orchestration.schema_changes)."""

    @property
    def run(self) -> int: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def table(self) -> str: ...
    @property
    def change(self) -> str: ...
    @property
    def column(self) -> str: ...
    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str: ...
    @property
    def treatment(self) -> str: ...


@dataclass(frozen=True)
class RunHistory:
    """How runs are asked about; each takes the same few queries however many runs there were."""

    #: By table of the destination.
    tables: Callable[[Pipeline], Mapping[str, TableLoad]]
    is_running: Callable[[Pipeline], bool]
    #: By resource.
    cursors: Callable[[Pipeline], Mapping[str, CursorMove]]
    #: The newest first.
    changes: Callable[[Pipeline], Sequence[ShapeChange]]
    #: Numbers of runs by the ids of their loads; unknown ones are absent.
    numbers: Callable[[Pipeline, Collection[str]], Mapping[str, int]]
    #: Rows put aside less those that were taken up again.
    rejected: Callable[[Pipeline], int]


_registered: list[RunHistory] = []


def register_history(history: RunHistory) -> None:
    """Called in an ``AppConfig.ready``; a second call replaces the first."""
    _registered[:] = [history]


def history() -> RunHistory:
    return _registered[0]


def waiting_rejects(pipeline: Pipeline) -> int:
    """Rejected rows that wait, as our own records have it: what somebody else deleted there is not known here."""
    events = AuditEvent.objects.for_organization(pipeline.organization).filter(
        action=AuditAction.PIPELINE_REJECTS_DISCARDED,
        target_type="pipeline",
        target_id=str(pipeline.pk),
    )
    pairs = [changes.get("rejects") for changes in events.values_list("changes", flat=True)]
    discarded = sum(int(pair[0]) - int(pair[1]) for pair in pairs if pair)
    return max(history().rejected(pipeline) - discarded, 0)
