"""Parquet files as a destination: one rename a load, whole directories exchanged, refused rows beside them."""

import json
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from common.errors import UserError
from pipelines.engine.accounting import Outcome
from pipelines.engine.destinations import directories
from pipelines.engine.destinations.parquet import ParquetDestination
from pipelines.engine.main import discard_rejects, rejects, state
from pipelines.tests.engine_support import Bench, dies_after, dies_in, file_endpoint, results

ORDERS = "CREATE TABLE orders (id INTEGER, name VARCHAR, moved INTEGER)"
FILL = "INSERT INTO orders SELECT n, 'v' || n, n FROM range({}, {}) t(n)"
APPEND = {"name": "orders", "write_disposition": "append", "cursor": {"column": "moved"}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    lake = {"connector": "parquet", "config": {"path": "", "folder": "lake"}, "secrets": {}}
    return Bench(tmp_path, file_endpoint("duckdb", "shop.duckdb"), lake)


def source(bench: Bench, *statements: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(bench.files / "shop.duckdb")) as connection:
        found: list[tuple[Any, ...]] = []
        for statement in statements:
            found = connection.execute(statement).fetchall()
        return found


def rows(bench: Bench, columns: str = "id, name, moved") -> list[tuple[Any, ...]]:
    files = f"{bench.files}/lake/raw/orders/*/part-*.parquet"
    with duckdb.connect() as connection:
        return connection.execute(
            f"SELECT {columns} FROM read_parquet('{files}', union_by_name = true) ORDER BY 1"
        ).fetchall()


def same(bench: Bench) -> bool:
    return rows(bench) == source(bench, "SELECT id, name, moved FROM orders ORDER BY 1")


def directory(bench: Bench) -> Path:
    return bench.files / "lake" / "raw"


def test_append_and_its_ledger(bench: Bench) -> None:
    source(bench, ORDERS, FILL.format(1, 11))
    bench.load(APPEND, load_id="1.1")
    source(bench, FILL.format(11, 16))
    result = results(bench.load(APPEND, load_id="1.2"))["orders"]
    assert (result["rows_loaded"], result["cursor"]["after"]) == (5, "15")
    assert same(bench)
    assert sorted(path.name for path in (directory(bench) / "orders").iterdir()) == ["1.1", "1.2"]
    commit = json.loads((directory(bench) / "orders/1.2/_commit.json").read_text())
    assert (commit["cursor_value"], commit["rows_loaded"]) == ("15", 5)
    events: list[dict[str, Any]] = []
    state({**bench.spec, "resources": [APPEND]}, events.append)
    assert events[0]["value"]["resources"]["orders"]["value"] == "15"


def test_replace_with_other_columns(bench: Bench) -> None:
    source(bench, ORDERS, FILL.format(1, 11))
    bench.load({"name": "orders"}, load_id="1.1")
    source(bench, "ALTER TABLE orders DROP COLUMN moved", "ALTER TABLE orders ADD COLUMN b BOOLEAN")
    bench.load({"name": "orders"}, load_id="1.2")
    assert rows(bench, "id, name, b")[0] == (1, "v1", None)
    assert [path.name for path in (directory(bench) / "orders").iterdir()] == ["1.2"]
    assert [path.name for path in directory(bench).iterdir()] == ["orders"]


def test_rows_of_a_window_and_wider_types_write_the_table_anew(bench: Bench) -> None:
    source(bench, ORDERS, FILL.format(1, 11))
    bench.load(APPEND)
    source(bench, "UPDATE orders SET name = 'late' WHERE id >= 8", FILL.format(11, 13))
    looking_back = {**APPEND, "cursor": {"column": "moved", "lookback": "2"}}
    assert results(bench.load(looking_back))["orders"]["rows_loaded"] == 5
    assert same(bench)
    bounds = {"from": "2", "to": "4"}
    source(bench, "DELETE FROM orders WHERE id = 3")
    bench.load(APPEND, options={"cursor_range": bounds})
    assert same(bench)
    source(
        bench,
        "ALTER TABLE orders ALTER name TYPE VARCHAR",
        "ALTER TABLE orders ALTER id TYPE DOUBLE",
    )
    source(bench, "INSERT INTO orders VALUES (13.5, 'half', 13)")
    result = results(bench.load(APPEND))["orders"]
    assert [one["treatment"] for one in result["schema_changes"]] == ["widened"]
    assert len(rows(bench)) == 12
    assert len(list((directory(bench) / "orders").iterdir())) == 1


@pytest.mark.parametrize("disposition", ["append", "replace"])
def test_killed_anywhere_and_tried_again(bench: Bench, disposition: str) -> None:
    source(bench, ORDERS, FILL.format(1, 1001))
    wanted = APPEND if disposition == "append" else {"name": "orders"}
    high = 1000
    points = {
        "parts written": dies_after(ParquetDestination, "_copied"),
        "all files written": dies_after(ParquetDestination, "_write"),
        "committed": dies_after(ParquetDestination, "load"),
        "before the result": dies_in(Outcome, "check"),
    }
    for number, (point, prepare) in enumerate(points.items()):
        bench.killed(prepare, wanted, load_id=f"1.{number}")
        bench.load(wanted, attempt=2, load_id=f"1.{number}")
        assert same(bench), point
        assert [path.name for path in directory(bench).iterdir()] == ["orders"], point
        source(bench, FILL.format(high + 1, high + 101))
        high += 100


def test_killed_between_the_two_steps_of_an_exchange(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(bench, ORDERS, FILL.format(1, 101))
    monkeypatch.setattr(directories, "_exchange", lambda *_: False)
    bench.load({"name": "orders"})
    source(bench, FILL.format(101, 111))
    renames = {
        "first": dies_after(Path, "rename", calls=1),
        "second": dies_after(Path, "rename", 2),
    }
    for number, prepare in enumerate(renames.values()):
        bench.killed(prepare, {"name": "orders"}, load_id=f"1.{number}")
        bench.load({"name": "orders"}, load_id=f"1.{number}")
        assert same(bench)
    bench.load({"name": "orders"})
    assert same(bench)
    assert [path.name for path in directory(bench).iterdir()] == ["orders"]


def test_refused_rows_lie_beside_the_others(bench: Bench) -> None:
    source(
        bench,
        "CREATE TABLE orders (id INTEGER, day DATE, clock TIME)",
        "INSERT INTO orders VALUES (1, '2024-01-01', '12:00'), (2, 'infinity', NULL), (3, NULL, '24:00')",
    )
    result = results(bench.load({"name": "orders"}, load_id="1.1"))["orders"]
    assert (result["rows_loaded"], result["rows_rejected"]) == (1, 2)
    assert (directory(bench) / "orders/1.1/_rejects.pq").exists()
    events: list[dict[str, Any]] = []
    rejects({**bench.spec, "limit": 1}, events.append)
    first = events[0]["value"]
    assert first["tables"] == [{"table_name": "orders", "count": 2}]
    assert (first["rows"][0]["column_name"], first["rows"][0]["raw_value"]) == ("day", "infinity")
    ids = [first["rows"][0]["reject_id"]]
    discard_rejects({**bench.spec, "ids": ids}, events.append)
    rejects({**bench.spec, "after": ""}, events.append)
    left = [event["value"] for event in events if event["event"] == "data"][-1]
    assert [row["column_name"] for row in left["rows"]] == ["clock"]
    with pytest.raises(UserError, match="cannot be tried again"):
        bench.load({"name": "orders"}, options={"replay_rejects": True})


def test_what_it_does_not_do_is_said(bench: Bench) -> None:
    source(bench, "CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    with pytest.raises(UserError, match="cannot be merged into"):
        bench.load({"name": "orders", "write_disposition": "merge"})
    (directory(bench) / "orders").mkdir(parents=True)
    (directory(bench) / "orders" / "mine.txt").touch()
    with pytest.raises(UserError, match="which no load wrote"):
        bench.load({"name": "orders"})
    for path in ("../out", "**/*.parquet", "/etc"):
        bench.spec["destination"] = file_endpoint("parquet", path)
        with pytest.raises(UserError):
            bench.load({"name": "orders"})


def test_the_directory_of_a_table_is_never_missing(bench: Bench) -> None:
    source(bench, ORDERS, FILL.format(1, 5001))
    bench.load({"name": "orders"})
    seen: set[bool] = set()
    finished = threading.Event()

    def look() -> None:
        while not finished.is_set():
            seen.add((directory(bench) / "orders").is_dir())

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(5):
        bench.load({"name": "orders"})
    finished.set()
    reader.join()
    assert seen == {True}


def test_a_load_of_many_rows_is_several_parts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.engine.destinations import parquet

    monkeypatch.setattr(parquet, "_DIVIDED", parquet._DIVIDED.replace("256MB", "100KB"))
    source(bench, ORDERS, "INSERT INTO orders SELECT n, md5(n::VARCHAR), n FROM range(200000) t(n)")
    result = results(bench.load({"name": "orders"}))["orders"]
    assert result["rows_loaded"] == 200000
    assert len(list((directory(bench) / "orders").glob("*/part-*.parquet"))) > 1
    assert same(bench)
