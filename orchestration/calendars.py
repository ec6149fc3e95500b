"""When a schedule is due: its cron in its zone, between its bounds. The page, the services and the tick ask here."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from orchestration import cron
from orchestration.models import Schedule


def next_start(schedule: Schedule, after: datetime) -> datetime | None:
    """The first due time after ``after``; None when the schedule is over."""
    after = _not_before(after, schedule.starts_at)
    moment = _next_time(schedule.cron, schedule.time_zone, after)
    return moment if moment is not None and not _is_over(schedule, moment) else None


def due_starts(schedule: Schedule, now: datetime, most: int) -> list[datetime]:
    """The times from ``schedule.next_run_at`` up to now, the newest where they are more than ``most``."""
    first = schedule.next_run_at
    if first is None or first > now:
        return []
    times = list(_due_times(schedule.cron, schedule.time_zone, first, now, most))
    if first not in times and len(times) < most:
        # Set by hand, or by an expression that has been changed since.
        times.insert(0, first)
    begin = schedule.starts_at
    return [at for at in times if (begin is None or at >= begin) and not _is_over(schedule, at)]


def coming_starts(
    expression: str,
    zone: str,
    after: datetime,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Iterator[cron.Start]:
    """What is due after ``after`` between the bounds, with what a change of the clock leaves out."""
    for start in cron.starts_after(expression, zone, _not_before(after, starts_at)):
        if ends_at is not None and start.at >= ends_at:
            return
        yield start


def _not_before(after: datetime, starts_at: datetime | None) -> datetime:
    # A start at the bound itself is the first.
    return after if starts_at is None else max(after, starts_at - timedelta(microseconds=1))


def _is_over(schedule: Schedule, moment: datetime) -> bool:
    return schedule.ends_at is not None and moment >= schedule.ends_at


# Thousands of schedules share a few expressions and fall due in the same minute.


@lru_cache(maxsize=10_000)
def _next_time(expression: str, zone: str, after: datetime) -> datetime | None:
    return next(cron.times_after(expression, zone, after), None)


@lru_cache(maxsize=10_000)
def _due_times(
    expression: str, zone: str, first: datetime, now: datetime, most: int
) -> tuple[datetime, ...]:
    return tuple(cron.last_times(expression, zone, first, now, most))
