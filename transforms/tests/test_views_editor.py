"""The editor: writing, saving, conflicts, and trying the text on a real DuckDB file."""

import re
from typing import Any

import pytest
from django.test import Client

from conftest_site import Person
from connections.models import Connection
from tenants.models import Organization
from transforms import selectors
from transforms.models import BuildStatus, Transformation, TransformationColumn
from transforms.tests.warehouse import load_orders, make, make_warehouse

ROOT = "/o/acme/transformations/"
PAGE = ROOT + "orders/"
HTMX = {"HX-Request": "true"}
SQL = "select 1 as id, 'a' as letter\n"


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make_warehouse(organization)


@pytest.fixture
def row(warehouse: Connection) -> Transformation:
    return make(
        warehouse,
        "orders",
        SQL,
        config={"unique_key": ["id", "day"], "enabled": True, "meta": {"team": "shop"}},
        tests=({"column": "id", "kind": "unique", "arguments": {"name": "mine"}},),
        column_descriptions={"id": "The number"},
    )


def fields(row: Transformation, **changes: Any) -> dict[str, Any]:
    """What the page of this transformation posts when only ``changes`` were made."""
    return {
        "name": row.name,
        "sql": row.sql,
        "materialization": row.materialization,
        "folder": row.folder,
        "schema": "",
        "description": "",
        "tags": "",
        "unique_key": "id, day",
        "incremental_strategy": "",
        "on_schema_change": "",
        "more_config": "enabled: true\nmeta:\n  team: shop\n",
        "version": row.version,
        "columns-TOTAL_FORMS": 1,
        "columns-INITIAL_FORMS": 1,
        "columns-0-name": "id",
        "columns-0-description": "The number",
        "tests-TOTAL_FORMS": 1,
        "tests-INITIAL_FORMS": 1,
        "tests-0-column": "id",
        "tests-0-kind": "unique",
        "tests-0-severity": "error",
        **changes,
    }


def post(client: Client, data: dict[str, Any], path: str = PAGE, **headers: str) -> tuple[int, str]:
    answer = client.post(path, data, headers=headers)
    return answer.status_code, answer.content.decode()


def again(row: Transformation) -> Transformation:
    row.refresh_from_db()
    return row


def test_a_new_transformation_is_saved_or_comes_back_with_what_was_typed(
    warehouse: Connection, editor: Person
) -> None:
    new = {
        "name": "Not a name",
        "sql": "select 1 as one\r\n",
        "materialization": "table",
        "connection": "analytics",
        "folder": "/marts/",
        "tags": "nightly, finance",
        "new-column": "one",
        "new-kind": "not_null",
        "new-severity": "warn",
        "tests-TOTAL_FORMS": 0,
        "tests-INITIAL_FORMS": 0,
    }
    status, text = post(editor.client, new, ROOT + "-/new/")
    assert status == 422
    assert "select 1 as one" in text
    assert "cannot be named “Not a name”" in text
    answer = editor.client.post(ROOT + "-/new/", {**new, "name": "one"})
    assert (answer.status_code, answer.headers["Location"]) == (302, ROOT + "one/")
    row = Transformation.objects.for_organization(warehouse.organization).get()
    assert (row.sql, row.folder, row.tags) == ("select 1 as one\n", "marts", ["nightly", "finance"])
    assert [str(t) for t in selectors.tests_of(row.organization, [row])[row.pk]] == [
        "not_null(one)"
    ]
    status, text = post(editor.client, {**new, "name": "one"}, ROOT + "-/new/")
    assert status == 422
    assert "There is a transformation named" in text


def test_saving_what_is_shown_changes_nothing_but_the_version(
    row: Transformation, editor: Person
) -> None:
    page = editor.client.get(PAGE).content.decode()
    assert 'value="id, day"' in page
    assert "team: shop" in page
    status, _text = post(editor.client, fields(row))
    saved = again(row)
    assert (status, saved.version, saved.sql) == (302, 2, SQL)
    assert saved.config == {"unique_key": ["id", "day"], "enabled": True, "meta": {"team": "shop"}}
    [test] = selectors.tests_of(row.organization, [row])[row.pk]
    assert test.arguments == {"name": "mine"}, "arguments without a field are kept"


def test_a_save_by_htmx_answers_the_parts_that_changed(row: Transformation, editor: Person) -> None:
    row.build_status, row.build_message = BuildStatus.FAILED, "no such column"
    row.save()
    changed = fields(row, sql="select 2 as id", tags="a", **{"columns-0-description": "Its key"})
    status, text = post(editor.client, changed, **HTMX)
    assert status == 200
    assert "<html" not in text
    assert re.search(r'name="version" value="2"', text)
    assert "Its key" in text
    assert "Saved" in text
    assert 'id="result"' not in text, "a preview on the page stays"
    answer = editor.client.post(PAGE, fields(again(row), name="renamed"), headers=HTMX)
    assert answer.headers["HX-Redirect"] == ROOT + "renamed/"


def test_errors_keep_the_text_and_show_beside_it(row: Transformation, editor: Person) -> None:
    wrong = fields(row, sql="select 3", name="", more_config="a: [1", unique_key="")
    for headers in ({}, HTMX):
        status, text = post(editor.client, wrong, **headers)
        assert status == 422
        assert "Line 1 is not YAML" in text
        assert "2 problems" in text
    assert "select 3" in post(editor.client, wrong)[1]
    for config, words in {
        "tags: [x]": "tags has a field of its own",
        "a: &b [1]\nc: *b": "aliases",
        "just words": "Write keys and values",
        "day: 2026-01-01\nn: .nan": "cannot be kept|not YAML",
    }.items():
        status, text = post(editor.client, fields(row, more_config=config))
        assert status == 422
        assert re.search(words, text), config
    status, text = post(editor.client, fields(row, sql=" "))
    assert status == 422
    assert "The SQL is empty." in text
    assert again(row).version == 1


def test_a_conflict_shows_both_and_leaves_the_choice(row: Transformation, editor: Person) -> None:
    post(editor.client, fields(row, sql="select 'theirs' as id\n", description="Better"))
    mine = fields(row, sql="select 'mine' as id\n")
    status, text = post(editor.client, mine, **HTMX)
    assert status == 422
    assert "Changed meanwhile" in text
    marks = re.findall(r'data-d="(\w+)".*?</td><td>([^<]*)</td></tr>', text)
    assert ("del", "select &#x27;theirs&#x27; as id") in marks
    assert ("add", "select &#x27;mine&#x27; as id") in marks
    assert ("del", "description: Better") in marks
    assert not any("unique" in line for _mark, line in marks), "tests are the same"
    assert again(row).sql == "select 'theirs' as id\n"
    assert "select &#x27;mine&#x27; as id" in post(editor.client, mine)[1], "also without script"
    assert post(editor.client, {**mine, "force": 1})[0] == 422, "an older version forces nothing"
    assert post(editor.client, {**mine, "force": 2})[0] == 302
    assert (again(row).sql, row.version) == ("select 'mine' as id\n", 3)


def test_tests_are_added_changed_and_removed(row: Transformation, editor: Person) -> None:
    typed = {
        "do": "add-test",
        "new-column": "letter",
        "new-kind": "accepted_values",
        "new-severity": "error",
    }
    status, text = post(editor.client, fields(row, **typed), **HTMX)
    assert status == 422
    assert "Name at least one value." in text
    status, text = post(editor.client, fields(row, **typed, **{"new-values": "a, b"}), **HTMX)
    assert status == 200
    assert 'name="tests-1-column" value="letter"' in text
    assert "Not saved yet" in text
    assert again(row).version == 1
    double = {**typed, "new-column": "id", "new-kind": "unique"}
    assert "has that test already" in post(editor.client, fields(row, **double), **HTMX)[1]
    added = {
        "tests-TOTAL_FORMS": 2,
        "tests-0-remove": "on",
        "tests-1-column": "letter",
        "tests-1-kind": "accepted_values",
        "tests-1-values": "a, b",
        "tests-1-severity": "warn",
    }
    assert post(editor.client, fields(row, **added))[0] == 302
    [test] = selectors.tests_of(row.organization, [row])[row.pk]
    assert (str(test), test.arguments) == ("accepted_values(letter)", {"values": ["a", "b"]})


def test_a_viewer_reads_the_same_page_without_actions(
    row: Transformation, viewer: Person, stranger: Person
) -> None:
    reader = make(row.connection, "report", "select * from {{ ref('orders') }}, {{ ref('gone') }}")
    TransformationColumn(
        organization=row.organization, transformation=row, name="letter", data_type="varchar"
    ).save()
    text = viewer.client.get(PAGE).content.decode()
    assert "Read-only for you" in text
    assert re.search(r'<textarea name="sql"[^>]*readonly', text)
    assert "The number" in text
    assert "varchar" in text
    assert f"/transformations/{reader.name}/" in text
    for action in ('id="save"', 'id="preview"', "Add test", "runs/create", "delete/"):
        assert action not in text, action
    for path in ("", "preview/", "compile/", "delete/"):
        assert viewer.client.post(PAGE + path, fields(row)).status_code == 403
        assert stranger.client.post(PAGE + path, fields(row)).status_code == 404
    assert "not known here" in viewer.client.get(ROOT + "report/").content.decode()


def test_compiling_and_previewing_on_a_real_warehouse(row: Transformation, editor: Person) -> None:
    load_orders(row.connection)
    sql = "select id, status from {{ source('raw_shop', 'orders') }} order by id"
    status, text = post(editor.client, fields(row, sql=sql), PAGE + "compile/", **HTMX)
    assert status == 200
    assert "&quot;raw_shop&quot;.&quot;orders&quot;" in text
    status, text = post(editor.client, fields(row, sql=sql), PAGE + "preview/", **HTMX)
    assert status == 200
    assert re.findall(r"<td[^>]*>(.*?)</td>", text) == [
        *("1", "paid", "2", '<span class="null">NULL</span>')
    ]
    assert "nothing written" in text
    # A draft without a name, and without script: the page comes back with the text and its rows.
    draft = {"sql": sql, "connection": "analytics", "materialization": "view", "name": ""}
    status, page = post(editor.client, draft, ROOT + "-/new/preview/")
    assert status == 200
    assert "order by id</textarea>" in page
    assert ">paid</td>" in page
    # What does not compile, what the warehouse refuses, what would write.
    for text_, mark, words in (
        ("select 1,\n  {{ ref('orders') }\n", '"line": 2', "line 2"),
        ("select id,\n  nothing\nfrom {{ source('raw_shop', 'orders') }}", '"line": 2', "column 3"),
        ("drop table raw_shop.orders", "", "SELECT"),
    ):
        status, text = post(editor.client, fields(row, sql=text_), PAGE + "preview/", **HTMX)
        assert status == 422
        problems = text[text.index('class="problems"') :]
        assert words in problems
        marks = text[: text.index('<input type="hidden" name="shown"')].replace("&quot;", '"')
        assert mark.replace(" ", "") in marks
    status, text = post(editor.client, fields(row, sql=sql), PAGE + "preview/", **HTMX)
    assert status == 200, "the table is still there"
    assert (again(row).sql, row.version) == (SQL, 1), "trying saves nothing"


def test_without_a_warehouse_the_editor_says_what_is_missing(
    organization: Organization, editor: Person
) -> None:
    assert editor.client.get(ROOT + "-/new/").status_code == 200
    status, text = post(editor.client, {"sql": "select 1"}, ROOT + "-/new/preview/", **HTMX)
    assert status == 422
    assert "There is no warehouse to try this in." in text
