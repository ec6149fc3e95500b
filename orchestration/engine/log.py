"""The log of a run: numbered lines, written in batches, bounded."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from common import bulk
from orchestration.models import Run, RunLogLine

#: A run keeps this many lines (a hundred bytes each, more or less); a driver that prints in a loop must not fill the
#: database. Behind them only what tells how the run went on: our own lines, warnings and errors.
MAX_LINES = 1_000_000
MAX_TELLING = 10_000
_OWN_SCOPE, _TELLING = "run", frozenset({"warn", "error"})
MAX_TEXT = 4_000
LEVELS = frozenset({"debug", "info", "ok", "warn", "error"})


@dataclass(frozen=True)
class Line:
    level: str
    scope: str
    text: str
    at: datetime


def line(level: str, scope: str, text: str, at: datetime | None = None) -> Line:
    """A line of now, or of ``at``; an unknown level is info, an endless text is cut and says so."""
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} more characters)"
    known = level if level in LEVELS else "info"
    # A NUL cannot be stored in PostgreSQL text.
    return Line(known, scope[:120], text.replace("\x00", "�"), at or timezone.now())


def own_line(level: str, text: str, at: datetime | None = None) -> Line:
    """A line about the run itself."""
    return line(level, _OWN_SCOPE, text, at)


def open_logs(organization_id: int, logs: Iterable[tuple[int, list[Line]]]) -> None:
    """The first lines of new runs, by the run's id; its ``last_line`` counts them already."""
    rows = [
        {"run_id": run_id, "number": number, **vars(item)}
        for run_id, lines in logs
        for number, item in enumerate(lines, 1)
    ]
    bulk.insert(RunLogLine, rows, organization_id=organization_id)


@transaction.atomic(savepoint=False)
def write(run: Run, lines: list[Line]) -> None:
    """Append lines. Steps of one run write at once, so numbers are handed out by the run's row."""
    if not lines:
        return
    rows = Run.all_organizations.filter(pk=run.pk)
    rows.update(last_line=F("last_line") + len(lines))
    last = rows.values_list("last_line", flat=True).get()
    first = last - len(lines) + 1
    kept = [
        _row(run, number, item)
        for number, item in enumerate(lines, first)
        if number <= MAX_LINES or _tells(item)
    ]
    if last > MAX_LINES:
        kept = _within_bounds(run, kept, first, last)
    RunLogLine.all_organizations.bulk_create(kept, batch_size=2_000)


def _tells(item: Line) -> bool:
    return item.scope == _OWN_SCOPE or item.level in _TELLING


def _within_bounds(run: Run, kept: list[RunLogLine], first: int, last: int) -> list[RunLogLine]:
    """The lines of a log that is full: the one at the edge says so, and behind it there is an end too."""
    if first <= MAX_LINES < last:
        edge = next(row for row in reversed(kept) if row.number <= MAX_LINES)
        edge.level, edge.text = (
            "warn",
            f"The log is cut here: a run keeps {MAX_LINES:,} lines. Behind this only warnings and errors follow.",
        )
    behind = RunLogLine.all_organizations.filter(run=run, number__gt=MAX_LINES).count()
    room = max(0, MAX_TELLING - behind)
    inside = [row for row in kept if row.number <= MAX_LINES]
    # How the run ended is always told.
    told = [row for row in kept if row.number > MAX_LINES]
    others = [row for row in told if row.scope != _OWN_SCOPE][:room]
    fit = {row.number for row in others} | {row.number for row in told if row.scope == _OWN_SCOPE}
    return inside + [row for row in told if row.number in fit]


def _row(run: Run, number: int, item: Line) -> RunLogLine:
    return RunLogLine(
        organization_id=run.organization_id,
        run_id=run.pk,
        number=number,
        at=item.at,
        level=item.level,
        scope=item.scope,
        text=item.text,
    )


def note(run: Run, level: str, text: str, scope: str = "run") -> None:
    """One line of our own."""
    write(run, [line(level, scope, text)])
