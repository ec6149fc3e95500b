"""Dispositions, cursors, filters, whole databases, and refusals that leave nothing behind."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from pipelines.engine.errors import (
    BadFilter,
    MissingColumn,
    MissingKey,
    MissingTable,
    SchemaFrozen,
)
from pipelines.tests.engine_support import (
    Bench,
    duck,
    file_endpoint,
    pg,
    postgres_endpoint,
    results,
    summary,
)

ORDERS = """CREATE TABLE orders (id int, status text, total numeric(10,2), changed timestamptz)"""


def orders(**changes: Any) -> dict[str, Any]:
    return {"schema": "public", "name": "orders", "target": "orders", **changes}


@pytest.fixture
def shop(tmp_path: Path, postgres_url: str) -> Bench:
    pg(
        postgres_url,
        ORDERS,
        """INSERT INTO orders SELECT n, CASE n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' END, n / 4.0,
           timestamptz '2026-01-01 00:00+00' + n * interval '1 minute' FROM generate_series(1, 1000) n""",
    )
    return Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))


def there(bench: Bench, query: str) -> list[tuple[Any, ...]]:
    return duck(bench.files / "w.duckdb", query)


def test_append_takes_what_is_new_and_ties_at_the_end_once(shop: Bench, postgres_url: str) -> None:
    wanted = orders(
        write_disposition="append", cursor={"column": "changed", "initial": "2026-01-01T05:00:00Z"}
    )
    first = results(shop.load(wanted))["orders"]
    assert (first["rows_read"], first["cursor"]["before"]) == (701, None)
    assert first["cursor"]["after"] == "2026-01-01 16:40:00+00"
    pg(
        postgres_url,
        "INSERT INTO orders SELECT n, 'late', 1, '2026-02-01' FROM generate_series(2001, 2003) n",
    )
    second = results(shop.load(wanted))["orders"]
    assert (second["rows_loaded"], second["cursor"]["before"]) == (3, "2026-01-01 16:40:00+00")
    nothing = shop.load(wanted)
    assert results(nothing)["orders"]["rows_loaded"] == 0
    assert results(nothing)["orders"]["cursor"]["after"] == "2026-02-01 00:00:00+00"
    assert there(shop, "SELECT count(*), count(DISTINCT id) FROM raw.orders") == [(704, 704)]
    full = results(shop.load(wanted, options={"full_refresh": True}))["orders"]
    assert full["rows_loaded"] == 704


@pytest.mark.parametrize("to", ["duckdb", "postgres"])
def test_merge_keeps_the_latest_version_and_counts_the_others(
    shop: Bench, postgres_url: str, to: str
) -> None:
    if to == "postgres":
        shop.spec["destination"] = postgres_endpoint(postgres_url)
    versions = "INSERT INTO orders SELECT id, 'old', 0, changed - interval '1 second' FROM orders WHERE id <= {}"
    pg(postgres_url, versions.format(10))
    wanted = orders(
        write_disposition="merge", primary_key=["id"], cursor={"column": "changed", "initial": None}
    )
    first = results(shop.load(wanted))["orders"]
    assert (first["rows_read"], first["rows_loaded"], first["rows_deduplicated"]) == (
        1010,
        1000,
        10,
    )
    pg(
        postgres_url,
        """INSERT INTO orders VALUES (5, 'second', 2, '2026-03-02'), (5, 'first', 1, '2026-03-01'),
           (5000, 'new', 3, '2026-03-03')""",
    )
    second = results(shop.load(wanted))["orders"]
    # The row at the old end of the cursor is read again: a tie there must not be lost.
    assert (second["rows_read"], second["rows_loaded"], second["rows_deduplicated"]) == (4, 3, 1)
    query = "SELECT status FROM raw.orders WHERE id = 5"
    count = "SELECT count(*) FROM raw.orders WHERE status IS DISTINCT FROM 'old'"

    def look(sql: str) -> list[tuple[Any, ...]]:
        return pg(postgres_url, sql) if to == "postgres" else there(shop, sql)

    assert look(query) == [("second",)]
    assert look(count) == [(1001,)]


@pytest.mark.parametrize(
    ("op", "value", "kept"),
    [
        ("eq", "open", 333),
        ("ne", "open", 334),
        ("in", ["open", "paid"], 667),
        ("not_in", ["open"], 334),
    ],
)
def test_filters_on_text(shop: Bench, op: str, value: Any, kept: int) -> None:
    condition = {"column": "status", "op": op, "value": value}
    result = results(shop.load(orders(filters=[condition], columns=["id", "status"])))["orders"]
    assert (result["rows_read"], result["rows_filtered"], result["rows_loaded"]) == (
        1000,
        1000 - kept,
        kept,
    )
    assert [column["name"] for column in result["columns"]] == ["id", "status", "_dlt_load_id"]


def test_filters_on_numbers_in_the_window(shop: Bench) -> None:
    filters = [
        {"column": "total", "op": op, "value": value}
        for op, value in (("gt", "1.25"), ("gte", 1.5), ("lt", 100), ("lte", "99.5"))
    ]
    wanted = orders(
        filters=filters, write_disposition="append", cursor={"column": "id", "initial": "101"}
    )
    result = results(shop.load(wanted))["orders"]
    assert (result["rows_read"], result["rows_filtered"], result["rows_loaded"]) == (900, 602, 298)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"name": "order"}, MissingTable, "orders"),
        ({"columns": ["id", "totel"]}, MissingColumn, "total"),
        ({"write_disposition": "append", "cursor": {"column": "change"}}, MissingColumn, "changed"),
        ({"write_disposition": "merge"}, MissingKey, "primary key"),
        ({"write_disposition": "merge", "primary_key": ["idd"]}, MissingColumn, "id"),
        ({"filters": [{"column": "total", "op": "gt", "value": "much"}]}, BadFilter, "much"),
        ({"filters": [{"column": "totl", "op": "gt", "value": 1}]}, MissingColumn, "total"),
        (
            {"write_disposition": "append", "cursor": {"column": "changed", "initial": "x"}},
            BadFilter,
            "changed",
        ),
        ({"target": "a.b"}, UserError, "a.b"),
    ],
)
def test_refusals_name_what_is_wrong_and_write_nothing(
    shop: Bench, change: dict[str, Any], error: type[UserError], words: str
) -> None:
    with pytest.raises(error) as caught:
        shop.load(orders(**change))
    assert words in str(caught.value)
    assert caught.value.field.startswith("resources.")
    assert not caught.value.transient
    assert not (shop.files / "w.duckdb").exists()


def test_a_column_that_changes_its_type(shop: Bench, postgres_url: str) -> None:
    shop.load(orders(write_disposition="append"))
    pg(
        postgres_url,
        "ALTER TABLE orders ALTER total TYPE text",
        "ALTER TABLE orders ADD extra int DEFAULT 1",
    )
    frozen = {"data_type": "freeze"}
    with pytest.raises(SchemaFrozen, match='"total" to become VARCHAR'):
        shop.load(orders(write_disposition="append", schema_contract=frozen))
    result = results(shop.load(orders(write_disposition="append")))["orders"]
    assert [(c["column"], c["treatment"]) for c in result["schema_changes"]] == [
        ("total", "widened"),
        ("extra", "evolved"),
    ]
    assert there(shop, "SELECT DISTINCT typeof(total), extra FROM raw.orders ORDER BY 2") == [
        ("VARCHAR", 1),
        ("VARCHAR", None),
    ]
    result = results(shop.load(orders()))["orders"]
    assert {"name": "total", "type": "VARCHAR"} in result["columns"]
    assert there(shop, "SELECT DISTINCT typeof(total), extra FROM raw.orders") == [("VARCHAR", 1)]


def test_a_row_without_a_key_is_put_aside(shop: Bench, postgres_url: str) -> None:
    pg(postgres_url, "INSERT INTO orders VALUES (null, 'x', 1, now())")
    result = results(shop.load(orders(write_disposition="merge", primary_key=["id"])))["orders"]
    assert result["rows_rejected"] == 1
    assert result["rejects"] == [{"column": "id", "reason": "has no value in the key", "count": 1}]
    kept = there(shop, "SELECT table_name, column_name, row_json->>'status' FROM raw._dlt_rejects")
    assert kept == [("orders", "id", "x")]


def test_a_whole_database(tmp_path: Path, postgres_url: str) -> None:
    pg(postgres_url, "CREATE SCHEMA shop")
    for number in range(5):
        pg(
            postgres_url,
            f"CREATE TABLE shop.t{number} AS SELECT n AS id FROM generate_series(1, {number}) n",
        )
    pg(
        postgres_url,
        "CREATE VIEW shop.v AS SELECT 1 AS one",
        "CREATE TABLE shop.bad (id int, ID2 int)",
        'ALTER TABLE shop.bad RENAME id2 TO "ID"',
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    bench.spec |= {"mode": "full_database", "source_schema": "shop"}
    events = bench.load(
        {"schema": "shop", "name": "t3", "target": "three", "write_disposition": "append"},
        {"schema": "shop", "name": "t4", "target": "t4", "selected": False},
    )
    assert {name: event["target"] for name, event in results(events).items()} == {
        "bad": "bad",
        "t0": "t0",
        "t1": "t1",
        "t2": "t2",
        "t3": "three",
    }
    assert any("v is a view" in event.get("text", "") for event in events)
    assert summary(events) | {"seconds": 0, "schema_hash": "", "dlt_version": ""} == {
        "rows_loaded": 6,
        "rows_rejected": 0,
        "tables": 5,
        "seconds": 0,
        "schema_hash": "",
        "dlt_version": "",
    }
    assert pg(postgres_url, "SELECT count(*) FROM raw.t0") == [(0,)]


def test_a_failing_table_is_named_and_the_others_stay(tmp_path: Path) -> None:
    bench = Bench(tmp_path, file_endpoint("csv", "*.csv"), file_endpoint("duckdb", "w.duckdb"))
    (bench.files / "a.csv").write_text("id\n1\n2\n")
    good = "".join(f"{n},x\n" for n in range(400_000))
    (bench.files / "b.csv").write_text(f"id,name\n{good}2\n3,y\n")
    events: list[dict[str, Any]] = []
    from pipelines.engine.main import load

    wanted = [{"name": name, "target": name[0]} for name in ("a.csv", "b.csv")]
    with pytest.raises(UserError, match=r"b\.csv, line 400002: 2 fields expected, 1 found"):
        load({**bench.spec, "resources": wanted}, events.append)
    assert [(e["name"], e["status"]) for e in events if e["event"] == "result"] == [
        ("a.csv", "succeeded"),
        ("b.csv", "failed"),
    ]
    assert there(
        bench, "SELECT table_name FROM duckdb_tables() WHERE NOT starts_with(table_name, '_dlt')"
    ) == [("a",)]


def test_json_lines_and_parquet(tmp_path: Path, postgres_url: str) -> None:
    import duckdb

    bench = Bench(tmp_path, file_endpoint("jsonl", "*"), postgres_endpoint(postgres_url))
    (bench.files / "a.jsonl").write_text(
        '{"id": 1, "price": 1.10, "code": "00501", "at": "2026-01-01T10:00:00Z", "tags": ["a", null], "empty": ""}\n'
        '{"id": 9223372036854775807, "price": 22, "code": null, "late": {"x": 1.5}, "odd": 0.30000000000000004}\n'
    )
    result = results(bench.load({"name": "a.jsonl", "target": "a"}))["a.jsonl"]
    types = {column["name"]: column["type"] for column in result["columns"]}
    assert types == {
        "id": "bigint",
        "price": "numeric(18,1)",
        "code": "text",
        "at": "timestamp with time zone",
        "tags": "json",
        "empty": "text",
        "late": "json",
        "odd": "double precision",
        "_dlt_load_id": "text",
    }
    assert len(result["conversions"]) == 3
    assert pg(
        postgres_url,
        "SELECT id, price::text, code, at::text, tags::text, empty, late::text, odd FROM raw.a",
    ) == [
        (1, "1.1", "00501", "2026-01-01 10:00:00+00", '["a",null]', "", None, None),
        (9223372036854775807, "22.0", None, None, None, None, '{"x":1.5}', 0.30000000000000004),
    ]
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT 1.10::DECIMAL(10,2) d, [1,2] l, {'a': 1} s, 'x'::BLOB b,"
            " '2026-01-01 00:00:00.123456'::TIMESTAMP_NS n, 1::UBIGINT u, 'é' t, '' e)"
            f" TO '{bench.files / 'p.parquet'}' (FORMAT parquet)"
        )
    for destination in (postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb")):
        bench.spec |= {"source": file_endpoint("parquet", "*.parquet"), "destination": destination}
        result = results(bench.load({"name": "p.parquet", "target": "p"}))["p.parquet"]
    assert pg(
        postgres_url, "SELECT d::text, l::text, s::text, b, n::text, u::text, t, e FROM raw.p"
    ) == [("1.10", "[1,2]", '{"a":1}', b"x", "2026-01-01 00:00:00.123456", "1", "é", "")]
    assert there(bench, "SELECT d::VARCHAR, l, s, b, n::VARCHAR, u, t, e FROM raw.p") == [
        ("1.10", [1, 2], {"a": 1}, b"x", "2026-01-01 00:00:00.123456", 1, "é", "")
    ]


def test_duckdb_to_duckdb_keeps_its_own_types(tmp_path: Path) -> None:
    import duckdb

    bench = Bench(
        tmp_path, file_endpoint("duckdb", "s.duckdb"), file_endpoint("duckdb", "w.duckdb")
    )
    with duckdb.connect(str(bench.files / "s.duckdb")) as con:
        con.execute(
            """CREATE TABLE t AS SELECT 170141183460469231731687303715884105727::HUGEINT h,
               INTERVAL '1 month 2 days 03:04:05.123456' i, 'infinity'::TIMESTAMP inf, 'nan'::DOUBLE n, 255::UTINYINT u,
               TIMETZ '10:00:00+02' tz, 'a'::ENUM('a', 'b') e, MAP {'k': 1} m, '{"a": 1.10}'::JSON j, uuid() g,
               '101'::BIT bits, [1::HUGEINT] lh, TIMESTAMP_S '2026-01-01 00:00:00' ts"""
        )
    result = results(bench.load({"schema": "main", "name": "t", "target": "t"}))["t"]
    query = "SELECT COLUMNS(* EXCLUDE (e, g))::VARCHAR FROM {}"
    assert there(bench, query.format("raw.t").replace("(e,", "(_dlt_load_id, e,")) == duck(
        bench.files / "s.duckdb", query.format("t")
    )
    assert result["conversions"] == []


def test_sqlite_filters_cursor_and_last_row_of_a_key(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, file_endpoint("sqlite", "s.sqlite"), file_endpoint("duckdb", "w.duckdb")
    )
    with sqlite3.connect(bench.files / "s.sqlite") as con:
        con.execute("CREATE TABLE t (k text, v integer, price decimal(10,2))")
        con.executemany(
            "INSERT INTO t VALUES (?, ?, ?)", [("a", 1, 1.5), ("b", 2, 2), ("a", 3, None)]
        )
    wanted = {
        "schema": "main",
        "name": "t",
        "target": "t",
        "write_disposition": "merge",
        "primary_key": ["k"],
    }
    result = results(bench.load(wanted))["t"]
    assert (result["rows_loaded"], result["rows_deduplicated"]) == (2, 1)
    assert there(bench, "SELECT k, v, price::VARCHAR FROM raw.t ORDER BY k") == [
        ("a", 3, None),
        ("b", 2, "2.00"),
    ]
    filtered = wanted | {"filters": [{"column": "price", "op": "gte", "value": "1.75"}]}
    result = results(bench.load(filtered))["t"]
    assert (result["rows_read"], result["rows_filtered"], result["rows_loaded"]) == (3, 2, 1)


def test_a_load_that_needs_more_memory_gets_it_once(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.engine import session

    monkeypatch.setattr(session, "_FIRST_MB", 3)
    pg(
        postgres_url,
        "CREATE TABLE m AS SELECT n AS id, repeat('x', 900) || n AS v FROM generate_series(1, 40000) n",
    )
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    wanted = {
        "schema": "public",
        "name": "m",
        "target": "m",
        "write_disposition": "merge",
        "primary_key": ["id"],
    }
    events = bench.load(wanted)
    assert results(events)["m"]["rows_loaded"] == 40000
    assert any("more memory" in event.get("text", "") for event in events)
