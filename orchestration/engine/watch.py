"""Sees a child through to its end: its events, the lease, cancel, limits, a database that is away for a while."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from common.children.child import Child
from orchestration.engine import claims
from orchestration.engine.limits import Meter
from orchestration.engine.reporter import LeaseLost, Reporter
from orchestration.models import Run, RunStep, Status

T = TypeVar("T")
logger = logging.getLogger("datanika.runs")

LOOK_SECONDS = 0.25
CANCEL_LOOK_SECONDS = 0.5
#: Between asking a child to stop and killing its process group: time for a driver to cancel its query.
GRACE_SECONDS = 3.0
#: Between two tries at a database that is away.
AWAY_SECONDS = 0.5
_DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True)
class Verdict:
    """How a child ended; ``handed_back`` when its worker has to stop before it does."""

    status: Status
    error: dict[str, Any] | None = None
    handed_back: bool = False


class Watch:
    """One child of one claimed step. ``must_stop`` says whether the worker has no more time."""

    def __init__(
        self,
        step: RunStep,
        child: Child,
        reporter: Reporter,
        meter: Meter,
        must_stop: Callable[[], bool],
    ) -> None:
        self._step, self._child, self._reporter = step, child, reporter
        self._meter, self._must_stop = meter, must_stop
        self._renewed = self._looked = time.monotonic()
        self._next_try = 0.0

    def to_end(self) -> Verdict:
        """Raises ``LeaseLost`` when the step is another's by now; the child is gone then."""
        while not self._child.finished:
            for event in self._child.read_events(LOOK_SECONDS):
                self._reporter.take(event)
            if verdict := self._look():
                return verdict
        if self._reporter.summary is not None and self._reporter.error is None:
            return Verdict(Status.SUCCEEDED)
        if patiently(lambda: is_cancelled(self._step), until=self._lease_end):
            return Verdict(Status.CANCELLED)
        return Verdict(Status.FAILED, self._reporter.error)

    @property
    def _lease_end(self) -> float:
        """By our own clock, from before the last renewal: never later than what the database says."""
        return self._renewed + float(settings.LEASE_SECONDS)

    def _look(self) -> Verdict | None:
        now = time.monotonic()
        if self._must_stop():
            self._stop()
            return Verdict(Status.QUEUED, handed_back=True)
        if error := self._meter.exceeded():
            self._stop()
            return Verdict(Status.FAILED, error.as_event())
        if now < self._next_try:
            return None
        try:
            return self._ask_database(now)
        except _DATABASE_AWAY as error:
            # What the child said is kept until it is back; only the lease bounds the wait.
            logger.warning("run %s: the database is away: %s", self._step.run.number, error)
            _close()
            self._next_try = now + AWAY_SECONDS
            if now > self._lease_end:
                self._child.kill()
                raise LeaseLost from None
            return None
        except LeaseLost:
            self._child.kill()
            raise

    def _ask_database(self, now: float) -> Verdict | None:
        self._reporter.flush()
        if now - self._renewed > settings.LEASE_SECONDS / 3:
            if not claims.renew(self._step):
                raise LeaseLost
            self._renewed = now
        if now - self._looked > CANCEL_LOOK_SECONDS:
            self._looked = now
            if is_cancelled(self._step):
                self._stop()
                return Verdict(Status.CANCELLED)
        return None

    def _stop(self) -> None:
        """Ask, wait for the driver to cancel its query on the server, then end the whole process group."""
        self._child.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while not self._child.finished and time.monotonic() < deadline:
            for event in self._child.read_events(LOOK_SECONDS):
                if event.get("event") == "log":
                    self._reporter.take(event)
        self._child.kill()


def patiently(action: Callable[[], T], *, until: float) -> T:
    """Do it, again and again while the database is away; raises its error after ``until`` (monotonic seconds)."""
    while True:
        try:
            return action()
        except _DATABASE_AWAY:
            _close()
            if time.monotonic() > until:
                raise
            time.sleep(AWAY_SECONDS)


def _close() -> None:
    """A connection that failed stays failed; the next query opens another."""
    # Inside a transaction (a test's) the connection is not ours to close.
    if not connection.in_atomic_block:
        connection.close()


def is_cancelled(step: RunStep) -> bool:
    rows = Run.all_organizations.filter(pk=step.run_id, cancel_requested_at__isnull=False)
    return rows.exists()
