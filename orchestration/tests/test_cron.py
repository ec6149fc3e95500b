"""Cron against times written down by hand."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestration import cron
from orchestration.errors import InvalidCron

# 2026-01-01 is a Thursday.
NEW_YEAR = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)


def starts(expression: str, count: int = 3, after: datetime = NEW_YEAR, zone: str = "UTC") -> str:
    times = cron.next_times(expression, zone, after, count)
    return ", ".join(f"{moment:%Y-%m-%d %H:%M}" for moment in times)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 6 * * 0", "2026-01-04 06:00, 2026-01-11 06:00, 2026-01-18 06:00"),
        ("0 6 * * 7", "2026-01-04 06:00, 2026-01-11 06:00, 2026-01-18 06:00"),
        ("0 6 * * sun", "2026-01-04 06:00, 2026-01-11 06:00, 2026-01-18 06:00"),
        ("0 6 * * mon-fri", "2026-01-01 06:00, 2026-01-02 06:00, 2026-01-05 06:00"),
        ("0 6 * * 1-5", "2026-01-01 06:00, 2026-01-02 06:00, 2026-01-05 06:00"),
        # Day of month or day of week, when both are given.
        ("0 0 13 * 5", "2026-01-02 00:00, 2026-01-09 00:00, 2026-01-13 00:00"),
        ("0 0 13 * *", "2026-01-13 00:00, 2026-02-13 00:00, 2026-03-13 00:00"),
        ("*/20 9 * * *", "2026-01-01 09:00, 2026-01-01 09:20, 2026-01-01 09:40"),
        ("10-50/20 0 * * *", "2026-01-01 00:10, 2026-01-01 00:30, 2026-01-01 00:50"),
        ("5,35 8 1 jan,jul *", "2026-01-01 08:05, 2026-01-01 08:35, 2026-07-01 08:05"),
        ("0 12 29 2 *", "2028-02-29 12:00, 2032-02-29 12:00, 2036-02-29 12:00"),
        ("59 23 31 * *", "2026-01-31 23:59, 2026-03-31 23:59, 2026-05-31 23:59"),
    ],
)
def test_next_starts(expression: str, expected: str) -> None:
    assert starts(expression) == expected


def in_utc(expression: str, zone: str, after: datetime, count: int) -> str:
    times = cron.next_times(expression, zone, after, count)
    return ", ".join(f"{moment.astimezone(UTC):%m-%d %H:%M}" for moment in times)


def test_spring_forward() -> None:
    """02:30 does not exist on 29 March in Berlin and on 8 March in New York: it moves behind the gap."""
    berlin = datetime(2026, 3, 28, 0, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert in_utc("30 2 * * *", "Europe/Berlin", berlin, 3) == (
        "03-28 01:30, 03-29 01:00, 03-30 00:30"
    )
    york = datetime(2026, 3, 7, 0, 0, tzinfo=ZoneInfo("America/New_York"))
    assert in_utc("30 2 * * *", "America/New_York", york, 3) == (
        "03-07 07:30, 03-08 07:00, 03-09 06:30"
    )


def test_autumn_back() -> None:
    """02:30 comes twice on 25 October in Berlin, 01:30 on 1 November in New York: the start comes once."""
    berlin = datetime(2026, 10, 24, 0, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert in_utc("30 2 * * *", "Europe/Berlin", berlin, 3) == (
        "10-24 00:30, 10-25 00:30, 10-26 01:30"
    )
    york = datetime(2026, 10, 31, 0, 0, tzinfo=ZoneInfo("America/New_York"))
    assert in_utc("30 1 * * *", "America/New_York", york, 3) == (
        "10-31 05:30, 11-01 05:30, 11-02 06:30"
    )


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_every_hour_has_no_gap_and_no_double_around_a_shift(zone: str) -> None:
    for day in (datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
        times = cron.next_times("0 * * * *", zone, day, 24 * 30)
        seconds = {
            (b.astimezone(UTC) - a.astimezone(UTC)).total_seconds()
            for a, b in itertools.pairwise(times)
        }
        assert seconds == {3600.0}


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "61 * * * *", "* 24 * * *", "0 0 30 2 *", "x * * * *"],
)
def test_what_is_no_expression_names_the_field(expression: str) -> None:
    with pytest.raises(InvalidCron) as caught:
        cron.fields_of(expression)
    assert caught.value.field == "cron"


def test_an_unknown_zone_names_the_field() -> None:
    with pytest.raises(InvalidCron, match="Mars") as caught:
        cron.next_times("0 6 * * *", "Mars/Olympus", NEW_YEAR, 1)
    assert caught.value.field == "time_zone"


def test_words() -> None:
    assert cron.in_words("30 7 * * 1-5") == "At 07:30, Monday through Friday"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("*/15 * * * *", "Every 15 minutes"),
        ("*/7 * * * *", "Every hour at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56"),
        ("0 */2 * * *", "Every 2 hours"),
        ("5 9-17 * * *", "Every hour at minute 5 from 09:00 to 17:59"),
        ("0,30 6 * * *", "At 06:00 and 06:30"),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month or on Friday"),
        (
            "0 0 */2 * 1",
            "At 00:00, on every second day from day 1 of the month if that is also on Monday",
        ),
        ("0 0 13 * *", "At 00:00, on day 13 of the month"),
        ("0 6 * * sun", "At 06:00, on Sunday"),
        ("0 6 * * 7", "At 06:00, on Sunday"),
        ("0 6 * * fri-sun", "At 06:00, Friday through Sunday"),
        ("0 12 1-7 jan,jul *", "At 12:00, on days 1 through 7 of the month, in January and July"),
        (
            "0 12 L * 5#2",
            "At 12:00, on the last day of the month or on the second Friday of the month",
        ),
        # One of the two fits every day.
        ("0 0 1-31 * 1", "At 00:00"),
        ("@daily", "At 00:00"),
    ],
)
def test_words_of(expression: str, words: str) -> None:
    assert cron.in_words(expression) == words


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 6 L * *", "2026-01-31 06:00, 2026-02-28 06:00, 2026-03-31 06:00"),
        ("0 6 LW * *", "2026-01-30 06:00, 2026-02-27 06:00, 2026-03-31 06:00"),
        ("0 6 * * 2#1", "2026-01-06 06:00, 2026-02-03 06:00, 2026-03-03 06:00"),
        ("0 6 * * friL", "2026-01-30 06:00, 2026-02-27 06:00, 2026-03-27 06:00"),
        ("@monthly", "2026-02-01 00:00, 2026-03-01 00:00, 2026-04-01 00:00"),
    ],
)
def test_days_that_depend_on_the_month(expression: str, expected: str) -> None:
    assert starts(expression) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("60 * * * *", "the minute 60 is not from 0 to 59"),
        ("0 0 * 13 *", "the month 13 is not from 1 to 12"),
        ("0 0 * foo *", "'FOO' is no month"),
        ("50-10 * * * *", "the range 50-10 runs backwards"),
        ("*/90 * * * *", "a step of 90 does not fit"),
        ("*/0 * * * *", "a step of 0 does not fit"),
        ("0 0 ? * 1", "'?' is no day of month"),
        ("1,,2 * * * *", "'' is no minute"),
        ("0 0 31 2,4 *", "there is no such day"),
    ],
)
def test_the_reason_is_said(expression: str, reason: str) -> None:
    with pytest.raises(InvalidCron) as caught:
        cron.fields_of(expression)
    assert reason in caught.value.message
    assert caught.value.remedy


def outcomes(expression: str, day: datetime, count: int) -> str:
    found = itertools.islice(cron.starts_after(expression, "Europe/Berlin", day), count)
    return ", ".join(f"{start.wall:%H:%M} {start.outcome}" for start in found)


def test_what_a_change_of_the_clock_does_is_told() -> None:
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    spring, autumn = spring.replace(hour=0, minute=30), autumn.replace(hour=0) - timedelta(hours=1)
    assert outcomes("*/30 1-3 * * *", spring, 4) == (
        "02:00 skipped, 02:30 skipped, 03:00 usual, 03:30 usual"
    )
    assert outcomes("0,30 2,3 * * *", spring, 2) == "02:00 moved, 03:30 usual"
    assert outcomes("0,30 2 * * *", autumn, 2) == "02:00 once, 02:30 once"
    assert outcomes("*/30 2 * * *", autumn, 4) == (
        "02:00 first, 02:30 first, 02:00 second, 02:30 second"
    )
