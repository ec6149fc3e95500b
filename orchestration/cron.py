"""Cron: parsing, the next times and words for people. The page's preview and the tick use the same code."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from cron_descriptor import ExpressionDescriptor, Options
from cronsim import CronSim, CronSimError

from orchestration.errors import InvalidCron

PRESETS = (
    ("Every 15 minutes", "*/15 * * * *"),
    ("Every hour", "0 * * * *"),
    ("Every day at 06:00", "0 6 * * *"),
    ("Weekdays at 07:30", "30 7 * * 1-5"),
    ("Every Monday at 06:00", "0 6 * * 1"),
    ("First of the month", "0 6 1 * *"),
)


def fields_of(expression: str) -> list[str]:
    """The five fields of a valid expression, or ``InvalidCron`` that says what is wrong."""
    fields = expression.split()
    if len(fields) != 5:
        raise InvalidCron(
            f"A cron expression has 5 fields, this has {len(fields)}.",
            field="cron",
            remedy="Write minute, hour, day of month, month and day of week: 0 6 * * 1-5.",
        )
    try:
        next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise InvalidCron(
            f"{expression!r} is not a cron expression: {str(error).lower()}.",
            field="cron",
            remedy="Each field is a number, a list (1,15), a range (1-5), a step (*/15) or *.",
        ) from None
    except StopIteration:
        raise InvalidCron(
            f"{expression!r} never comes: there is no such day.", field="cron"
        ) from None
    return fields


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # Asked for at every fired schedule; the answer is a walk through the zone files.
    return frozenset(available_timezones())


def zone_of(name: str) -> ZoneInfo:
    if name not in _zones():
        raise InvalidCron(
            f"{name!r} is not a time zone.",
            field="time_zone",
            remedy="Use a name such as Europe/Berlin or UTC.",
        )
    return ZoneInfo(name)


def times_after(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Due times after ``after``, in UTC, without end."""
    for moment in CronSim(expression, after.astimezone(zone_of(zone))):
        yield moment.astimezone(UTC)


def next_times(expression: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The next due times, in the schedule's own zone."""
    fields_of(expression)
    moments = islice(times_after(expression, zone, after), count)
    return [moment.astimezone(ZoneInfo(zone)) for moment in moments]


def in_words(expression: str) -> str:
    """“At 06:00, Monday through Friday”."""
    options = Options()
    options.use_24hour_time_format = True
    return str(ExpressionDescriptor(expression, options).get_description())
