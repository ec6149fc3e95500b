"""Cutting ranges: nothing lost, nothing twice, by the calendar where it is one."""

import itertools

import pytest

from common.errors import UserError
from orchestration.slices import MOST_SLICES, cut, parse_size, proposed_size


def bounds(begin: str, end: str, size: str) -> list[str]:
    slices = cut(begin, end, parse_size(size))
    assert all(a.end == b.begin for a, b in itertools.pairwise(slices))
    return [slices[0].begin, *(one.end for one in slices)]


@pytest.mark.parametrize(
    ("begin", "end", "size", "inner"),
    [
        ("2024-02-28", "2024-03-02", "1 day", ["2024-02-29", "2024-03-01"]),
        # The 31st comes back after a shorter month.
        ("2024-01-31", "2024-05-01", "1 month", ["2024-02-29", "2024-03-31", "2024-04-30"]),
        ("2023-11-30", "2024-06-01", "1 quarter", ["2024-02-29", "2024-05-30"]),
        ("2024-02-29", "2026-06-01", "1 year", ["2025-02-28", "2026-02-28"]),
        ("2024-01-01", "2024-01-20", "1 Week", ["2024-01-08", "2024-01-15"]),
        ("2024-01-01", "2024-01-02", "8 hours", ["2024-01-01 08:00:00", "2024-01-01 16:00:00"]),
        (
            "2024-01-01T00:00:00Z",
            "2024-01-01T13:00:00+00:00",
            "6 hours",
            ["2024-01-01T06:00:00Z", "2024-01-01T12:00:00Z"],
        ),
        (
            "2024-03-31 00:00:00+01:00",
            "2024-04-02",
            "1 day",
            None,
        ),
        ("10", "35", "10", ["20", "30"]),
        ("-1", "1", "0.5", ["-0.5", "0.0", "0.5"]),
        ("1", "5", "100", []),
        ("9999-12-01", "9999-12-31", "1 month", []),
    ],
)
def test_slices(begin: str, end: str, size: str, inner: list[str] | None) -> None:
    if inner is None:
        with pytest.raises(UserError, match="time zone") as wrong:
            bounds(begin, end, size)
        assert wrong.value.field == "cursor_to"
        return
    assert bounds(begin, end, size) == [begin, *inner, end]


@pytest.mark.parametrize(
    ("begin", "end", "size", "field"),
    [
        ("2024-01-01", "2024-02-01", "2 fortnights", "slice_size"),
        ("2024-01-01", "2024-02-01", "", "slice_size"),
        ("2024-01-01", "2024-02-01", "0 days", "slice_size"),
        ("2024-01-01", "2024-02-01", "1.5 hours", "slice_size"),
        ("2024-01-01", "2024-02-01", "10", "cursor_from"),
        ("1", "50", "1 day", "cursor_from"),
        ("1", "inf", "1", "cursor_to"),
        ("2024-01-01", "soon", "1 day", "cursor_to"),
        ("2024-02-01", "2024-02-01", "1 day", "cursor_to"),
        ("2", "1", "1", "cursor_to"),
        ("2000-01-01", "2024-01-01", "1 hour", "slice_size"),
        ("0", "99999999999999999999", "1", "slice_size"),
    ],
)
def test_refusals(begin: str, end: str, size: str, field: str) -> None:
    with pytest.raises(UserError) as wrong:
        bounds(begin, end, size)
    assert (wrong.value.field, wrong.value.code) == (field, "invalid_backfill")
    assert wrong.value.remedy


def test_a_remedy_is_one() -> None:
    with pytest.raises(UserError, match="more than 1,000 slices") as wrong:
        bounds("2000-01-01", "2024-01-01", "1 day")
    assert "such as 1 year" in wrong.value.remedy
    assert len(bounds("2000-01-01", "2024-01-01", "1 year")) == 25
    assert len(cut("0", str(MOST_SLICES), parse_size("1"))) == MOST_SLICES


@pytest.mark.parametrize(
    ("begin", "end", "size"),
    [
        ("2024-01-01 00:00", "2024-01-02 00:00", "1 hour"),
        ("2024-01-01", "2024-01-02", "1 day"),
        ("2024-01-01 00:00", "2024-01-08", "6 hours"),
        ("2024-01-01", "2024-03-01", "1 day"),
        ("2024-01-01", "2025-01-01", "1 week"),
        ("2020-01-01", "2024-01-01", "1 month"),
        ("1024-01-01", "2024-01-01", "17 years"),
        ("0", "10", "1"),
        ("0", "1000000", "20000"),
        ("a", "b", ""),
        ("5", "5", ""),
    ],
)
def test_proposals(begin: str, end: str, size: str) -> None:
    assert proposed_size(begin, end) == size
    if size:
        assert len(bounds(begin, end, size)) <= 61
