"""The log of a run: numbered lines, written in batches, bounded."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orchestration.models import Run, RunLogLine

#: A run keeps this many lines; a driver that prints in a loop must not fill the database.
MAX_LINES = 20_000
MAX_TEXT = 4_000
LEVELS = frozenset({"debug", "info", "ok", "warn", "error"})


@dataclass(frozen=True)
class Line:
    level: str
    scope: str
    text: str
    at: datetime


def line(level: str, scope: str, text: str) -> Line:
    """A line of now; an unknown level is info, an endless text is cut and says so."""
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} more characters)"
    known = level if level in LEVELS else "info"
    # A NUL cannot be stored in PostgreSQL text.
    return Line(known, scope[:120], text.replace("\x00", "�"), timezone.now())


@transaction.atomic
def write(run: Run, lines: list[Line]) -> None:
    """Append lines. Steps of one run write at once, so numbers are handed out by the run's row."""
    if not lines:
        return
    rows = Run.all_organizations.filter(pk=run.pk)
    rows.update(last_line=F("last_line") + len(lines))
    last = rows.values_list("last_line", flat=True).get()
    first = last - len(lines) + 1
    kept = [
        RunLogLine(
            organization_id=run.organization_id,
            run=run,
            number=first + offset,
            at=item.at,
            level=item.level,
            scope=item.scope,
            text=item.text,
        )
        for offset, item in enumerate(lines)
        if first + offset <= MAX_LINES
    ]
    if first <= MAX_LINES < last:
        kept[-1].level, kept[-1].text = (
            "warn",
            f"The log is cut here: a run keeps {MAX_LINES:,} lines.",
        )
    RunLogLine.all_organizations.bulk_create(kept)


def note(run: Run, level: str, text: str, scope: str = "run") -> None:
    """One line of our own."""
    write(run, [line(level, scope, text)])
