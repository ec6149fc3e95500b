"""kill -9 at every stage, then another attempt: no row lost, none doubled, no half table seen."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from common.errors import TransientError
from pipelines.engine.jobs.duckdb import DuckDbWarehouse
from pipelines.engine.jobs.postgres import PostgresWarehouse
from pipelines.engine.load import Load
from pipelines.engine.package import Packages
from pipelines.engine.readers import postgres as postgres_reader
from pipelines.engine.state import Journal, locked
from pipelines.engine.warehouse import Commit
from pipelines.tests.engine_support import (
    Bench,
    dies_after,
    dies_in,
    duck,
    file_endpoint,
    pg,
    postgres_endpoint,
    results,
)

#: The key keeps growing; so does the cursor, in steps of its own.
FIRST = MORE = "INSERT INTO t SELECT n, 'v' || n, n FROM generate_series({}, {}) n"
CHANGE = "UPDATE t SET v = v || '!', moved = {} WHERE id <= 100"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_reader, "PART_BYTES", 10_000)


def resource(disposition: str) -> dict[str, Any]:
    cursor = None if disposition == "replace" else {"column": "moved", "initial": None}
    return {
        "schema": "public",
        "name": "t",
        "target": "t",
        "write_disposition": disposition,
        "primary_key": ["id"],
        "cursor": cursor,
    }


@pytest.mark.parametrize("connector", ["duckdb", "postgres"])
@pytest.mark.parametrize("disposition", ["append", "replace", "merge"])
def test_killed_anywhere_and_tried_again(
    tmp_path: Path, postgres_url: str, disposition: str, connector: str
) -> None:
    pg(
        postgres_url,
        "CREATE TABLE t (id int primary key, v text, moved int)",
        FIRST.format(1, 2000),
    )
    to_duckdb = connector == "duckdb"
    destination = (
        file_endpoint("duckdb", "w.duckdb") if to_duckdb else postgres_endpoint(postgres_url)
    )
    warehouse = DuckDbWarehouse if to_duckdb else PostgresWarehouse
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), destination)
    wanted = resource(disposition)

    def rows(table: str) -> list[tuple[Any, ...]]:
        query = f"SELECT id, v, moved FROM {table} ORDER BY id"
        if to_duckdb and table == "raw.t":
            return duck(bench.files / "w.duckdb", query)
        return pg(postgres_url, query)

    points = {
        "while a part is read": dies_after(postgres_reader.PostgresReader, "_window"),
        "before the package is complete": dies_in(Journal, "_write"),
        "before the result": dies_in(Load, "_report"),
        "before the package is loaded": dies_in(Packages, "load"),
        "in the transaction, rows written": dies_in(Commit, "ledger_row"),
        "right after the commit": dies_after(warehouse, "commit"),
    }
    # An append can go wrong in most ways; the others share its way up to the commit.
    tried = {"append": 6, "merge": 3, "replace": 2}[disposition]
    high = 2000
    for point, prepare in list(points.items())[-tried:]:
        bench.killed(prepare, wanted)
        events = bench.load(wanted, attempt=2)
        assert rows("raw.t") == rows("t"), point
        assert results(events)["t"]["status"] == "succeeded"
        # The next round has something to bring.
        pg(postgres_url, MORE.format(high + 1, high + 700))
        high += 700
        if disposition == "merge":
            pg(postgres_url, CHANGE.format(high))
    bench.load(wanted)
    assert rows("raw.t") == rows("t")


@pytest.mark.parametrize("connector", ["duckdb", "postgres"])
def test_a_lost_working_directory_costs_nothing(
    tmp_path: Path, postgres_url: str, connector: str
) -> None:
    pg(
        postgres_url,
        "CREATE TABLE t (id int primary key, v text, moved int)",
        FIRST.format(1, 3000),
    )
    to_duckdb = connector == "duckdb"
    destination = (
        file_endpoint("duckdb", "w.duckdb") if to_duckdb else postgres_endpoint(postgres_url)
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), destination)
    warehouse = DuckDbWarehouse if to_duckdb else PostgresWarehouse
    bench.killed(dies_after(warehouse, "commit"), resource("append"))
    shutil.rmtree(bench.spec["work_dir"])
    pg(postgres_url, MORE.format(3001, 3010))
    result = results(bench.load(resource("append"), attempt=2))["t"]
    assert (result["rows_loaded"], result["cursor"]["before"], result["cursor"]["after"]) == (
        10,
        "3000",
        "3010",
    )
    query = "SELECT count(*), count(DISTINCT id) FROM raw.t"
    found = duck(bench.files / "w.duckdb", query) if to_duckdb else pg(postgres_url, query)
    assert found == [(3010, 3010)]


def test_append_without_cursor_is_not_repeated_by_the_next_attempt(
    tmp_path: Path, postgres_url: str
) -> None:
    for name in ("a", "b"):
        pg(postgres_url, f"CREATE TABLE {name} AS SELECT generate_series(1, 10) AS id")
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    wanted = [
        {"schema": "public", "name": name, "target": name, "write_disposition": "append"}
        for name in ("a", "b")
    ]
    bench.killed(dies_after(Load, "_report", calls=2), *wanted)
    events = bench.load(*wanted, attempt=2)
    assert {name: event["rows_loaded"] for name, event in results(events).items()} == {
        "a": 10,
        "b": 10,
    }
    count = "SELECT (SELECT count(*) FROM raw.a), (SELECT count(*) FROM raw.b)"
    assert duck(bench.files / "w.duckdb", count) == [(10, 10)]
    bench.load(*wanted)
    assert duck(bench.files / "w.duckdb", count) == [(20, 20)]


def test_two_loads_of_a_pipeline_do_not_overlap(tmp_path: Path, postgres_url: str) -> None:
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    with locked(Path(bench.spec["work_dir"])), pytest.raises(TransientError, match="still running"):
        bench.load(resource("replace"))


@pytest.mark.parametrize("tied", [False, True])
def test_readers_see_the_old_or_the_new_table_of_a_replace(
    tmp_path: Path, postgres_url: str, tied: bool
) -> None:
    pg(
        postgres_url,
        "CREATE TABLE t (id int primary key, v text, moved int)",
        FIRST.format(1, 5000),
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    bench.load(resource("replace"))
    if tied:
        pg(
            postgres_url,
            "CREATE VIEW raw.v AS SELECT * FROM raw.t",
            "GRANT SELECT ON raw.t TO PUBLIC",
        )
    pg(postgres_url, "UPDATE t SET moved = -1", MORE.format(5001, 5500))
    seen: set[tuple[Any, ...]] = set()
    finished = threading.Event()

    def watch() -> None:
        while not finished.is_set():
            seen.update(
                pg(postgres_url, "SELECT count(*), count(*) FILTER (WHERE moved = -1) FROM raw.t")
            )

    reader = threading.Thread(target=watch)
    reader.start()
    bench.load(resource("replace"))
    finished.set()
    reader.join()
    assert seen <= {(5000, 0), (5500, 5000)}
    assert (5000, 0) in seen
    if tied:
        assert pg(postgres_url, "SELECT count(*) FROM raw.v") == [(5500,)]
        assert pg(postgres_url, "SELECT has_table_privilege('public', 'raw.t', 'SELECT')") == [
            (True,)
        ]
