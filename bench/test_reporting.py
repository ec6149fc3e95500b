"""What the benchmarks say of a number: void where the result was wrong, a ratio round by round, a table."""

import json

import pytest

from bench.measure import Measured
from bench.report import markdown
from bench.rounds import Competitor, PeerFailed, Standing, WrongResult, in_turn


def competitor(
    name: str, seconds: list[float], *, found: int = 7, rows: int = 100, is_ours: bool = False
) -> Competitor:
    left = iter(seconds)

    def run() -> Measured:
        took = next(left)
        if not took:
            raise PeerFailed("no such table")
        return Measured(took)

    return Competitor(name, "1", rows, lambda: None, run, lambda: (found,), (7,), is_ours)


def test_the_ratio_is_the_median_of_the_rounds_both_have() -> None:
    raw, ours, peer = in_turn(
        [
            competitor("raw", [1, 2, 4]),
            competitor("ours", [2, 3, 4], is_ours=True),
            competitor("peer", [0, 2, 4], rows=10),
        ],
        3,
    )
    assert ours.ratio_to(raw) == 1.5
    assert (peer.seconds, peer.fault) == (3, "no such table")
    # Ten times fewer rows in the same time is ten times slower.
    assert peer.ratio_to(raw) == 10


def test_a_wrong_result_voids_a_number_and_is_an_error_of_ours() -> None:
    (wrong,) = in_turn([competitor("peer", [1, 1], found=6)], 2)
    assert wrong.valid == []
    assert "wrong result" in wrong.fault
    with pytest.raises(WrongResult, match=r"ours: wrong result: \(6,\) for \(7,\)"):
        in_turn([competitor("ours", [1], found=6, is_ours=True)], 1)
    assert Standing(competitor("nobody", [])).peak_mb == 0


def test_the_table_holds_the_last_value_of_each_name() -> None:
    row: dict[str, object] = {"name": "a | b", "unit": "s", "goal": "≤ 1", "measured_with": "x"}
    lines = [row | {"value": 2.0, "holds": False}, row | {"value": 0.5, "holds": True}]
    lines.append(row | {"name": "c", "value": 1234.5, "goal": "-", "holds": True})
    text = markdown("\n".join(map(json.dumps, lines)))
    assert text.splitlines()[2:] == [
        r"| a \| b | 0.500 s | ≤ 1 | holds | x |",
        "| c | 1,234 s | - |  | x |",
    ]
