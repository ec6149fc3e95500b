"""Cron against times written down by hand."""

import itertools
from datetime import UTC, datetime
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
