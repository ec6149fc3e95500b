"""The row filters of a table's form: built, counted while typing, kept as they are, and refused where they stand."""

import re
from typing import Any

import pytest
from django.urls import reverse

from conftest_site import Person
from connections.connectors.filters import OPERATORS
from connections.runner import pool
from pipelines import services
from pipelines.filter_preview import FilterCount
from pipelines.models import Pipeline
from pipelines.tests.factories import make_pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db

TREE: list[dict[str, Any]] = [
    {"column": "total", "op": "between", "value": [3, "99.0"]},
    {
        "or": [
            {"column": "status", "op": "in", "value": ["paid", "a, b", ""]},
            {"and": [{"column": "status", "op": "like", "value": "dr%"}, {"or": [
                {"column": "total", "op": "is_null", "value": False},
                {"column": "id", "op": "eq", "value": 2},
            ]}]},
        ]
    },
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """The warm parent imports dlt and dbt once; on a busy machine that outlasts a question's time."""
    pool().warm_up()


class Form:
    """The form of the table of a pipeline."""

    def __init__(self, organization: Organization, person: Person, **resource: Any) -> None:
        resources = [{"name": "orders", "columns": ["id", "status"], **resource}]
        self.pipeline = make_pipeline(organization, person, resources=resources)
        self.client = person.client
        names = [organization.slug, self.pipeline.slug, 0]
        self.url = reverse("pipelines:resource-update", args=names)

    def post(self, fields: dict[str, Any], status: int = 302, *, htmx: bool = False) -> str:
        version = Pipeline.all_organizations.get(pk=self.pipeline.pk).version
        rest = {"write_disposition": "replace", "columns": ["id", "status"], "version": version}
        headers = {"HX-Request": "true"} if htmx else {}
        response = self.client.post(self.url, rest | fields, headers=headers)
        assert response.status_code == status, response.content.decode()
        return str(response.content.decode())

    def count(self, fields: dict[str, Any]) -> str:
        return text_of(self.post({"action": "count-filters", **fields}, 200, htmx=True))

    def fields(self) -> dict[str, str]:
        """What a browser would send of the filters as they are shown."""
        return fields_of(self.client.get(self.url).content.decode())

    @property
    def filters(self) -> list[dict[str, Any]]:
        pipeline = Pipeline.all_organizations.get(pk=self.pipeline.pk)
        return list(services.definition_of(pipeline).resources[0].filters)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def fields_of(html: str) -> dict[str, str]:
    from html import unescape

    found = {
        name: re.search(r'value="([^"]*)"', tag)
        for tag, name in re.findall(r'(<input[^>]* name="(filter-[^"]*)"[^>]*>)', html)
    }
    values = {name: unescape(match[1]) if match else "" for name, match in found.items()}
    for name, options in re.findall(
        r'<select[^>]* name="(filter-[^"]*)"[^>]*>(.*?)</select>', html, re.DOTALL
    ):
        chosen = re.search(r'value="([^"]*)"[^>]* selected', options)
        values[name] = unescape(chosen[1]) if chosen else ""
    return values


def row(path: str, column: str, op: str, value: str = "", high: str = "") -> dict[str, str]:
    values = {"column": column, "op": op, "value": value, "high": high}
    return {f"filter{path}-{name}": text for name, text in values.items()}


@pytest.mark.parametrize(
    ("op", "typed", "high", "stored"),
    [
        *[(op, "draft", "", "draft") for op in ("eq", "ne", "gt", "gte", "lt", "lte", "like")],
        ("in", 'draft, "a, b", ""', "", ["draft", "a, b", ""]),
        ("not_in", "draft", "", ["draft"]),
        ("between", "a", "d", ["a", "d"]),
        ("is_null", "", "", True),
        ("not_null", "", "", False),
    ],
)
def test_each_operator_comes_through_the_form(
    organization: Organization, editor: Person, op: str, typed: str, high: str, stored: Any
) -> None:
    form = Form(organization, editor)
    if typed:
        wrong = form.post(row("-0", "status", op, " " if op != "like" else ""), 422)
        assert 'aria-invalid="true"' in wrong
    form.post(row("-0", "status", op, typed, high))
    name = "is_null" if op == "not_null" else op
    assert name in OPERATORS
    assert form.filters == [{"column": "status", "op": name, "value": stored}]
    # Shown again as it was typed, and saved again as it was stored.
    shown = form.fields()
    assert (shown["filter-0-op"], shown["filter-0-value"]) == (op, typed)
    form.post(shown)
    assert form.filters == [{"column": "status", "op": name, "value": stored}]


def test_a_tree_nobody_touches_stays_as_it_is(organization: Organization, editor: Person) -> None:
    form = Form(organization, editor, filters=TREE)
    shown = form.fields()
    assert shown["filter-1-0-value"] == 'paid, "a, b", ""'
    assert shown["filter-1-1-1-join"] == "or"
    form.post(shown)
    assert form.filters == TREE
    # One condition is changed: the others keep their JSON, and numbers are written as numbers.
    form.post({**shown, "filter-1-1-1-1-value": "3"})
    assert form.filters[1]["or"][1]["and"][1]["or"][1]["value"] == 3
    assert form.filters[0] == TREE[0]


def test_any_of_the_filters_is_enough(organization: Organization, editor: Person) -> None:
    form = Form(organization, editor)
    fields = {"filter-join": "or"} | row("-0", "status", "eq", "paid") | row("-1", "id", "gt", "3")
    form.post(fields | row("-2", "", "eq"))
    assert form.filters == [
        {
            "or": [
                {"column": "status", "op": "eq", "value": "paid"},
                {"column": "id", "op": "gt", "value": 3},
            ]
        }
    ]
    assert form.fields()["filter-join"] == "or"


def test_rows_and_groups_come_and_go(organization: Organization, editor: Person) -> None:
    form = Form(organization, editor)
    fields = row("-0", "status", "eq", "paid")
    html = form.post({**fields, "action": "add-filter-group:"}, 200, htmx=True)
    assert "<html" not in html
    assert fields_of(html) | fields == fields_of(html) | row("-0", "status", "eq", "paid")
    assert fields_of(html)["filter-1-join"] == "or"
    assert re.search(r'id="filter-1-0-column"[^>]* autofocus', html)
    html = form.post({**fields_of(html), "action": "add-filter:-1"}, 200, htmx=True)
    filled = fields_of(html) | row("-1-0", "id", "eq", "1") | row("-1-1", "id", "eq", "2")
    html = form.post({**filled, "action": "remove-filter:-0"}, 200, htmx=True)
    fields = fields_of(html)
    assert (fields["filter-0-join"], fields["filter-0-1-value"]) == ("or", "2")
    html = form.post({**fields, "action": "remove-filter:-0"}, 200)
    assert "<html" in html, "it works without script too"
    assert not [name for name in fields_of(html) if name.startswith("filter-0")]
    # Nothing of it was saved.
    assert form.filters == []


def test_the_count_follows_what_is_typed(organization: Organization, editor: Person) -> None:
    form = Form(organization, editor)
    assert form.count({}) == "Every row is loaded."
    paid = row("-0", "status", "eq", "paid")
    assert form.count(paid) == "Keeps 2 of 4 rows."
    unfinished = paid | row("-1", "total", "gt")
    assert form.count(unfinished).startswith("Keeps 2 of 4 rows. One filter is not complete")
    assert form.count(row("-0", "id", "gt", "0")) == "Keeps all 4 rows."
    assert form.count(row("-0", "id", "gt", "9")) == "Keeps 0 of 4 rows."
    either = {"filter-join": "or"} | paid | row("-1", "total", "is_null")
    assert form.count(either) == "Keeps 3 of 4 rows."
    page = form.post({**paid, "action": "count-filters"}, 200)
    assert "Keeps 2 of 4 rows." in page
    assert "<html" in page


def test_a_filter_that_was_only_begun_is_not_saved(
    organization: Organization, editor: Person
) -> None:
    form = Form(organization, editor)
    paid = row("-0", "status", "eq", "paid")
    for begun in (row("-1", "status", "ne"), row("-1", "", "ne", "x")):
        html = form.post(paid | begun, 422)
        error = re.search(r'<p[^>]* id="filter-1-error"[^>]*>(.*?)</p>', html, re.DOTALL)
        assert error is not None
        assert text_of(error[1])
        # A count at once would take the words away again: it looks at complete ones only.
        assert 'hx-trigger="input changed' in html
    assert form.filters == []


def test_a_filter_that_does_not_fit_is_named_where_it_stands(
    organization: Organization, editor: Person
) -> None:
    form = Form(organization, editor)
    wrong = (
        {"filter-1-join": "or"} | row("-0", "status", "eq", "x") | row("-1-0", "id", "gt", "much")
    )
    html = form.post({**wrong, "action": "count-filters"}, 200, htmx=True)
    assert "One filter does not fit" in text_of(html)
    error = re.search(
        r'<p[^>]* id="filter-1-0-error"[^>]* hx-swap-oob="true">(.*?)</p>', html, re.DOTALL
    )
    assert error is not None
    assert "cannot compare with" in text_of(error[1])
    assert re.search(r'id="filter-0-error" hx-swap-oob="true"></p>', html), "the others are cleared"
    # Saving says the same, and keeps what was typed.
    page = form.post(wrong, 422)
    assert re.search(r'id="filter-1-0-value" value="much"[^>]* aria-invalid="true"', page)
    assert form.filters == []


def test_a_silent_source_leaves_the_form_usable(organization: Organization, editor: Person) -> None:
    form = Form(organization, editor, filters=TREE)
    form.pipeline.source.config = {"path": "gone.sqlite"}
    form.pipeline.source.save()
    assert "could not be counted" in form.count(row("-0", "id", "gt", "0"))
    shown = form.fields()
    assert shown["filter-0-column"] == "total"
    form.post({**shown, "columns": "id, status"})
    assert form.filters == TREE


@pytest.mark.parametrize(
    ("found", "text", "tone"),
    [
        (FilterCount(), "Every row is loaded.", "ok"),
        (FilterCount(12345, 1_000_000, is_filtered=True), "Keeps 12,345 of 1,000,000 rows.", "ok"),
        (FilterCount(1, 1, is_filtered=True), "Keeps the only row.", "ok"),
        (FilterCount(0, 1, is_filtered=True), "Keeps 0 of 1 row.", "warn"),
        (
            FilterCount(312, None, 100_000, is_filtered=True),
            "Keeps 312 of the first 100,000 rows. The table is too large to count.",
            "ok",
        ),
        (
            FilterCount(is_filtered=True),
            "The source took too long to count even some of its rows.",
            "warn",
        ),
    ],
)
def test_the_words_say_what_was_looked_at(found: FilterCount, text: str, tone: str) -> None:
    assert (found.text, found.tone) == (text, tone)
