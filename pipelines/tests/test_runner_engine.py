"""The doors to the engine with the engine behind them: SQLite into DuckDB, in child processes."""

import sqlite3
from contextlib import closing
from typing import Any

import duckdb
import pytest

from conftest_site import Person
from connections.runner import call, files_root
from pipelines import runner, services
from pipelines.cursors import find_cursor
from pipelines.models import Pipeline
from pipelines.runner import LoadOptions
from pipelines.tests.factories import make_pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db

ORDERS = {
    "name": "orders",
    "write_disposition": "merge",
    "primary_key": ["id"],
    "cursor_column": "updated_at",
    "schema_contract": {"data_type": "discard_row"},
    "column_settings": {"status": {"rename": "state", "transform": "hash"}},
}


@pytest.fixture
def pipeline(organization: Organization, editor: Person) -> Pipeline:
    return make_pipeline(organization, editor, resources=[ORDERS])


def load(pipeline: Pipeline, number: int, **options: Any) -> dict[str, Any]:
    """The result of the one table, recorded as the executor does."""
    work = runner.work_dir(pipeline)
    work.mkdir(parents=True, exist_ok=True)
    spec = runner.build_spec(pipeline, load_id=f"170000000{number}.{number}")
    spec["options"] = LoadOptions.of(**options).as_json()
    events = call(pipeline.organization, runner.ENTRY, spec, writable=(work,), seconds=60)
    (result,) = [event for event in events if event["event"] == "result"]
    runner.record_result(pipeline, result)
    assert not [event for event in events if spec["hash_key"] in str(event)]
    return result


def shop(pipeline: Pipeline, *statements: str) -> None:
    path = files_root(pipeline.organization) / "shop.sqlite"
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def rows(pipeline: Pipeline, query: str) -> list[tuple[Any, ...]]:
    path = files_root(pipeline.organization) / "warehouse.duckdb"
    with duckdb.connect(str(path), read_only=True) as warehouse:
        return warehouse.execute(query).fetchall()


def test_a_cursor_set_back_and_a_range(pipeline: Pipeline, editor: Person) -> None:
    assert find_cursor(pipeline, "orders").value is None
    assert load(pipeline, 1)["rows_loaded"] == 4
    state = find_cursor(pipeline, "orders")
    assert (state.value, state.edit, state.is_pending) == ("2024-01-04", 0, False)
    assert pipeline.cursors["orders"]["value"] == "2024-01-04"

    state = services.set_cursor(
        pipeline=pipeline, actor=editor.actor, resource="orders", value="2024-01-02"
    )
    assert find_cursor(pipeline, "orders").is_pending
    # A merge takes the row at its cursor again.
    assert load(pipeline, 2)["rows_read"] == 3
    state = find_cursor(pipeline, "orders")
    assert (state.value, state.edit, state.is_pending) == ("2024-01-04", 1, False)
    assert pipeline.cursors["orders"] == {
        "column": "updated_at",
        "value": "2024-01-04",
        "edit": 1,
    }

    asked: dict[str, Any] = {"cursor_from": "2024-01-02", "cursor_to": "2024-01-04"}
    (counted,) = runner.estimate(pipeline, LoadOptions.of(**asked))
    assert (counted["name"], counted["source_rows"], counted["target_rows"]) == ("orders", 4, 4)
    assert (counted["range_rows"], counted["range_target_rows"]) == (2, 2)
    shop(pipeline, "DELETE FROM orders WHERE id = 2")
    load(pipeline, 3, **asked)
    assert rows(pipeline, "SELECT id FROM raw_shop.orders ORDER BY id") == [(1,), (3,), (4,)]


def test_hashes_depend_on_the_organization_s_key(pipeline: Pipeline) -> None:
    load(pipeline, 1)
    hashed = {row[0] for row in rows(pipeline, "SELECT DISTINCT state FROM raw_shop.orders")}
    assert len(hashed) == 3
    assert {len(text) for text in hashed} == {64}
    assert "paid" not in hashed


def test_rejected_rows_are_listed_and_discarded(pipeline: Pipeline, editor: Person) -> None:
    assert runner.list_rejects(pipeline)["rows"] == []
    load(pipeline, 1)
    shop(pipeline, "INSERT INTO orders VALUES (5, 'paid', 'a lot', '2024-01-05')")
    assert load(pipeline, 2)["rows_rejected"] == 1
    page = runner.list_rejects(pipeline, table="orders")
    assert page["tables"] == [{"table_name": "orders", "count": 1}]
    (row,) = page["rows"]
    assert (row["column_name"], row["raw_value"]) == ("total", "a lot")
    ids = [row["reject_id"], "unknown"]
    assert services.discard_rejects(pipeline=pipeline, actor=editor.actor, ids=ids) == 1
    assert runner.list_rejects(pipeline)["tables"] == []
