"""Builds with real dbt on a real DuckDB file and a real PostgreSQL server."""

import contextlib
import time
from typing import Any

import pytest

from common.children.client import ChildPool
from transforms.tests.engine_support import Answer, Engine

MODELS: list[dict[str, Any]] = [
    {
        "name": "stg_orders",
        "folder": "staging",
        "description": "Orders as {{ loaded }}.",
        "sql": "select id, customer_id, status, amount from {{ source('raw', 'orders') }}",
        "columns": [{"name": "id", "description": "The key."}],
        "tests": [
            {"column": "id", "kind": "unique"},
            {"column": "id", "kind": "not_null"},
            {
                "column": "status",
                "kind": "accepted_values",
                "severity": "warn",
                "arguments": {"values": ["placed", "shipped"]},
            },
        ],
    },
    {
        "name": "by_customer",
        "materialization": "ephemeral",
        "sql": "select customer_id, sum(amount) as total from {{ ref('stg_orders') }} group by 1",
    },
    {
        "name": "customers",
        "materialization": "table",
        "schema": "marts",
        "tags": ["nightly"],
        "sql": "select * from {{ ref('by_customer') }}",
    },
    {
        "name": "history",
        "materialization": "incremental",
        "config": {"unique_key": "id"},
        "sql": "select id, amount, customer_id from {{ ref('stg_orders') }}\n"
        "{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}",
        "tests": [
            {
                "column": "customer_id",
                "kind": "relationships",
                "arguments": {"to": "customers", "field": "customer_id"},
            }
        ],
    },
]
UNIQUE = "unique_stg_orders_id"


def _build_twice(engine: Engine) -> tuple[Answer, Answer]:
    first = engine.build(MODELS)
    engine.execute("insert into raw.orders values (5, 3, 'placed', 7)")
    return first, engine.build(MODELS)


def _check(engine: Engine, first: Answer, second: Answer) -> None:
    results = first.results
    assert first.summary["models"] == 3
    assert (first.summary["tests"], first.summary["warned"]) == (4, 1)
    assert (first.summary["failed"], first.summary["skipped"]) == (0, 0)
    assert second.summary["manifest_hash"] == first.summary["manifest_hash"]
    assert {name: results[name]["rows"] for name in ("stg_orders", "customers", "history")} == {
        "stg_orders": None,
        "customers": 3,
        "history": 4,
    }
    assert second.results["history"]["rows"] == 5
    assert "ephemeral" in results["by_customer"]["message"].lower()
    assert [column["name"] for column in results["history"]["columns"]] == [
        *("id", "amount", "customer_id")
    ]
    assert results["customers"]["started_at"] <= results["customers"]["finished_at"]
    assert results["customers"]["finished_at"].endswith("+00:00")
    assert "by_customer" in results["customers"]["compiled_sql"]
    warned = next(r for r in results.values() if r["test_kind"] == "accepted_values")
    assert (warned["status"], warned["failures"], warned["severity"]) == ("warned", 1, "warn")
    assert (warned["model"], warned["column"]) == ("stg_orders", "status")
    assert warned["samples"]["rows"] == [["lost", "1"]]
    assert engine.execute("select customer_id, total from marts.customers order by 1")[0][0] == 1
    assert len(engine.execute("select id from analytics.history")) == 5
    last = first.of("progress")[-1]
    assert last["rows"] == last["total"] == 7
    assert any("history" in e["text"] and "4 rows" in e["text"] for e in first.of("log"))


def test_duckdb_builds_every_kind_and_an_incremental_adds_only_new_rows(
    duckdb_engine: Engine, dbt_pool: ChildPool
) -> None:
    first, second = _build_twice(duckdb_engine)
    _check(duckdb_engine, first, second)
    report = dbt_pool.warm_up()
    assert not report.failed
    assert report.threads == 1


def test_mysql_builds_every_kind_and_an_incremental_adds_only_new_rows(
    mysql_engine: Engine,
) -> None:
    first, second = _build_twice(mysql_engine)
    _check(mysql_engine, first, second)


def test_postgres_builds_every_kind_and_an_incremental_adds_only_new_rows(
    postgres_engine: Engine,
) -> None:
    first, second = _build_twice(postgres_engine)
    _check(postgres_engine, first, second)
    types = {c["name"]: c["type"] for c in first.results["history"]["columns"]}
    assert types == {"id": "integer", "amount": "numeric(10,2)", "customer_id": "integer"}


def _failing(name: str) -> list[dict[str, Any]]:
    return [
        {
            "name": "keys",
            "materialization": "table",
            "sql": "select customer_id from {{ source('raw', 'orders') }}",
            "tests": [{"column": "customer_id", "kind": "unique"}],
        },
        {"name": "after", "sql": "select * from {{ ref('keys') }}"},
        {"name": "apart", "sql": "select 1 as one"},
        {
            "name": "broken",
            "materialization": "table",
            "sql": f"\nselect\n  1 as one,\n  {name} as two\nfrom {{{{ ref('apart') }}}}",
        },
    ]


@pytest.mark.parametrize("kind", ["duckdb", "postgres", "mysql"])
def test_failures_name_their_place_and_skip_what_is_behind_them(
    kind: str, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    models = _failing("missing_column")
    answer = engine.build(models)
    results = answer.results
    test = results["unique_keys_customer_id"]
    assert (test["status"], test["failures"]) == ("failed", 1)
    assert test["samples"]["rows"] == [["1", "2"]]
    assert results["after"]["status"] == "skipped"
    assert "unique_keys_customer_id" in results["after"]["message"]
    assert results["apart"]["status"] == "succeeded"
    assert results["broken"]["message"].startswith("line 4, column 3: ")
    assert "missing_column" in results["broken"]["message"]
    error = answer.error
    assert (error["code"], error["transient"]) == ("transform_failed", False)
    assert "broken (line 4, column 3: " in error["message"]
    assert str(engine.directory) not in str(answer.events)
    # Without the broken one it is the test that fails the run.
    only = engine.build(models, select=["keys", "after"])
    assert only.error["code"] == "test_failed"
    assert "unique_keys_customer_id (1 row fails)" in only.error["message"]


def test_selection_is_exact(duckdb_engine: Engine) -> None:
    assert "history" not in duckdb_engine.build(MODELS, select=["stg_orders"]).results
    alone = duckdb_engine.build(MODELS, select=["by_customer"])
    assert alone.summary["models"] == 0
    assert alone.results["by_customer"]["status"] == "succeeded"
    unknown = duckdb_engine.build(MODELS, select=["stg_orders", "gone"])
    assert unknown.error["code"] == "nothing_selected"
    assert "gone" in unknown.error["message"]
    disabled = [{"name": "off", "sql": "{{ config(enabled=false) }} select 1 as one"}]
    assert "disabled" in duckdb_engine.build(disabled).error["message"]


def test_full_refresh_and_what_the_sql_itself_configures(duckdb_engine: Engine) -> None:
    models = [
        {
            "name": "grows",
            "materialization": "view",
            "sql": "{{ config(materialized='incremental', alias='grown') }} select 1 as one",
        }
    ]
    sizes = [duckdb_engine.build(models).results["grows"]["rows"] for _ in range(2)]
    refreshed = duckdb_engine.build(models, full_refresh=True)
    assert (*sizes, refreshed.results["grows"]["rows"]) == (1, 2, 1)
    assert duckdb_engine.execute("select count(*) from analytics.grown") == [(1,)]


def test_connection_trouble_is_tried_again_and_a_refused_login_is_not(
    postgres_engine: Engine,
) -> None:
    config = postgres_engine.warehouse["config"]
    config["database"] = "no_such_database"
    refused = postgres_engine.build(MODELS).error
    assert not refused["transient"]
    config["port"] = 1
    away = postgres_engine.build(MODELS).error
    assert away["transient"]


@pytest.mark.parametrize("kind", ["duckdb", "postgres", "mysql"])
def test_a_cancelled_build_ends_its_query(kind: str, request: pytest.FixtureRequest) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    slow = "select count(*) as n from range(100000000) a(i), range(100000) b(j) where i * j % 7 = 3"
    if kind == "postgres":
        slow = "select pg_sleep(60)::text as n"
    if kind == "mysql":
        slow = "select benchmark(100000000000, md5('x')) as n"
    models = [{"name": "slow", "materialization": "table", "sql": slow}]
    child = engine.pool.spawn(*engine.order("build", models, select=["slow"]))
    with contextlib.closing(child):
        events: list[dict[str, Any]] = []
        while not any("Building slow" in event.get("text", "") for event in events):
            events += child.read_events(30)
        time.sleep(0.5)  # from the announcement to the query
        started = time.monotonic()
        child.terminate()
        while not child.finished:
            events += child.read_events(1)
        assert time.monotonic() - started < 10
    assert events[-1]["event"] == "error"
    assert not events[-1]["transient"]
    if kind == "postgres":
        busy = "select count(*) from pg_stat_activity where state = 'active' and query like '%sleep(60)%'"
        assert engine.execute(busy + " and pid <> pg_backend_pid()") == [(0,)]
    if kind == "mysql":
        busy = "select count(*) from information_schema.processlist where info like 'create table%benchmark%'"
        assert engine.execute(busy) == [(0,)]
