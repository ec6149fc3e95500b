"""What grows old is taken away: in small batches that hold no long lock, for a bounded time, going on next time.

``register(pruner)`` adds a kind of thing of an app above; ``rows_by_age`` makes the pruner of a plain table.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.sessions.models import Session
from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from common.errors import DatanikaError
from orchestration import upkeep
from orchestration.retention import database
from orchestration.retention.audit import AUDIT
from orchestration.retention.directories import DIRECTORIES
from orchestration.retention.organizations import ORGANIZATIONS
from orchestration.retention.pruners import Pace, Pruner, counted, cutoff, rows_by_age, timed
from orchestration.retention.runs import BACKFILLS, CAPSULES, LOG_LINES, RUNS
from orchestration.retention.sign_ups import SIGN_UPS
from orchestration.retention.trash import TRASH

__all__ = [
    "Pace",
    "PruneReport",
    "Pruned",
    "Pruner",
    "all_pruners",
    "counted",
    "cutoff",
    "preview",
    "prune",
    "register",
    "rows_by_age",
]

logger = logging.getLogger("datanika.retention")

#: One call of the periodic task; what is left then is taken by the next.
SECONDS = 45.0
#: After a batch the others have the database for half as long as it took, up to this.
LONGEST_PAUSE = 0.2


@dataclass
class Pruned:
    """What one pruner took."""

    name: str
    label: str
    taken: int = 0
    longest_batch_seconds: float = 0.0
    error: str = ""


@dataclass
class PruneReport:
    """``is_complete`` tells whether nothing old is left; without it the next call goes on."""

    items: list[Pruned]
    seconds: float = 0.0
    is_complete: bool = True
    is_busy: bool = False
    database: dict[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> list[str]:
        return [f"{item.label}: {item.error}" for item in self.items if item.error]

    @property
    def taken(self) -> int:
        return sum(item.taken for item in self.items)

    def as_json(self) -> dict[str, Any]:
        return {
            "items": {item.name: item.taken for item in self.items},
            "longest_batch_seconds": round(
                max((item.longest_batch_seconds for item in self.items), default=0), 3
            ),
            "seconds": round(self.seconds, 1),
            "complete": self.is_complete,
            "busy": self.is_busy,
            "errors": self.errors,
            "database": self.database,
        }


Progress = Callable[[Pruned], None]


def _old_sessions(now: datetime) -> QuerySet[Any]:
    return Session.objects.filter(expire_date__lt=now).order_by()


def _session_batches(now: datetime, pace: Pace) -> Any:
    while keys := list(_old_sessions(now).values_list("pk", flat=True)[: pace.size]):
        with transaction.atomic():
            _all, taken = Session.objects.filter(pk__in=keys).delete()
        yield taken.get(Session._meta.label, 0)


SESSIONS = Pruner(
    "sessions",
    "Sessions that have run out",
    _session_batches,
    lambda now, most: counted(_old_sessions(now), most),
)
_pruners: dict[str, Pruner] = {
    pruner.name: pruner
    for pruner in (
        LOG_LINES,
        RUNS,
        CAPSULES,
        BACKFILLS,
        AUDIT,
        SESSIONS,
        SIGN_UPS,
        TRASH,
        ORGANIZATIONS,
        DIRECTORIES,
    )
}


def register(pruner: Pruner) -> None:
    """Add what an app above keeps; the same name twice replaces it."""
    _pruners[pruner.name] = pruner


def all_pruners() -> list[Pruner]:
    return list(_pruners.values())


def preview(now: datetime, *, most: int | None = None) -> dict[str, int]:
    """Name → how many things a call would take; counting ends at ``most``."""
    return {pruner.name: pruner.count(now, most) for pruner in all_pruners()}


def prune(
    now: datetime, *, seconds: float = SECONDS, progress: Progress | None = None
) -> PruneReport:
    """Take what is old, a batch of each kind in turn, until nothing is left or the time is over.

    Two calls at once do no harm and no good: the second answers ``is_busy`` and does nothing.
    """
    if not upkeep.hold(upkeep.PRUNE, seconds + 60):
        return PruneReport([], is_complete=False, is_busy=True)
    try:
        report = _prune(now, seconds, progress)
    finally:
        upkeep.let_go(upkeep.PRUNE)
    text = "; ".join(report.errors)
    upkeep.note(upkeep.PRUNE, is_good=not text, text=text, details=report.as_json())
    return report


def _prune(now: datetime, seconds: float, progress: Progress | None) -> PruneReport:
    started = time.monotonic()
    items = {pruner.name: Pruned(pruner.name, pruner.label) for pruner in all_pruners()}
    paces = {name: Pace() for name in items}
    waiting = {
        pruner.name: timed(pruner.batches(now, paces[pruner.name]), paces[pruner.name])
        for pruner in all_pruners()
    }
    # In turn, so that a mountain of one kind does not starve the others.
    while waiting and time.monotonic() - started < seconds:
        for name in list(waiting):
            if not _take_one(items[name], waiting[name], progress):
                del waiting[name]
            if time.monotonic() - started >= seconds:
                break
    report = PruneReport(list(items.values()), is_complete=not waiting)
    report.database = database.give_back(max(1.0, seconds - (time.monotonic() - started)))
    report.seconds = time.monotonic() - started
    return report


def _take_one(item: Pruned, batches: Any, progress: Progress | None) -> bool:
    """One batch; False when this kind has none left, or stumbled."""
    try:
        found = next(batches, None)
    except (DatabaseError, DatanikaError, OSError) as error:
        item.error = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        logger.warning("pruning %s stopped: %s", item.name, item.error)
        return False
    if found is None:
        return False
    taken, took = found
    item.taken += taken
    item.longest_batch_seconds = max(item.longest_batch_seconds, took)
    if progress is not None and taken:
        progress(item)
    time.sleep(min(took / 2, LONGEST_PAUSE))
    return True
