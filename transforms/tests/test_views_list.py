"""The list of transformations and the list of source tables."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from conftest_site import Person
from connections.models import Connection
from tenants.models import Organization
from transforms.models import BuildStatus, Transformation
from transforms.tests.warehouse import known_table, make, make_warehouse

ROOT = "/o/acme/transformations/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make_warehouse(organization)


@pytest.fixture
def rows(warehouse: Connection) -> list[Transformation]:
    orders = make(warehouse, "stg_orders", folder="staging", tags=("nightly",))
    facts = make(
        warehouse,
        "fct_orders",
        "select * from {{ ref('stg_orders') }}",
        folder="marts/finance",
        materialization="table",
        tests=({"column": "id", "kind": "unique"}, {"column": "id", "kind": "not_null"}),
    )
    facts.build_status, facts.row_count = BuildStatus.FAILED, 42
    facts.built_at = timezone.now()
    facts.save()
    return [orders, facts, make(warehouse, "dim_day", "select 1 as id", folder="marts")]


def names(client: Client, query: str = "", **headers: str) -> list[str]:
    answer = client.get(ROOT + query, headers=headers)
    assert answer.status_code == 200
    return re.findall(r'row-link mono" href="[^"]*">(\w+)<', answer.content.decode())


def test_page_and_fragment_give_the_same_rows_by_folder(
    rows: list[Transformation], viewer: Person
) -> None:
    assert names(viewer.client) == ["dim_day", "fct_orders", "stg_orders"]
    assert names(viewer.client, **HTMX) == names(viewer.client)
    text = viewer.client.get(ROOT, headers=HTMX).content.decode()
    assert "<html" not in text
    folders = re.findall(r'scope="rowgroup">.*?mono">([\w/]+)<', text)
    assert folders == ["marts", "marts/finance", "staging"]
    assert "0/2" in text
    assert "Never built" in text
    assert "Failed" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=ORDERS", ["fct_orders", "stg_orders"]),
        ("?folder=marts", ["dim_day", "fct_orders"]),
        ("?folder=marts/finance", ["fct_orders"]),
        ("?status=failed", ["fct_orders"]),
        ("?status=untested&tag=nightly", ["stg_orders"]),
        ("?warehouse=analytics&q=dim", ["dim_day"]),
        ("?q=nothing", []),
        ("?view=flat&sort=-name", ["stg_orders", "fct_orders", "dim_day"]),
        ("?view=flat&sort=-rows", ["fct_orders", "dim_day", "stg_orders"]),
        ("?view=flat&sort=odd", ["dim_day", "fct_orders", "stg_orders"]),
        ("?after=100", []),
    ],
)
def test_filters_and_orders(
    rows: list[Transformation], viewer: Person, query: str, found: list[str]
) -> None:
    assert sorted(names(viewer.client, query)) == sorted(found)
    if "sort" in query and "rows" not in query:
        assert names(viewer.client, query) == found


def test_each_role_sees_what_it_may_do(
    rows: list[Transformation], editor: Person, viewer: Person, stranger: Person
) -> None:
    mine = editor.client.get(ROOT).content.decode()
    assert "New transformation" in mine
    assert "Build selected" in mine
    theirs = viewer.client.get(ROOT).content.decode()
    assert "New transformation" not in theirs
    assert "Build selected" not in theirs
    for path in ("", "-/sources/", "stg_orders/", "-/new/"):
        assert stranger.client.get(ROOT + path).status_code == 404
    assert viewer.client.get(ROOT + "-/new/").status_code == 403
    assert viewer.client.get(ROOT + "stg_orders/delete/").status_code == 403
    assert editor.client.get(ROOT + "gone/").status_code == 404


def test_none_yet_and_none_match_are_told_apart(
    organization: Organization, editor: Person, viewer: Person
) -> None:
    text = editor.client.get(ROOT).content.decode()
    assert "It needs a warehouse first" in text
    assert "New transformation" not in text
    warehouse = make_warehouse(organization)
    assert "New transformation" in editor.client.get(ROOT).content.decode()
    assert "An editor of the organization" in viewer.client.get(ROOT).content.decode()
    make(warehouse, "orders")
    assert "None match" in editor.client.get(ROOT + "?q=zzz").content.decode()


def test_selected_transformations_are_built_in_one_run(
    rows: list[Transformation], editor: Person
) -> None:
    answer = editor.client.post(
        "/o/acme/runs/create/", {"target": "dag", "select": ["stg_orders", "dim_day"]}, follow=True
    )
    assert answer.status_code == 200
    assert "stg_orders dim_day" in answer.content.decode()
    nothing = editor.client.post("/o/acme/runs/create/", {"target": "dag", "from_list": "1"})
    assert nothing.status_code == 422
    assert "Nothing is selected." in nothing.content.decode()


def test_source_tables_offer_their_call_and_a_staging_view(
    warehouse: Connection, organization: Organization, editor: Person, viewer: Person
) -> None:
    assert "No source tables yet" in editor.client.get(ROOT + "-/sources/").content.decode()
    known_table(warehouse)
    known_table(warehouse, "refunds")
    make(warehouse, "stg_orders")
    text = editor.client.get(ROOT + "-/sources/").content.decode()
    assert "source(&#x27;raw_shop&#x27;, &#x27;orders&#x27;)" in text
    assert "/transformations/stg_orders/" in text, "who reads it"
    assert "New staging view" in text
    found = editor.client.get(ROOT + "-/sources/?q=raw_shop.ref", headers=HTMX).content.decode()
    assert "refunds" in found
    assert "orders</span>" not in found
    assert "New staging view" not in viewer.client.get(ROOT + "-/sources/").content.decode()
    draft = editor.client.get(
        ROOT + "-/new/?warehouse=analytics&dataset=raw_shop&table=orders"
    ).content.decode()
    assert 'value="stg_raw_shop__orders"' in draft
    assert 'value="staging"' in draft
    assert "from {{ source(" in draft
    missing = editor.client.get(ROOT + "-/new/?warehouse=analytics&dataset=raw_shop&table=no")
    assert missing.status_code == 404


def test_deleting_keeps_what_was_built_and_asks_the_readers_first(
    rows: list[Transformation], editor: Person
) -> None:
    asked = editor.client.get(ROOT + "stg_orders/delete/").content.decode()
    assert "fct_orders" in asked
    assert "disabled" in asked
    refused = editor.client.post(ROOT + "stg_orders/delete/", follow=True).content.decode()
    assert "read from “stg_orders”" in refused
    done = editor.client.post(ROOT + "dim_day/delete/", follow=True).content.decode()
    assert "What it built stays in the warehouse." in done
    assert names(editor.client) == ["fct_orders", "stg_orders"]
