"""Applies a child's events to the step: log lines, progress and results, in batches and fenced by the lease."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime

from orchestration.engine import log
from orchestration.models import RunStep, RunStepResult, StepKind
from pipelines import runner as pipelines
from transforms import runner as transforms

FLUSH_SECONDS = 0.3
#: The first words are shown sooner: they say that it has begun.
FIRST_FLUSH_SECONDS = 0.1
_COLUMNS = (
    "rows_read",
    "rows_loaded",
    "rows_filtered",
    "rows_rejected",
    "rows_deduplicated",
)
_KNOWN = frozenset(
    {"event", "kind", "name", "target", "status", "message", "started_at", "finished_at", *_COLUMNS}
)


class LeaseLost(Exception):
    """The step belongs to another worker by now; whatever this one still knows is void."""


class Reporter:
    """Collects what a child says and writes it while the lease is held."""

    def __init__(self, step: RunStep) -> None:
        self.step = step
        self.error: dict[str, Any] | None = None
        self.summary: dict[str, Any] | None = None
        self.has_warnings = False
        #: The connections that the child was given, by slug (``Connection.as_used``).
        self.connections: dict[str, Any] = {}
        #: By name, for a step that ends in an error after some of its tables were loaded.
        self._loaded: dict[str, int] = {}
        self._lines: list[log.Line] = []
        self._results: list[dict[str, Any]] = []
        self._progress: dict[str, Any] = {}
        self._next_flush = time.monotonic() + FIRST_FLUSH_SECONDS

    def take(self, event: dict[str, Any]) -> None:
        """One event of the child, secrets masked already. Unknown ones are ignored: a newer child may say more."""
        match event.get("event"):
            case "log":
                self._log(event)
            case "progress":
                self._progress[event["scope"]] = {
                    "rows": event.get("rows"),
                    "total": event.get("total"),
                }
            case "result":
                self._results.append(event)
                if event.get("kind") == "table":
                    self._loaded[str(event["name"])] = int(event.get("rows_loaded") or 0)
                self.has_warnings |= event.get("status") == "warned"
                self.has_warnings |= bool(event.get("rows_rejected"))
                verified = event.get("verification") or {}
                self.has_warnings |= verified.get("status") == "differed"
            case "error":
                self.error = event
            case "done":
                self.summary = event.get("summary") or {}

    @property
    def outcome(self) -> dict[str, Any]:
        """The child's summary, or what was loaded before it failed, and through what it was done."""
        used: dict[str, Any] = {"connections": self.connections} if self.connections else {}
        if end := (self.error or {}).get("end"):
            # Which of two connections of one kind it was.
            used["end"] = str(end)
        if self.summary is not None:
            return self.summary | used
        return ({"rows_loaded": sum(self._loaded.values())} if self._loaded else {}) | used

    def say(self, level: str, text: str) -> None:
        """A line of our own."""
        self._lines.append(log.line(level, self.step.name, text))

    @contextmanager
    def nothing_lost(self) -> Iterator[None]:
        """Around a transaction with a ``flush`` in it: when it fails, what was flushed waits for the next one."""
        kept = list(self._lines), list(self._results), dict(self._progress)
        try:
            yield
        except BaseException:
            self._lines, self._results, self._progress = kept
            raise

    def flush(self, *, force: bool = False) -> None:
        """Write what has gathered, if it is time. Raises ``LeaseLost`` and writes nothing without the lease."""
        now = time.monotonic()
        if not (self._lines or self._results or self._progress) or (
            now < self._next_flush and not force
        ):
            return
        self._next_flush = now + FLUSH_SECONDS
        with transaction.atomic():
            self._check_lease()
            log.write(self.step.run, self._lines)
            for result in self._results:
                self._save_result(result)
            # At the end of a step there is none any more.
            if self._progress and not force:
                merged = {**self.step.progress, **self._progress}
                RunStep.all_organizations.filter(pk=self.step.pk).update(progress=merged)
                self.step.progress = merged
        self._lines, self._results, self._progress = [], [], {}

    def _check_lease(self) -> None:
        rows = RunStep.all_organizations.select_for_update().filter(pk=self.step.pk)
        if not rows.filter(lease_token=self.step.lease_token).exists():
            raise LeaseLost

    def _log(self, event: dict[str, Any]) -> None:
        scope = event.get("scope") or self.step.name
        self._lines.append(log.line(event.get("level", "info"), scope, str(event.get("text", ""))))

    def _save_result(self, event: dict[str, Any]) -> None:
        values = {name: event.get(name) for name in _COLUMNS}
        if event["kind"] == "model":
            values["rows_loaded"] = event.get("rows")
        rows = RunStepResult.all_organizations.filter(step=self.step, kind=event["kind"])
        if self.step.attempt > 1:
            rows.filter(name=event["name"]).delete()
        RunStepResult(
            organization_id=self.step.organization_id,
            step=self.step,
            kind=event["kind"],
            name=str(event["name"])[:255],
            target=str(event.get("target") or "")[:255],
            status=event["status"],
            message=event.get("message") or "",
            started_at=parse_datetime(event.get("started_at") or ""),
            finished_at=parse_datetime(event.get("finished_at") or ""),
            details={key: value for key, value in event.items() if key not in _KNOWN},
            **values,
        ).save()
        if self.step.kind == StepKind.PIPELINE and self.step.pipeline:
            pipelines.record_result(self.step.pipeline, event)
        elif self.step.connection:
            transforms.record_result(self.step.connection, event)
