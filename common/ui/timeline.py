"""The timeline of a run: steps as rows with bars on one scale, for components/timeline.html."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.ui.formats import DASH, format_duration
from common.ui.status import status_of

#: Units of the SVG across; four ticks, 200 apart.
WIDTH = 800
SCALES = (1, 2, 4, 8, 20, 40, 60, 120, 240, 480, 1200, 2400, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True)
class TimelineStep:
    """One step as the caller knows it; ``depth`` 1 is a part of the step above it."""

    name: str
    status: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    depth: int = 0
    url: str = ""


@dataclass(frozen=True)
class TimelineRow:
    """One step with its bar; ``width`` is 0 while it waits."""

    name: str
    status: str
    tone: str
    depth: int
    url: str
    x: float
    width: float
    duration: str


@dataclass(frozen=True)
class Timeline:
    rows: tuple[TimelineRow, ...]
    marks: tuple[str, ...]
    #: Where "now" stands, None once everything has ended.
    now_x: float | None


def build_timeline(
    steps: Sequence[TimelineStep], *, start: datetime, now: datetime, active: bool
) -> Timeline:
    """Lay the steps out from ``start`` to the last end, or to ``now`` while still ``active``."""
    ends = [step.finished_at for step in steps if step.finished_at]
    end = now if active or not ends else max(ends)
    span = max((end - start).total_seconds(), 0.5)
    # The scale is the smallest round one whose four parts hold the span.
    scale = next((unit for unit in SCALES if unit * 4 >= span), span / 4)
    per_second = WIDTH / (scale * 4)
    rows = tuple(_row(step, start, now, per_second) for step in steps)
    marks = tuple(_mark(scale * part) for part in range(4))
    return Timeline(rows, marks, round(span * per_second, 1) if active else None)


def _mark(seconds: float) -> str:
    """A tick's label; ticks stand on round numbers, so a zero remainder is left out."""
    return format_duration(seconds).removesuffix(" 00 s").removesuffix(" 00 m")


def _row(step: TimelineStep, start: datetime, now: datetime, per_second: float) -> TimelineRow:
    x = width = 0.0
    duration = DASH
    if step.started_at:
        seconds = max(((step.finished_at or now) - step.started_at).total_seconds(), 0.0)
        x = round(max((step.started_at - start).total_seconds(), 0.0) * per_second, 1)
        width = round(max(seconds * per_second, 3.0), 1)
        duration = format_duration(seconds)
    tone = status_of(step.status).tone
    return TimelineRow(
        name=step.name,
        status=step.status,
        tone="wait" if tone == "idle" else tone,
        depth=step.depth,
        url=step.url,
        x=x,
        width=width,
        duration=duration,
    )
