"""kill -9 at every stage, then another attempt: no row lost, none doubled, no half table seen."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from common.errors import TransientError
from pipelines.engine.accounting import Outcome
from pipelines.engine.destinations.duckdb import DuckDbDestination
from pipelines.engine.destinations.postgres import PostgresDestination
from pipelines.engine.dlt_record import Record
from pipelines.engine.ends import locked
from pipelines.engine.readers.base import Reader
from pipelines.tests.engine_support import (
    PROCESS,
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
    owner = DuckDbDestination if to_duckdb else PostgresDestination
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), destination)
    wanted = resource(disposition)

    def rows(table: str) -> list[tuple[Any, ...]]:
        query = f"SELECT id, v, moved FROM {table} ORDER BY id"
        if to_duckdb and table == "raw.t":
            return duck(bench.files / "w.duckdb", query)
        return pg(postgres_url, query)

    points = {
        "while the window is looked at": dies_after(Reader, "_window"),
        "before the table is written": dies_in(owner, "load"),
        "in the transaction, rows written": dies_in(owner, "record"),
        "right after the commit": dies_after(owner, "load"),
        "before the result": dies_in(Outcome, "check"),
        "before dlt's state is kept": dies_in(Record, "keep"),
    }
    # An append can go wrong in most ways; the others share its way up to the commit.
    tried = {"append": 6, "merge": 4, "replace": 4}[disposition]
    high = 2000
    for number, (point, prepare) in enumerate(list(points.items())[-tried:]):
        bench.killed(prepare, wanted, load_id=f"{PROCESS}.{number}")
        events = bench.load(wanted, attempt=2, load_id=f"{PROCESS}.{number}")
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
    owner = DuckDbDestination if to_duckdb else PostgresDestination
    bench.killed(
        dies_after(owner, "load"), resource("append") | {"cursor": None}, load_id=f"{PROCESS}.1"
    )
    shutil.rmtree(bench.spec["work_dir"])
    again = results(
        bench.load(resource("append") | {"cursor": None}, attempt=2, load_id=f"{PROCESS}.1")
    )
    assert again["t"]["rows_loaded"] == 3000
    bench.killed(dies_after(owner, "load"), resource("merge"), load_id="1.2")
    shutil.rmtree(bench.spec["work_dir"])
    pg(postgres_url, MORE.format(3001, 3010))
    result = results(bench.load(resource("merge"), load_id="1.3"))["t"]
    # The row at the cursor comes again: a merge takes ties twice, harmlessly.
    assert (result["rows_loaded"], result["cursor"]["before"], result["cursor"]["after"]) == (
        11,
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
    bench.killed(dies_after(DuckDbDestination, "load", calls=2), *wanted, load_id=f"{PROCESS}.1")
    events = bench.load(*wanted, attempt=2, load_id=f"{PROCESS}.1")
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
