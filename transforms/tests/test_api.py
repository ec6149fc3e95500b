"""Transformations over the API."""

import json
from typing import Any

import pytest
from django.test import Client

from common.access import Role
from conftest_site import Person
from connections.models import Connection
from tenants import services as tenants
from tenants.models import Organization
from transforms.tests.warehouse import ORDERS, load_orders, make, make_warehouse

ROOT = "/api/v1/organizations/acme/transformations/"


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make_warehouse(organization)


@pytest.fixture
def key(organization: Organization, owner: Person) -> Client:
    _key, text = tenants.issue_api_key(
        organization=organization,
        name="deploy",
        role=Role.EDITOR,
        actor=owner.actor,
        created_by=owner.user,
    )
    return Client(headers={"Authorization": f"Bearer {text}"})


def send(client: Client, method: str, path: str, data: dict[str, Any]) -> Any:
    return client.generic(method, ROOT + path, json.dumps(data), content_type="application/json")


def test_a_transformation_is_created_read_changed_and_deleted(
    warehouse: Connection, key: Client
) -> None:
    data = {
        "name": "orders",
        "sql": ORDERS,
        "connection": "analytics",
        "tags": ["nightly"],
        "config": {"unique_key": ["id"], "meta": {"a": 1}},
        "columns": {"id": "The number"},
        "tests": [
            {"column": "id", "kind": "unique"},
            {"column": "status", "kind": "accepted_values", "arguments": {"values": ["paid", 1]}},
        ],
    }
    made = send(key, "POST", "", data)
    assert made.status_code == 201, made.content
    shown = key.get(ROOT + "orders/").json()
    assert shown == made.json()
    assert (shown["version"], shown["build"]["status"]) == (1, "untested")
    assert shown["columns"] == [{"name": "id", "data_type": "", "description": "The number"}]
    assert shown["tests"][1]["arguments"] == {"values": ["paid", 1]}
    assert shown["reads"] == {
        "transformations": [],
        "sources": [{"dataset": "raw_shop", "table": "orders"}],
    }
    changed = send(key, "PATCH", "orders/", {"description": "New", "version": 1})
    assert changed.status_code == 200
    kept = {k: v for k, v in shown.items() if k not in ("description", "version", "updated_at")}
    assert kept.items() <= changed.json().items(), "only what was named has changed"
    late = send(key, "PATCH", "orders/", {"description": "Late", "version": 1})
    assert (late.status_code, late.json()["code"]) == (409, "edit_conflict")
    assert send(key, "PATCH", "orders/", {"tests": []}).json()["tests"] == []
    make(warehouse, "reader", "select * from {{ ref('orders') }}")
    used = key.delete(ROOT + "orders/")
    assert (used.status_code, used.json()["code"]) == (409, "transformation_in_use")
    assert key.delete(ROOT + "reader/").status_code == 204
    assert key.delete(ROOT + "orders/").status_code == 204
    assert key.get(ROOT + "orders/").status_code == 404


def test_lists_filter_and_roles_hold(
    warehouse: Connection, editor: Person, viewer: Person, stranger: Person
) -> None:
    make(warehouse, "stg_orders", folder="staging", tags=("nightly",))
    make(warehouse, "fct_orders", "select 1 as id", folder="marts")
    rows = viewer.client.get(ROOT).json()["results"]
    assert [row["name"] for row in rows] == ["fct_orders", "stg_orders"]
    assert "sql" not in rows[0]
    for query in ("?tag=nightly", "?folder=staging", "?q=stg", "?connection=analytics&q=stg"):
        found = viewer.client.get(ROOT + query).json()["results"]
        assert [row["name"] for row in found] == ["stg_orders"], query
    assert viewer.client.get(ROOT + "?status=odd").status_code == 422
    assert viewer.client.delete(ROOT + "stg_orders/").status_code == 403
    assert stranger.client.get(ROOT).status_code == 404
    for path in ("compile/", "preview/"):
        assert send(viewer.client, "POST", f"stg_orders/{path}", {}).status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"connection": "nowhere"}, "connection"),
        ({"name": "No"}, "name"),
        ({"tags": ["two words"]}, "tags"),
        ({"tests": [{"column": "id", "kind": "odd"}]}, "tests"),
        ({"sql": ""}, "sql"),
    ],
)
def test_what_is_wrong_is_named(
    warehouse: Connection, key: Client, change: dict[str, Any], field: str
) -> None:
    data = {"name": "orders", "sql": ORDERS, "connection": "analytics", **change}
    answer = send(key, "POST", "", data)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.content


def test_compile_and_preview_answer_rows_or_the_place_of_the_error(
    warehouse: Connection, key: Client
) -> None:
    load_orders(warehouse)
    make(warehouse, "orders")
    compiled = send(key, "POST", "orders/compile/", {}).json()
    assert '"raw_shop"."orders"' in compiled["compiled_sql"]
    rows = send(key, "POST", "orders/preview/", {"limit": 1}).json()
    assert (rows["rows"], rows["truncated"]) == ([["1", "paid"]], True)
    wrong = send(key, "POST", "orders/preview/", {"sql": "select 1,\n  nothing as x"})
    assert wrong.status_code == 422
    problem = wrong.json()
    assert (problem["code"], problem["name"]) == ("query_failed", "orders")
    assert (problem["line"], problem["column"]) == (2, 3)
