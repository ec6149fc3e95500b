"""The comparator itself: what it must not let pass."""

from typing import Any

import pytest

from pipelines.tests.fidelity.catalogue import Col, col
from pipelines.tests.fidelity.compare import differences
from pipelines.tests.fidelity.ends import Grid, grid
from pipelines.tests.fidelity.values import Cell, canonical_json, cell, parse


def a_grid(kind: str, *texts: str | None) -> Grid:
    rows = ({"id": cell("int", str(n)), "v": cell(kind, text)} for n, text in enumerate(texts))
    return grid({"id": "int", "v": kind}, "id", rows)


def problems(
    before: Grid,
    after: Grid,
    column: Col,
    conversions: list[dict[str, Any]] | None = None,
    rejects: list[dict[str, Any]] | None = None,
) -> list[str]:
    result = {"target": "t", "conversions": conversions or [], "rejects": rejects or []}
    return list(differences(before, after, [column], "duckdb", result))


NOTE = {"column": "v", "text": "kept as text", "count": 2}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (a_grid("text", "", None), a_grid("text", None, None)),
        (a_grid("text", "1", None), a_grid("int", "1", None)),
        (a_grid("decimal", "0.1", None), a_grid("float", "0.1", None)),
        (a_grid("timestamp", "2024-01-01 00:00:00", None), a_grid("date", "2024-01-01", None)),
        (
            a_grid("timestamptz", "2024-01-01 00:00:00+02", None),
            a_grid("timestamptz", "2024-01-01 00:00:00+00", None),
        ),
        (a_grid("float", "nan", None), a_grid("float", None, None)),
        (a_grid("json", "null", None), a_grid("json", None, None)),
        (a_grid("text", "x", "y"), a_grid("text", "x")),
        (a_grid("text", "x"), a_grid("text", "x", "y")),
        (a_grid("text", None), a_grid("text", "")),
    ],
)
def test_a_silent_change_is_found(before: Grid, after: Grid) -> None:
    assert problems(before, after, col("v", "any"))


def test_an_exact_column_may_not_be_reported_and_a_converted_one_must() -> None:
    same = a_grid("text", "a", "b", None)
    assert problems(same, same, col("v", "text"), [NOTE])
    assert not problems(same, same, col("v", "text"))
    before = a_grid("interval", "1,2,3000000", "0,-1,0", None)
    after = a_grid("text", "1 month 2 days 00:00:03", "-1 days", None)
    kept_as_text = col("v", "interval", others="converted:text")
    assert not problems(before, after, kept_as_text, [NOTE])
    assert problems(before, after, kept_as_text)
    assert problems(before, after, kept_as_text, [{**NOTE, "count": 1}])
    wrong = a_grid("text", "1 month 2 days 00:00:04", "-1 days", None)
    assert problems(before, wrong, kept_as_text, [NOTE])


def test_rejected_rows_are_counted_by_their_column() -> None:
    before, after = a_grid("date", "0001-01-01", "9999-12-31", None), a_grid("date", None)
    after.rows = {"2": before.rows["2"]}
    refused = col("v", "date", others="rejected")
    reject = {"column": "v", "reason": "out of range", "count": 1}
    assert not problems(before, after, refused, rejects=[reject, {**reject, "reason": "late"}])
    assert problems(before, after, refused, rejects=[reject])
    assert problems(before, before, refused, rejects=[reject, reject])


def test_values_beyond_python() -> None:
    assert parse("date", "4713-01-01 BC") == parse("date", "4713-01-01 (BC)")
    assert parse("date", "1970-01-02") == ("date", 1)
    assert parse("timestamptz", "1970-01-01 00:00:00.5-15:59") == (
        "timestamptz",
        57_540_500_000_000,
    )
    assert parse("time", "24:00:00") == ("time", 86_400 * 10**9)
    assert parse("interval", "1 year 1 mon -3 days -00:00:00.000001") == ("interval", 13, -3, -1)
    assert canonical_json('{"b": 1.10, "a": 100}') == canonical_json('{"a":1e2,"b":1.1}')
    assert canonical_json("12345678901234567890.5") != canonical_json("12345678901234567000")
    assert Cell("float", parse("float", "nan"), "nan").value == parse("float", "NaN")
