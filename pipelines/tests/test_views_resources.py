"""The settings of one table, through its page: what is set is stored, and what is not touched stays."""

import re
import sqlite3
from contextlib import closing
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from conftest_site import Person
from connections.runner import files_root, pool
from pipelines import services
from pipelines.definition import ResourceDefinition
from pipelines.models import Pipeline
from pipelines.tests.factories import make_database, make_pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db

#: Of the table orders of the factories' shop.
WHOLE: dict[str, Any] = {
    "name": "orders",
    "target": "orders",
    "query": "",
    "is_selected": True,
    "write_disposition": "merge",
    "merge_strategy": "scd2",
    "primary_key": ["id"],
    "cursor_column": "updated_at",
    "cursor_initial": "2024-01-01",
    "cursor_lookback": "3 days",
    "row_order": "asc",
    "columns": ["id", "status", "updated_at"],
    "column_settings": {"status": {"rename": "state", "transform": "hash"}},
    "filters": [{"column": "status", "op": "in", "value": ["paid", "sent"]}],
    "schema_contract": {"tables": "discard_value", "columns": "freeze", "data_type": "evolve"},
    "verify": "counts",
}


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """The warm parent imports dlt and dbt once; on a busy machine that outlasts a question's time."""
    pool().warm_up()


class Table:
    """The page of the first table of a pipeline."""

    def __init__(self, person: Person, pipeline: Pipeline) -> None:
        self.person, self.pipeline = person, pipeline
        slug = pipeline.organization.slug
        self.url = reverse("pipelines:resource-update", args=[slug, pipeline.slug, 0])

    def page(self) -> str:
        response = self.person.client.get(self.url)
        assert response.status_code == 200
        return str(response.content.decode())

    def shown(self) -> dict[str, Any]:
        """What a browser would send of the page as it is shown."""
        return fields_of(self.page())

    def post(self, fields: dict[str, Any], status: int = 302) -> str:
        response = self.person.client.post(self.url, fields)
        assert response.status_code == status, text_of(response.content.decode())
        return str(response.content.decode())

    @property
    def stored(self) -> ResourceDefinition:
        pipeline = Pipeline.all_organizations.get(pk=self.pipeline.pk)
        return services.definition_of(pipeline).resources[0]


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def fields_of(html: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    form = html[html.index('id="resource-form"') :]
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = _attribute(tag, "name"), _attribute(tag, "value")
        kind = _attribute(tag, "type")
        if not name or (kind in {"checkbox", "radio"} and not re.search(r"\schecked\b", tag)):
            continue
        if kind == "checkbox":
            found.setdefault(name, []).append(value or "on")
        else:
            found[name] = value
    for tag, options in re.findall(r"(<select[^>]*>)(.*?)</select>", form, re.DOTALL):
        every = re.findall(r"<option[^>]*>", options)
        chosen = [one for one in every if re.search(r"\sselected\b", one)] or every[:1]
        found[_attribute(tag, "name")] = _attribute(chosen[0], "value")
    for tag, text in re.findall(r"(<textarea[^>]*>)(.*?)</textarea>", form, re.DOTALL):
        found[_attribute(tag, "name")] = unescape(text).strip()
    return found


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf'\s{name}="([^"]*)"', tag)
    return unescape(match[1]) if match else ""


def test_a_form_nobody_touches_changes_nothing(organization: Organization, editor: Person) -> None:
    table = Table(editor, make_database(organization, editor, resources=[WHOLE]))
    assert table.stored.as_dict() == WHOLE
    table.post(table.shown())
    assert table.stored.as_dict() == WHOLE


def test_a_single_table_nobody_touches_changes_nothing(
    organization: Organization, editor: Person
) -> None:
    table = Table(editor, make_pipeline(organization, editor))
    before = table.stored
    assert "As the pipeline says" not in table.page(), "there is nobody to leave anything to"
    table.post(table.shown())
    assert table.stored == before


def test_everything_can_be_set(organization: Organization, editor: Person) -> None:
    table = Table(editor, make_database(organization, editor, resources=[{"name": "orders"}]))
    shown = table.shown()
    assert shown["write_disposition"] == "", "a table of a database begins as the pipeline says"
    assert shown["columns"] == ["id", "status", "total", "updated_at"]
    table.post(
        shown
        | {
            "write_disposition": "merge",
            "merge_strategy": "scd2",
            "primary_key": ["id"],
            "cursor_column": "updated_at",
            "cursor_initial": "2024-01-01",
            "cursor_lookback": "15 minutes",
            "row_order": "desc",
            "columns": ["id", "status", "updated_at"],
            "rename:status": "state",
            "transform:status": "mask",
            # Of a column that is left out: gone with it.
            "rename:total": "sum",
            "contract": "own",
            "contract_columns": "discard_row",
            "verify": "sums",
        }
    )
    stored = table.stored.as_dict()
    assert stored["merge_strategy"] == "scd2"
    assert (stored["cursor_lookback"], stored["row_order"]) == ("15 minutes", "desc")
    assert stored["column_settings"] == {"status": {"rename": "state", "transform": "mask"}}
    assert stored["schema_contract"] == {
        "tables": "evolve",
        "columns": "discard_row",
        "data_type": "evolve",
    }
    assert stored["verify"] == "sums"
    # All of it shown again, and given back to the pipeline.
    again = table.shown()
    assert (again["rename:status"], again["contract_columns"]) == ("state", "discard_row")
    back = {"write_disposition": "", "merge_strategy": "", "contract": "", "verify": ""}
    table.post(again | back)
    stored = table.stored.as_dict()
    assert [stored[key] for key in ("write_disposition", "merge_strategy", "verify")] == [""] * 3
    assert stored["schema_contract"] == {}
    # What the pipeline's way of writing (replace) has no use for is not on the page.
    assert stored["cursor_column"] == stored["cursor_lookback"] == ""


@pytest.mark.parametrize(
    ("changes", "words", "place"),
    [
        ({"write_disposition": "merge", "primary_key": []}, "Merge needs the primary key", ""),
        (
            {"rename:status": "total"},
            "would both be called",
            r'name="rename:status"[^>]* aria-invalid="true"',
        ),
        (
            {"rename:status": "_dlt_x"},
            "does not begin with _dlt_",
            r'name="rename:status"[^>]* aria-describedby="column-2-error"',
        ),
        (
            {"write_disposition": "append", "cursor_column": "total", "transform:total": "hash"},
            "has to stay as it is",
            r'name="transform:total"[^>]* aria-invalid="true"',
        ),
        (
            {"write_disposition": "append", "cursor_column": "id", "cursor_lookback": "soon"},
            "is no lookback",
            r'name="cursor_lookback"[^>]* aria-invalid="true"',
        ),
        ({"columns": []}, "Take at least one column", ""),
        ({"target": "_dlt_loads"}, "cannot be the name of a table", r'name="target"[^>]*invalid'),
    ],
)
def test_what_does_not_fit_is_said_where_it_stands(
    organization: Organization, editor: Person, changes: dict[str, Any], words: str, place: str
) -> None:
    resource = {"name": "orders", "columns": ["id", "status", "total"]}
    table = Table(editor, make_database(organization, editor, resources=[resource]))
    page = table.post(table.shown() | changes, 422)
    assert words in unescape(text_of(page))
    assert re.search(place, page)
    assert table.stored.as_dict()["columns"] == ["id", "status", "total"]


def test_three_hundred_columns(organization: Organization, editor: Person) -> None:
    pipeline = make_database(organization, editor, resources=[{"name": "wide"}])
    columns = ", ".join(f"c{number:03d} TEXT" for number in range(300))
    with closing(sqlite3.connect(files_root(organization) / "shop.sqlite")) as database:
        database.execute(f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {columns})")
    table = Table(editor, pipeline)
    shown = table.shown()
    assert len(shown["columns"]) == 301
    table.post(shown | {"rename:c299": "last"})
    assert table.stored.columns == (), "all of them, new ones included"
    assert table.stored.column_settings == {"c299": {"rename": "last"}}
    # Without script all are ticked and unticked by buttons, and nothing is saved.
    none = fields_of(table.post(table.shown() | {"action": "columns-none"}, 200))
    assert "columns" not in none
    assert none["rename:c299"] == "last"
    assert len(fields_of(table.post(none | {"action": "columns-all"}, 200))["columns"]) == 301


def test_a_query_is_changed_and_checked(organization: Organization, editor: Person) -> None:
    query = {"name": "paid", "query": "SELECT id, total FROM orders WHERE status = 'paid'"}
    changes = {"mode": "query", "source_schema": "", "resources": [query]}
    table = Table(editor, make_pipeline(organization, editor, **changes))
    shown = table.shown()
    assert shown["columns"] == ["id", "total"]
    counted = {"filter-0-column": "total", "filter-0-op": "gt", "filter-0-value": "50"}
    assert "Keeps 1 of 2 rows." in text_of(
        table.post(shown | counted | {"action": "count-filters"}, 200)
    )
    # Looked at before it is saved.
    longer = {"query": "SELECT id, status, total FROM orders"}
    page = table.post(shown | longer | {"action": "check"}, 200)
    assert "The source answers with 3 columns." in text_of(page)
    assert "rename:status" in fields_of(page)
    for wrong, words in (
        ("SELECT nothing_like_it FROM orders", "no such column: nothing_like_it"),
        ("DELETE FROM orders", "begins with SELECT or WITH"),
        ("SELECT 1; SELECT 2", "more than one"),
    ):
        page = table.post(shown | {"query": wrong}, 422)
        assert words in text_of(page)
        assert re.search(r'name="query"[^>]*aria-invalid="true"', page)
    assert table.stored.query == query["query"]
    # Names that had to be typed meanwhile are read as such.
    table.post(fields_of(page) | longer | {"columns": "", "primary_key": "id, status"})
    stored = table.stored
    assert (stored.query, stored.columns) == (longer["query"], ())
    assert stored.primary_key == ("id", "status")
