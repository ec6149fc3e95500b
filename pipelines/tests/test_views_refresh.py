"""Loading again: the choice, the estimate, what it says will happen, and that it does."""

import re

import pytest

from conftest_site import Person
from orchestration.models import Run
from orchestration.tests.pages import get
from pipelines.tests.loaded import APPENDED, ORDERS, Loaded, make_loaded
from tenants.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

RANGE = "?what=range&table=orders&cursor_from=2024-01-02&cursor_to=2024-01-04"


@pytest.fixture
def shop(organization: Organization, editor: Person) -> Loaded:
    return make_loaded(organization, editor)


def asked(page: str) -> dict[str, list[str]]:
    """What the form that starts the run would send."""
    form = page[page.index("runs/create/", page.index('id="refresh"')) :]
    form = form[: form.index("</form>")]
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form):
        found.setdefault(name, []).append(value)
    return found


def start(shop: Loaded, person: Person, page: str) -> Run:
    answer = person.client.post(f"/o/{shop.organization.slug}/runs/create/", asked(page))
    assert answer.status_code == 302
    run = Run.all_organizations.order_by("-number")[0]
    return shop.work(run)


def test_who_may(shop: Loaded, viewer: Person) -> None:
    for page in ("pipeline-refresh", "pipeline-estimate"):
        assert viewer.client.get(shop.url(page)).status_code == 403
    assert shop.url("pipeline-refresh") not in get(viewer.client, shop.url("pipeline-detail"))


def test_everything(shop: Loaded, editor: Person) -> None:
    shop.load()
    assert shop.url("pipeline-refresh") in get(editor.client, shop.url("pipeline-detail"))
    page = get(editor.client, shop.url("pipeline-refresh"))
    assert "readers see it as before or as after" in page
    assert asked(page)["full_refresh"] == ["1"]
    estimate = get(editor.client, shop.url("pipeline-estimate"), htmx=True)
    numbers = re.findall(r">(\d+)</", estimate)
    assert numbers.count("4") == 2, "orders: 4 at the source, 4 in the table"
    assert numbers.count("2") == 2, "customers: 2 and 2"
    shop.sql("DELETE FROM orders WHERE id = 1")
    run = start(shop, editor, page)
    assert shop.rows("SELECT count(*) FROM raw_shop.orders") == [(3,)]
    assert "Full refresh" in get(editor.client, f"/o/{shop.organization.slug}/runs/{run.number}/")


def test_one_table(shop: Loaded, editor: Person) -> None:
    shop.load()
    url = shop.url("pipeline-refresh")
    fragment = get(editor.client, f"{url}?what=table&table=customers", htmx=True)
    assert "<html" not in fragment
    assert asked(fragment)["tables"] == ["customers"]
    whole = get(editor.client, f"{url}?what=table&table=customers&ask=1")
    assert "Will be replaced" in whole, "without script the page itself asks"
    run = start(shop, editor, whole)
    assert set(shop.results(run)) == {"customers"}
    page = get(editor.client, f"/o/{shop.organization.slug}/runs/{run.number}/")
    assert "Full refresh of customers" in page


def test_a_range(shop: Loaded, editor: Person) -> None:
    shop.load()
    url = shop.url("pipeline-refresh")
    empty = get(editor.client, f"{url}?what=range&table=orders")
    assert "Give a beginning and an end" in empty
    assert 'class="error"' not in empty, "nothing typed is no mistake"
    page = get(editor.client, url + RANGE)
    estimate = get(editor.client, shop.url("pipeline-estimate") + RANGE, htmx=True)
    assert re.findall(r">(\d+)</", estimate) == ["2", "2"]
    shop.sql("DELETE FROM orders WHERE id = 2")
    run = start(shop, editor, page)
    assert shop.rows("SELECT id FROM raw_shop.orders ORDER BY id") == [(1,), (3,), (4,)]
    shown = get(editor.client, f"/o/{shop.organization.slug}/runs/{run.number}/")
    assert "orders again from 2024-01-02 up to 2024-01-04" in shown
    assert "(only orders" not in re.search(r'<div class="head-text">.*?</p>', shown, re.DOTALL)[0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("cursor_from=2024-01-04&cursor_to=2024-01-02", "is empty"),
        ("cursor_from=soon&cursor_to=2024-01-02", "does not look like a value"),
    ],
)
def test_ranges_that_are_none(shop: Loaded, editor: Person, query: str, words: str) -> None:
    shop.load()
    page = get(editor.client, f"{shop.url('pipeline-refresh')}?what=range&table=orders&{query}")
    assert words in page
    assert "Correct the marked values" in page
    assert "runs/create/" not in page[page.index('id="refresh"') :].split("</section>")[0]


def test_ranges_are_offered_where_they_can_be(organization: Organization, editor: Person) -> None:
    versions = ORDERS | {"merge_strategy": "scd2", "schema_contract": {}}
    kept = make_loaded(organization, editor, versions)
    assert 'value="range"' not in get(editor.client, kept.url("pipeline-refresh"))


def test_appended_tables_have_ranges(organization: Organization, editor: Person) -> None:
    shop = make_loaded(organization, editor, APPENDED)
    assert 'value="range"' in get(editor.client, shop.url("pipeline-refresh"))


def test_rows_that_cannot_be_counted(shop: Loaded, editor: Person) -> None:
    shop.load()
    shop.break_destination()
    page = get(editor.client, shop.url("pipeline-estimate"), htmx=True)
    assert "The rows could not be counted." in page
    assert "runs/create/" in get(editor.client, shop.url("pipeline-refresh"))
