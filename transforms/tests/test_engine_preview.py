"""Compile and preview of text that nobody has saved yet: positions, limits, and nothing written."""

from pathlib import Path
from typing import Any

import pytest

from transforms.tests.engine_support import Engine

MODELS: list[dict[str, Any]] = [
    {
        "name": "orders",
        "materialization": "table",
        "sql": "select id, status, amount, nullif(customer_id, 2) as customer_id"
        " from {{ source('raw', 'orders') }}",
    },
    {
        "name": "history",
        "materialization": "incremental",
        "sql": "select id from {{ ref('orders') }}"
        "{% if is_incremental() %} where id > (select max(id) from {{ this }}){% endif %}",
    },
]
#: Text → what the refusal says.
WRITES = {
    "drop table analytics.orders": "SELECT|syntax error|SQL syntax",
    "with gone as (delete from analytics.orders returning *) select * from gone": "DELETE|WITH|CTE|SQL syntax",
    "select 1) as x; drop table analytics.orders; select * from (select 1": "syntax|multiple commands",
    "{% if execute %}{% do run_query('drop table analytics.orders') %}{% endif %} select 1 as x": (
        "read-only|DROP|SQL syntax"
    ),
}
FILE = "/tmp/datanika_attack_mysql"
MYSQL_WRITES = {
    f"select 1) as x into outfile '{FILE}' -- ": "SQL syntax",
    f"select 1) as x into outfile '{FILE}' /*": "SQL syntax",
    f"{{% do run_query(\"select 1 into outfile '{FILE}'\") %}} select 1": "SQL syntax",
    "{% do run_query('set session transaction read write') %} select 1": "SQL syntax",
    "{% do run_query('commit; drop table analytics.orders') %} select 1": "SQL syntax",
    "{% do run_query('select 1) as x; set session transaction read write; drop table analytics.orders;"
    " select * from (select 1') %} select 1": "SQL syntax",
    "select 1) as x; commit; drop table analytics.orders; -- ": "SQL syntax",
    "{% do run_query('show columns from `a`; drop table analytics.orders') %} select 1": "SQL syntax",
}
POSTGRES_WRITES = {
    "select 1) as x; commit; drop table analytics.orders; --": "syntax",
    "{% do run_query('select 1; commit; drop table analytics.orders') %} select 1 as x": "multi-query",
    "{% do run_query('commit') %}{% do run_query('drop table analytics.orders') %} select 1": "COMMIT",
    "select 1) as x; drop table analytics.orders; select * from (select 1": "multiple commands",
    "select set_config('transaction_read_only', 'off', false), set_config('statement_timeout', '0', false)": (
        "read-write"
    ),
}


@pytest.fixture(params=["duckdb", "postgres", "mysql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    engine.execute(f"create schema {engine.schemas.get('analytics', 'analytics')}")
    return engine


def _built(engine: Engine) -> Engine:
    assert engine.build(MODELS).summary["failed"] == 0
    return engine


def test_compile_needs_no_warehouse_and_names_line_and_cause(engine: Engine) -> None:
    compiled = engine.compile(MODELS, "history", MODELS[1]["sql"]).value
    assert "where" not in compiled["compiled_sql"], "a first build's SQL"
    assert "orders" in compiled["compiled_sql"]
    assert compiled["ms"] > 0
    broken = engine.compile(MODELS, "fresh", "\nselect 1,\n  {{ ref('orders') }\n").error
    assert (broken["code"], broken["name"], broken["line"]) == ("compile_failed", "fresh", 3)
    assert broken["message"].startswith("fresh: line 3: unexpected '}'")
    unknown = engine.compile(MODELS, "fresh", "select * from {{ ref('nowhere') }}").error
    assert "nowhere" in unknown["message"]
    assert unknown["name"] == "fresh"
    undefined = engine.compile(MODELS, "fresh", "select {{ no_such_macro() }}").error
    assert "'no_such_macro' is undefined" in undefined["message"]
    for error in (broken, unknown, undefined):
        assert "models/" not in str(error)
        assert str(engine.directory) not in str(error)


def test_preview_shows_text_types_and_the_position_of_an_error(engine: Engine) -> None:
    _built(engine)
    sql = "-- all of them\nselect * from {{ ref('orders') }} order by id;"
    value = engine.preview(MODELS, "fresh", sql, limit=3).value
    assert [column["name"] for column in value["columns"]] == [
        *("id", "status", "amount", "customer_id")
    ]
    assert value["columns"][0]["type"] in ("integer", "int4", "bigint")
    assert value["rows"] == [
        ["1", "placed", "10.00", "1"],
        ["2", "shipped", "20.50", "1"],
        ["3", "placed", "5.25", None],
    ]
    assert (value["row_count"], value["truncated"]) == (3, True)
    assert engine.preview(MODELS, "orders", MODELS[0]["sql"]).value["truncated"] is False
    wrong = "select id,\n  no_column\nfrom {{ ref('orders') }}"
    error = engine.preview(MODELS, "fresh", wrong).error
    assert (error["code"], error["line"], error["column"]) == ("query_failed", 2, 3)
    assert error["message"].startswith("fresh: line 2, column 3: ")
    assert "no_column" in error["message"]


def test_preview_and_compile_cannot_write(engine: Engine) -> None:
    _built(engine)
    own = {"postgres": POSTGRES_WRITES, "mysql": MYSQL_WRITES}
    for sql, words in {**WRITES, **own.get(engine.warehouse["connector"], {})}.items():
        error = engine.preview(MODELS, "fresh", engine.text(sql)).error
        assert any(word in error["message"] for word in words.split("|")), (sql, error)
        assert engine.execute("select count(*) from analytics.orders") == [(4,)], sql
    # Asking while the text compiles is fine.
    asks = (
        "{% if execute %}{% set n = run_query('select count(*) from raw.orders').rows[0][0] %}"
        "{% endif %} select {{ n or 0 }} as n"
    )
    assert engine.preview(MODELS, "fresh", engine.text(asks)).value["rows"] == [["4"]]
    assert not Path(FILE).exists()


def test_a_preview_ends_after_its_time(engine: Engine) -> None:
    endless = (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    )
    if engine.warehouse["connector"] == "mysql":
        # MariaDB ends a recursion by itself.
        endless = "select benchmark(1000000000, md5('x')) as n"
    error = engine.preview(MODELS, "fresh", endless, limits={"preview_seconds": 1}).error
    assert "within 1 second" in error["message"]
