"""Ours against a cron that counts minutes, in zones whose clocks do odd things."""

import random
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from orchestration import cron
from orchestration.tests.slow_cron import expected, minutes_of

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York",
    # Half an hour of daylight saving; offsets of three quarters; daylight saving the wrong way round, in Ramadan.
    "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
    # Midnight that does not exist, that comes twice, or both.
    "America/Santiago", "America/Havana", "Africa/Cairo",
    # Two hours; three quarters beyond a whole day ahead of others; no change at all for years.
    "Antarctica/Troll", "Pacific/Chatham", "Asia/Kolkata",
)  # fmt: skip
EXPRESSIONS = (
    "* * * * *", "*/7 * * * *", "0 * * * *", "30 * * * *", "15,45 */2 * * *", "0 */5 * * *",
    "*/10 0-3 * * *", "0 0 * * *", "30 0 * * *", "59 23 * * *", "0,30 1-3 * * *", "15 2 * * *",
    "30 2 * * 0", "5-55/10 1,2 * * sun", "0 6 * * mon-fri", "0 0 13 * 5", "30 1 1-7 * 7",
    "0 4 */2 * 1", "45 23 31 * *", "0 12 29 2 *", "20 3 * mar,oct 0", "* 2 * * *", "10/20 3 1 */3 *",
    "0 0 1 jan *",
)  # fmt: skip


def ours(expression: str, zone: str, since: datetime, until: datetime) -> list[datetime]:
    times = cron.times_after(expression, zone, since - timedelta(minutes=1))
    return list(takewhile(lambda at: at < until, times))


def changes_of(zone: str, since: datetime, until: datetime) -> list[datetime]:
    """Days in which the clock changes, to the hour."""
    place, found = ZoneInfo(zone), []
    moment = since
    while moment < until:
        later = moment + timedelta(hours=1)
        if moment.astimezone(place).utcoffset() != later.astimezone(place).utcoffset():
            found.append(moment)
        moment = later
    return found


def compare(zone: str, since: datetime, until: datetime) -> int:
    minutes = minutes_of(ZoneInfo(zone), since, until)
    compared = 0
    for expression in EXPRESSIONS:
        wanted = list(expected(expression, minutes))
        found = ours(expression, zone, since, until)
        assert found == wanted, (expression, zone, set(found) ^ set(wanted))
        compared += len(wanted)
    return compared


@pytest.mark.parametrize("zone", ZONES)
def test_around_every_change_of_the_clock(zone: str) -> None:
    """All changes of two years, and some ordinary days."""
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    picked = random.Random(zone)
    days = changes_of(zone, since, until)
    days.append(since + timedelta(days=picked.randrange(700)))
    for day in days:
        assert compare(zone, day - timedelta(hours=26), day + timedelta(hours=26))


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        # Samoa left out a Friday, Kwajalein a Saturday; Newfoundland changed a minute after midnight.
        ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
        ("Pacific/Kwajalein", datetime(1993, 8, 21, tzinfo=UTC)),
        ("America/St_Johns", datetime(2006, 10, 29, 2, tzinfo=UTC)),
    ],
)
def test_days_that_never_were(zone: str, day: datetime) -> None:
    assert compare(zone, day - timedelta(hours=50), day + timedelta(hours=50))


@pytest.mark.chaos
@pytest.mark.parametrize("zone", ZONES)
def test_two_years_minute_by_minute(zone: str) -> None:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    assert compare(zone, since, until) > 1_000_000


def test_from_wherever_one_asks() -> None:
    """The time after a moment does not depend on where the walk began, also in the middle of a change."""
    for zone, day in (
        ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 14, tzinfo=UTC)),
        ("America/Santiago", datetime(2026, 9, 6, 3, tzinfo=UTC)),
    ):
        for expression in ("*/10 0-3 * * *", "0,30 1-3 * * *", "30 0 * * *"):
            since, until = day - timedelta(hours=6), day + timedelta(hours=30)
            times = ours(expression, zone, since, until)
            moment = since
            while moment < until - timedelta(hours=24):
                wanted = next(at for at in times if at > moment)
                assert next(cron.times_after(expression, zone, moment)) == wanted
                moment += timedelta(minutes=7)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana"])
def test_the_last_times_are_the_end_of_all(zone: str) -> None:
    since, until = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
    for expression in ("0 * * * *", "30 2 * * *", "0 0 13 * 5"):
        everything = ours(expression, zone, since, until + timedelta(minutes=1))
        for most in (1, 3, 100):
            assert cron.last_times(expression, zone, since, until, most) == everything[-most:]
