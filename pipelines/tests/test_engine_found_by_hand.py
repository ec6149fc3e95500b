"""What somebody found who used the product: each a load that once went wrong."""

from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from pipelines.engine import main
from pipelines.engine.errors import NothingToReplay
from pipelines.tests.engine_support import (
    Bench,
    duck,
    file_endpoint,
    pg,
    postgres_endpoint,
    results,
)


def test_a_replay_overwrites_nothing_newer_and_doubles_no_key(
    tmp_path: Path, postgres_url: str
) -> None:
    pg(
        postgres_url,
        "CREATE TABLE p (id int primary key, n numeric(10,2))",
        "INSERT INTO p VALUES (1, 1.5), (2, 'NaN'), (3, 'NaN')",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    wanted = {"schema": "public", "name": "p", "target": "p", "write_disposition": "merge"}
    keep = {"schema_contract": {"data_type": "discard_row"}}
    # Refused twice, for a merge without a cursor reads everything each time.
    for load_id in ("1000000001.1", "1000000002.2"):
        assert results(bench.load({**wanted, **keep}, load_id=load_id))["p"]["rows_rejected"] == 2
    pg(postgres_url, "UPDATE p SET n = 2.5 WHERE id = 2")
    bench.load({**wanted, **keep}, load_id="1000000003.3")
    again = results(bench.load(wanted, options={"replay_rejects": True}, load_id="1000000004.4"))
    assert (again["p"]["rows_loaded"], again["p"]["rows_rejected"]) == (1, 0)
    found = duck(bench.files / "w.duckdb", "SELECT id, n FROM raw.p ORDER BY id")
    assert found == [(1, "1.50"), (2, "2.50"), (3, "NaN")]


def test_a_replay_of_a_whole_pipeline_takes_the_tables_that_have_refused_rows(
    tmp_path: Path, postgres_url: str
) -> None:
    pg(
        postgres_url,
        "CREATE TABLE a AS SELECT 1 AS id",
        "CREATE TABLE b AS SELECT 'NaN'::numeric(10,2) AS n",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    whole = {"mode": "full_database", "source_schema": "public"}
    bench.load(**whole)
    assert set(results(bench.load(**whole, options={"replay_rejects": True}))) == {"b"}
    with pytest.raises(NothingToReplay):
        bench.load(**whole, options={"replay_rejects": True})


def test_an_infinite_cursor_does_not_end_the_pipeline(tmp_path: Path, postgres_url: str) -> None:
    pg(
        postgres_url,
        "CREATE TABLE t (id int, at timestamptz)",
        "INSERT INTO t VALUES (1, '2026-01-01'), (2, 'infinity')",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    wanted = {
        "schema": "public",
        "name": "t",
        "target": "t",
        "write_disposition": "append",
        "cursor": {"column": "at"},
    }
    assert "infinity" not in results(bench.load(wanted))["t"]["cursor"]["after"]
    pg(postgres_url, "INSERT INTO t VALUES (3, '2026-01-02')")
    assert results(bench.load(wanted))["t"]["rows_loaded"] == 1


def test_a_table_is_not_loaded_into_itself(tmp_path: Path, postgres_url: str) -> None:
    pg(postgres_url, "CREATE SCHEMA raw", "CREATE TABLE raw.t AS SELECT 1 AS id")
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    with pytest.raises(UserError, match="into itself"):
        bench.load({"schema": "raw", "name": "t", "target": "t"})


def test_an_odd_name_fails_alone(tmp_path: Path, postgres_url: str) -> None:
    pg(postgres_url, 'CREATE TABLE "a.b" (id int)', "CREATE TABLE c AS SELECT 1 AS id")
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    events: list[dict[str, Any]] = []
    with pytest.raises(UserError, match="1 of 2 tables failed"):
        main.load({**bench.spec, "mode": "full_database", "source_schema": "public"}, events.append)
    assert results(events)["c"]["status"] == "succeeded"


def test_a_table_that_was_there_takes_appended_rows(tmp_path: Path, postgres_url: str) -> None:
    pg(
        postgres_url,
        "CREATE TABLE t AS SELECT 2 AS id",
        "CREATE SCHEMA raw",
        "CREATE TABLE raw.t AS SELECT 1 AS id",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    bench.load({"schema": "public", "name": "t", "target": "t", "write_disposition": "append"})
    assert pg(postgres_url, "SELECT id FROM raw.t ORDER BY id") == [(1,), (2,)]


def test_a_merge_keeps_columns_the_source_has_no_more(tmp_path: Path, postgres_url: str) -> None:
    pg(
        postgres_url,
        "CREATE TABLE t (id int primary key, v int, w int)",
        "INSERT INTO t VALUES (1, 1, 1)",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    wanted = {"schema": "public", "name": "t", "target": "t", "write_disposition": "merge"}
    bench.load(wanted)
    pg(
        postgres_url,
        "ALTER TABLE t DROP COLUMN w",
        "UPDATE t SET v = 2",
        "INSERT INTO t VALUES (2, 2)",
    )
    assert results(bench.load(wanted))["t"]["rows_loaded"] == 2
    found = duck(bench.files / "w.duckdb", "SELECT id, v, w FROM raw.t ORDER BY id")
    assert found == [(1, 2, 1), (2, 2, None)]


def test_a_duckdb_source_reads_no_file_of_the_machine(tmp_path: Path, postgres_url: str) -> None:
    import duckdb

    bench = Bench(tmp_path, file_endpoint("duckdb", "s.duckdb"), postgres_endpoint(postgres_url))
    with duckdb.connect(str(bench.files / "s.duckdb")) as con:
        con.execute(
            "CREATE VIEW v AS SELECT * FROM read_csv('/etc/passwd', delim=':', header=false)"
        )
        con.execute("CREATE TABLE t AS SELECT 1 AS id")
    with pytest.raises(UserError):
        bench.load({"schema": "main", "name": "v", "target": "v"})
    query = "SELECT * FROM read_text('/etc/passwd')"
    with pytest.raises(UserError):
        bench.load({"name": "q", "target": "q", "query": query}, mode="query")
    bench.load({"schema": "main", "name": "t", "target": "t"})
    assert pg(postgres_url, "SELECT id FROM raw.t") == [(1,)]
