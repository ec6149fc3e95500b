"""Reads of a run's log: by number, around a line, narrowed by level and text.

A run's log may have a million lines. Every read goes along the index of numbers and looks at no more than ``LOOK``
lines, so a filter that matches little answers soon as well: ``edge`` says where the next look begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from orchestration.models import Run, RunLogLine

#: Lines that one look goes through.
LOOK = 50_000
#: Lines that are read at once where all of them are wanted.
BATCH = 5_000
LEVELS = {"warn": ("warn", "error"), "error": ("error",), "": ()}


@dataclass(frozen=True)
class LineFilter:
    """``level`` is a key of ``LEVELS``; ``text`` is looked for in texts and scopes."""

    level: str = ""
    text: str = ""

    @property
    def is_set(self) -> bool:
        return bool(LEVELS.get(self.level) or self.text)


@dataclass(frozen=True)
class Lines:
    """Lines in reading order, and how far was looked: the number before or behind which a next look goes on."""

    lines: list[RunLogLine]
    edge: int
    #: Nothing is left in this direction, as of now.
    is_end: bool


NO_FILTER = LineFilter()


def _rows(run: Run, wanted: LineFilter) -> QuerySet[RunLogLine]:
    rows = RunLogLine.objects.for_organization(run.organization).filter(run=run)
    if levels := LEVELS.get(wanted.level):
        rows = rows.filter(level__in=levels)
    if wanted.text:
        rows = rows.filter(Q(text__icontains=wanted.text) | Q(scope__icontains=wanted.text))
    return rows


def lines_after(run: Run, after: int, limit: int, wanted: LineFilter = NO_FILTER) -> Lines:
    """The next lines behind number ``after``."""
    rows = _rows(run, wanted).filter(number__gt=after)
    if not wanted.is_set:
        found = list(rows.order_by("number")[:limit])
        return Lines(found, found[-1].number if found else after, len(found) < limit)
    last = _newest(run)
    edge = min(after + LOOK, max(last, after))
    found = list(rows.filter(number__lte=edge).order_by("number")[:limit])
    if len(found) == limit:
        return Lines(found, found[-1].number, is_end=False)
    return Lines(found, edge, is_end=edge >= last)


def lines_before(run: Run, before: int, limit: int, wanted: LineFilter = NO_FILTER) -> Lines:
    """The last lines before number ``before``."""
    rows = _rows(run, wanted).filter(number__lt=before)
    if not wanted.is_set:
        found = list(rows.order_by("-number")[:limit])[::-1]
        return Lines(found, found[0].number if found else 1, len(found) < limit)
    edge = max(before - LOOK, 1)
    found = list(rows.filter(number__gte=edge).order_by("-number")[:limit])[::-1]
    if len(found) == limit:
        return Lines(found, found[0].number, is_end=False)
    return Lines(found, edge, is_end=edge <= 1)


def last_lines(run: Run, limit: int, wanted: LineFilter = NO_FILTER) -> Lines:
    """The newest lines."""
    return lines_before(run, _newest(run) + 1, limit, wanted)


def lines_around(run: Run, number: int, limit: int) -> Lines:
    """The lines on both sides of one; a line that was not kept is answered by its neighbours."""
    older = lines_before(run, number, limit // 2)
    newer = lines_after(run, max(number - 1, 0), limit - limit // 2)
    return Lines([*older.lines, *newer.lines], older.edge, newer.is_end)


def every_batch(run: Run) -> Iterator[list[RunLogLine]]:
    """The whole log, some thousand lines at a time."""
    after, more = 0, True
    while more:
        found = lines_after(run, after, BATCH)
        if found.lines:
            yield found.lines
        after, more = found.edge, not found.is_end


def _newest(run: Run) -> int:
    rows = RunLogLine.objects.for_organization(run.organization).filter(run=run)
    return rows.order_by("-number").values_list("number", flat=True).first() or 0
