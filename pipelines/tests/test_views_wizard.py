"""The wizard from the first click to the pipeline, through the pages, on real sources."""

import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from django.urls import reverse

from conftest_site import Person
from connections.runner import files_root, pool
from pipelines import services
from pipelines.models import Pipeline, PipelineDraft, WriteDisposition
from pipelines.tests.factories import make_csv, make_pipeline, make_shop, make_warehouse
from pipelines.wizard import Draft
from tenants.models import Organization

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """The warm parent imports dlt and dbt once; on a busy machine that outlasts a question's time."""
    pool().warm_up()


class Wizard:
    """A person's way through the steps."""

    def __init__(self, person: Person, organization: Organization) -> None:
        self.client, self.organization = person.client, organization
        self.root = reverse("pipelines:pipeline-create", args=[organization.slug])

    def begin(self, source: str) -> str:
        """Choose the source; where it leads."""
        response = self.client.post(self.root, {"source": source})
        assert response.status_code == 302
        self.pk = PipelineDraft.objects.for_organization(self.organization).get().pk
        return str(response["Location"])

    def url(self, step: str) -> str:
        return f"{self.root}{self.pk}/{step}/"

    def get(self, step: str, **query: str) -> str:
        response = self.client.get(self.url(step), query)
        assert response.status_code == 200, response
        return str(response.content.decode())

    def post(self, step: str, data: dict[str, Any], status: int = 302, **headers: str) -> Any:
        response = self.client.post(self.url(step), data, headers=headers)
        assert response.status_code == status, response.content.decode()
        return response

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = PipelineDraft.all_organizations.get(pk=self.pk).data
        return data


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_one_table_from_the_source_to_the_pipeline(
    organization: Organization, editor: Person, viewer: Person, owner: Person
) -> None:
    shop, warehouse = make_shop(organization), make_warehouse(organization)
    wizard = Wizard(editor, organization)
    assert shop.name in editor.client.get(wizard.root).content.decode()
    assert not PipelineDraft.all_organizations.exists()
    assert wizard.begin("shop") == wizard.url("what")

    page = wizard.get("what")
    assert ">orders<" in page
    assert ">customers<" in page
    assert ">customers<" not in wizard.get("what", q="ord")
    wizard.post("what", {"table": '["main", "orders"]'})
    # A closed tab loses nothing, and only its owner sees it.
    listed = editor.client.get(reverse("pipelines:pipeline-list", args=[organization.slug]))
    assert "Shop: orders" in text_of(listed)
    for other, status in ((owner, 404), (viewer, 403)):
        assert other.client.get(wizard.url("how")).status_code == status

    page = wizard.get("how")
    key = re.search(r'name="primary_key" value="id"[^>]*>', page)
    assert key is not None
    assert "checked" in key[0], "the key the source declares is proposed"
    how: dict[str, Any] = {
        "write_disposition": "merge",
        "target": "orders",
        "columns": ["id", "status", "total", "updated_at"],
        "primary_key": "id",
        "cursor_column": "updated_at",
        "cursor_initial": "2024-01-01",
        "filter-0-column": "status",
        "filter-0-op": "eq",
        "filter-0-value": "paid",
    }
    added = wizard.post("how", {**how, "action": "add-filter:"}, status=200)
    assert b'name="filter-1-value"' in added.content
    shown = wizard.post("how", {**how, "action": "preview"}, 200, HX_Request="true")
    assert "paid" in text_of(shown)
    assert b"<html" not in shown.content
    wrong = wizard.post("how", {**how, "filter-0-value": ""}, status=422)
    assert "has no value to compare with" in text_of(wrong)
    assert "write_disposition" not in wizard.data["resources"][0]
    wizard.post("how", how)

    page = wizard.get("destination")
    assert 'value="raw_shop_orders"' in page
    wizard.post("destination", {"name": "", "destination": "warehouse"}, status=422)
    wizard.post("destination", {"name": "Shop orders", "destination": warehouse.slug})

    page = wizard.get("review")
    assert "merged on id" in page
    assert "primary_key: [id]" in page
    target = "pipeline:shop-orders"
    data = {"action": "run", "target": target}
    created = editor.client.post(wizard.url("review"), data, follow=True)
    run_create = reverse("orchestration:run-create", args=[organization.slug])
    assert created.redirect_chain[0] == (run_create, 307)
    assert (created.status_code, "Shop orders" in text_of(created)) == (200, True)
    assert created.request["PATH_INFO"].endswith("/runs/1/")
    pipeline = Pipeline.objects.for_organization(organization).get()
    resource = services.definition_of(pipeline).resources[0]
    assert resource.write_disposition is WriteDisposition.MERGE
    assert (resource.primary_key, resource.columns) == (("id",), ())
    assert resource.filters == ({"column": "status", "op": "eq", "value": "paid"},)
    assert pipeline.dataset == "raw_shop_orders"
    assert not PipelineDraft.all_organizations.exists()


def test_a_whole_database_with_a_table_set_apart(
    organization: Organization, editor: Person
) -> None:
    make_shop(organization)
    make_warehouse(organization)
    wizard = Wizard(editor, organization)
    wizard.begin("shop")
    assert "Take all tables of main" in wizard.get("what", mode="full_database", schema="main")
    wizard.post("what", {"mode": "full_database", "schema": "main"})
    wizard.post("how/add", {"table": '["main", "orders"]'})
    wizard.post("how/add", {"table": '["main", "customers"]'})
    columns = ["id", "name", "country"]
    wizard.post("how/1", {"write_disposition": "append", "columns": columns})
    assert wizard.data["resources"][1]["is_selected"] is False
    assert "customers is left out" in wizard.get("how")
    wizard.post("how/0/remove", {})
    wizard.post("how", {"write_disposition": "append"})
    wizard.post("destination", {"name": "All", "destination": "warehouse", "dataset": "raw_all"})
    wizard.post("review", {"action": "create"})
    pipeline = Pipeline.objects.for_organization(organization).get()
    assert pipeline.write_disposition == WriteDisposition.APPEND
    assert [one.name for one in services.resources_of(pipeline)] == ["customers"]


def make_many_tables(organization: Organization, number: int) -> None:
    """A shop with many more tables: order_00000, Order_00001 and so on by turns."""
    make_shop(organization)
    with closing(sqlite3.connect(files_root(organization) / "shop.sqlite")) as database:
        for at in range(number):
            name = f"{'Order' if at % 2 else 'order'}_{at:05d}"
            database.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)")
        database.commit()


def test_chosen_tables_across_pages_and_searches(
    organization: Organization, editor: Person
) -> None:
    make_many_tables(organization, 1100)
    make_warehouse(organization)
    wizard = Wizard(editor, organization)
    wizard.begin("shop")
    page = wizard.get("what", mode="chosen_tables", q="order_")
    assert "1–50 of 1,100" in page
    shown = re.findall(r'name="shown" value="([^"]*)"', page)
    assert len(shown) == 50
    form = {"mode": "chosen_tables", "schema": "main", "shown-schema": "main", "q": "order_"}
    picked = form | {"shown": shown, "chosen": shown[:2]}
    moved = wizard.post("what", {**picked, "action": "next", "page": "1"})
    assert "page=2" in moved["Location"]
    page = editor.client.get(moved["Location"]).content.decode()
    assert "51–100 of 1,100" in page
    # The other page's ticks are still there, and this page's are added to them.
    second = re.findall(r'name="shown" value="([^"]*)"', page)
    live = form | {"shown": second, "chosen": second[:1], "action": "tick", "page": "2"}
    answer = text_of(wizard.post("what", live, 200, HX_Request="true"))
    assert "3 of 1,102 tables" in answer
    # Patterns count at once, also what they leave out.
    patterns = {"include": "cust*\n*_0109?", "exclude": "order_*", "shown": [], "chosen": []}
    page = wizard.post("what", {**form, **patterns, "action": "show"}, 200, HX_Request="true")
    # customers, five of the last ten, and those ticked whose names begin with a capital.
    assert wizard.data["picking"]["main"]["names"] == sorted([*shown[:2], *second[:1]])
    taken = [*shown[:2], *second[:1]]
    kept = sum(1 for name in taken if name.startswith("Order_"))
    assert f"{6 + kept} of 1,102 tables" in text_of(page)
    assert b"<html" not in page.content
    # All that were found are a pattern when they are many, ticks when they are few.
    clear = {"include": "", "exclude": ""}
    many = wizard.post("what", {**form, **clear, "action": "matching-all"}, 200, HX_Request="true")
    assert re.search(r'id="choose-include"[^>]* hx-swap-oob="true">\*\[oO\]', many.content.decode())
    assert wizard.data["picking"]["main"]["include"] == ["*[oO][rR][dD][eE][rR]_*"]
    wizard.post("what", {**form, **clear, "q": "0001", "action": "matching-all"})
    assert len(wizard.data["picking"]["main"]["names"]) == 13, "two stay"
    wizard.post("what", {**form, **clear, "q": "", "action": "matching-none"})
    assert wizard.data["picking"]["main"]["names"] == []
    refused = wizard.post("what", {**form, **clear, "action": "continue"}, 422)
    assert "Tick a table, or write a pattern" in text_of(refused)
    refused = wizard.post("what", {**form, "include": "nothing*", "action": "continue"}, 422)
    assert "No table matches" in text_of(refused)

    done = {"shown": ["orders", "order_00000"], "chosen": ["orders"], "include": "cust*"}
    wizard.post("what", {**form, **done, "action": "continue"})
    contract = {"contract_columns": "discard_row", "contract_tables": "evolve"}
    defaults = {"write_disposition": "merge", "merge_strategy": "delete_insert", "verify": "counts"}
    wizard.post("how", {**defaults, **contract})
    wizard.post("destination", {"name": "Some", "destination": "warehouse", "dataset": "raw_some"})
    review = text_of(editor.client.get(wizard.url("review")))
    for words in (
        "Only tables whose names match orders, cust*.",
        "quicker where most rows change",
        "a new column has its rows put aside",
        "Both ends are counted after the load.",
    ):
        assert words in review, words
    # Coming back finds it as it was.
    assert 'value="orders" checked' in wizard.get("what", q="orders")
    wizard.post("review", {"action": "create"})
    pipeline = Pipeline.objects.for_organization(organization).get()
    assert (pipeline.mode, pipeline.include) == ("full_database", ["orders", "cust*"])
    assert (pipeline.write_disposition, pipeline.merge_strategy) == ("merge", "delete_insert")
    assert (pipeline.schema_contract, pipeline.verify) == ({"columns": "discard_row"}, "counts")


def test_queries_are_checked_named_and_created(organization: Organization, editor: Person) -> None:
    make_shop(organization)
    make_warehouse(organization)
    wizard = Wizard(editor, organization)
    wizard.begin("shop")
    assert "SQL query" in wizard.get("what")
    assert 'name="query-0-sql"' in wizard.get("what", mode="query")
    sql = "SELECT id, total FROM orders\r\nWHERE status = 'paid'"
    form = {"mode": "query", "query-0-name": "paid", "query-0-sql": sql}
    checked = wizard.post("what", {**form, "action": "check:0"}, 200, HX_Request="true")
    assert "It answers with 2 columns." in text_of(checked)
    assert "10.5" in text_of(checked)
    more = wizard.post("what", {**form, "action": "add-query"}, 200)
    assert b'name="query-1-sql"' in more.content
    # A closed tab loses nothing.
    assert "status = &#x27;paid&#x27;" in wizard.get("what", mode="query")
    wrong = {**form, "query-1-name": "no name", "query-1-sql": "SELECT x FROM orders"}
    refused = wizard.post("what", {**wrong, "action": "check:1"}, 200)
    assert "no such column: x" in text_of(refused)
    refused = wizard.post("what", {**wrong, "action": "continue"}, 422)
    assert re.search(r'name="query-1-name"[^>]*aria-invalid="true"', refused.content.decode())
    for bad, words in (("", "needs its SQL"), ("DROP TABLE orders", "begins with SELECT or WITH")):
        refused = wizard.post("what", {**form, "query-0-sql": bad, "action": "continue"}, 422)
        assert words in text_of(refused)
    twice = {**form, "query-1-name": "paid", "query-1-sql": "SELECT 1 AS a", "action": "continue"}
    assert "Two resources have the name" in text_of(wizard.post("what", twice, 422))
    assert "Write a query" in text_of(wizard.post("what", {"mode": "query"}, 422))
    wizard.post("what", {**wrong, "action": "remove-query:1"}, 200)
    wizard.post("what", {**form, "action": "continue"})

    # A merge needs a key, which a query has only when somebody names it.
    refused = wizard.post("how", {"write_disposition": "merge"}, 422)
    assert "Merge needs the primary key" in text_of(refused)
    assert 'value="total"' in wizard.get("how/0")
    query = wizard.data["resources"][0]["query"]
    settings = {"query": query, "write_disposition": "", "primary_key": "id", "verify": "sums"}
    wizard.post("how/0", {**settings, "columns": ["id", "total"]})
    wizard.post("how", {"write_disposition": "merge"})
    wizard.post("destination", {"name": "Paid", "destination": "warehouse", "dataset": "raw_paid"})
    review = wizard.get("review")
    assert "merged on id" in review
    wizard.post("review", {"action": "create"})
    pipeline = Pipeline.objects.for_organization(organization).get()
    resource = services.definition_of(pipeline).resources[0]
    assert (pipeline.mode, resource.name, resource.verify) == ("query", "paid", "sums")
    assert resource.query == "SELECT id, total FROM orders\nWHERE status = 'paid'"


def test_files_take_no_query(organization: Organization, editor: Person) -> None:
    make_csv(organization)
    wizard = Wizard(editor, organization)
    wizard.begin("weather")
    page = wizard.get("what", mode="query")
    assert "query-0-sql" not in page
    assert "Chosen tables" not in page


def test_files_and_patterns(organization: Organization, editor: Person) -> None:
    make_csv(organization)
    make_warehouse(organization)
    wizard = Wizard(editor, organization)
    wizard.begin("weather")
    assert 'value="weather/a.csv"' in wizard.get("what")
    wizard.post("what", {"patterns": ""}, status=422)
    wizard.post("what", {"chosen": ["weather/a.csv"], "patterns": "weather/*.csv\nother/a.csv"})
    targets = [one["target"] for one in wizard.data["resources"]]
    assert targets == ["a", "weather", "a_2"]
    wizard.post("how/2/remove", {})
    assert ">day<" in wizard.get("how/1")
    wizard.post("how", {"write_disposition": "replace"})
    wizard.post("destination", {"name": "Weather", "destination": "warehouse"})
    wizard.post("review", {"action": "create"})
    assert Pipeline.objects.for_organization(organization).get().mode == "files"


def test_back_and_forth_keeps_and_forgets(organization: Organization, editor: Person) -> None:
    shop = make_shop(organization)
    make_csv(organization)
    wizard = Wizard(editor, organization)
    wizard.begin("shop")
    assert editor.client.get(wizard.url("review")).status_code == 200
    assert "Choose a destination first" in wizard.get("review")
    assert wizard.client.get(wizard.url("how"))["Location"] == wizard.url("what")
    wizard.post("what", {"table": '["main", "orders"]'})
    wizard.post("source", {"source": "shop"})
    assert wizard.data["resources"][0]["name"] == "orders"
    wizard.post("source", {"source": "weather"})
    assert "resources" not in wizard.data
    assert wizard.post("what", {"table": "nonsense"}, status=422)
    wizard.post("source", {"source": shop.slug})
    # The source is gone by the time somebody comes back.
    shop.put_in_trash()
    assert wizard.client.get(wizard.url("what"))["Location"] == wizard.url("source")
    wizard.post("discard", {})
    assert not PipelineDraft.all_organizations.exists()


def test_a_silent_source_is_said_and_settings_can_still_be_typed(
    organization: Organization, editor: Person
) -> None:
    pipeline = make_pipeline(organization, editor)
    pipeline.source.config = {"path": "gone.sqlite"}
    pipeline.source.save()
    wizard = Wizard(editor, organization)
    wizard.begin("shop")
    page = wizard.get("what")
    assert "The source did not show its tables" in page
    assert "gone.sqlite" in page
    url = reverse("pipelines:resource-update", args=[organization.slug, pipeline.slug, 0])
    assert "could not be asked" in editor.client.get(url).content.decode()
    data = {"write_disposition": "merge", "primary_key": "id, status", "version": "1"}
    assert editor.client.post(url, data).status_code == 302
    assert services.definition_of(pipeline).resources[0].primary_key == ("id", "status")


def test_a_duplicate_is_a_draft_with_a_schema_of_its_own(
    organization: Organization, editor: Person
) -> None:
    pipeline = make_pipeline(organization, editor)
    url = reverse("pipelines:pipeline-duplicate", args=[organization.slug, pipeline.slug])
    editor.client.post(url)
    draft = Draft.load(PipelineDraft.objects.for_organization(organization).get())
    page = editor.client.get(draft.url("destination")).content.decode()
    assert "Copy of Shop orders" in page
    taken = {"name": "Copy", "destination": "warehouse", "dataset": "raw_shop"}
    refused = editor.client.post(draft.url("destination"), taken)
    assert refused.status_code == 422
    assert "loads into the schema" in refused.content.decode()
