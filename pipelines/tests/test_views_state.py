"""The state of a pipeline on its page: who moved each cursor, moving it on, and letting it begin anew."""

import pytest

from audit.models import AuditEvent
from conftest_site import Person
from orchestration.tests.pages import get
from pipelines import services
from pipelines.models import Pipeline
from pipelines.tests.factories import make_pipeline
from pipelines.tests.loaded import APPENDED, Loaded, make_loaded
from tenants.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}


@pytest.fixture
def shop(organization: Organization, editor: Person) -> Loaded:
    return make_loaded(organization, editor)


def seen(shop: Loaded) -> dict[str, str]:
    """What a form of the cursor starts from."""
    shop.pipeline.refresh_from_db()
    entry = shop.pipeline.cursors.get("orders") or {}
    return {"resource": "orders", "expected": entry.get("value") or ""}


def test_what_runs_and_people_did(shop: Loaded, editor: Person, viewer: Person) -> None:
    url = shop.url("pipeline-state")
    assert "Never" in get(viewer.client, url)
    assert "Every row" in get(viewer.client, url)
    shop.load()
    page = get(viewer.client, url)
    assert "2024-01-04" in page
    assert "by run" in page
    assert "#1</a>" in page
    assert "updated_at is 2024-01-04 or higher" in page
    assert 'hx-trigger="load"' in page, "the destination is asked after the page"
    assert "state/0/move/" not in page, "viewers only read"
    fragment = get(viewer.client, url, htmx=True)
    assert "<html" not in fragment
    assert "as the destination has them" in fragment
    assert 'hx-trigger="load"' not in fragment
    assert "as the destination has them" in get(viewer.client, f"{url}?ask=1")

    services.set_cursor(
        pipeline=shop.pipeline, actor=editor.actor, resource="orders", value="2024-01-02"
    )
    for page in (get(editor.client, url), get(editor.client, url, htmx=True)):
        assert "set by Edith" in page
        assert "not used yet" in page
        assert "state/0/move/" in page
    shop.load()
    page = get(editor.client, url, htmx=True)
    assert "#2</a>" in page
    assert "not used yet" not in page


def test_a_run_that_finds_nothing_new_leaves_the_person_s_name(
    shop: Loaded, editor: Person
) -> None:
    shop.load()
    services.set_cursor(
        pipeline=shop.pipeline, actor=editor.actor, resource="orders", value="2024-06-01"
    )
    shop.load()
    for page in (
        get(editor.client, shop.url("pipeline-state"), htmx=htmx) for htmx in (False, True)
    ):
        assert "set by Edith" in page
        assert "not used yet" not in page


def test_a_destination_that_is_silent(shop: Loaded, editor: Person) -> None:
    shop.load()
    shop.break_destination()
    page = get(editor.client, shop.url("pipeline-state"), htmx=True)
    assert "The destination did not say where the cursors stand." in page
    assert "Open the connection" in page
    assert "2024-01-04" in page, "what is known is still shown"
    assert "state/0/move/" in page, "and can still be moved"


def test_moving_a_cursor(shop: Loaded, editor: Person, viewer: Person) -> None:
    shop.load()
    url = shop.url("cursor-move", 0)
    assert viewer.client.post(url, seen(shop) | {"value": "2024-01-02"}).status_code == 403
    page = get(editor.client, url)
    assert 'value="2024-01-04"' in page
    assert "Rows that are loaded already are updated" in page
    dialog = get(editor.client, url, htmx=True)
    assert "<html" not in dialog
    assert 'id="cursor-h"' in dialog
    answer = editor.client.post(url, seen(shop) | {"value": " 2024-01-02 "})
    assert answer["Location"] == shop.url("pipeline-state")
    shop.pipeline.refresh_from_db()
    assert shop.pipeline.cursors["orders"]["value"] == "2024-01-02"
    event = AuditEvent.objects.for_organization(shop.organization).get(action="pipeline.cursor_set")
    assert event.changes == {"orders.updated_at": ["2024-01-04", "2024-01-02"]}
    assert shop.results(shop.load())["orders"].rows_read == 3

    in_dialog = editor.client.post(url, seen(shop) | {"value": "2024-01-03"}, headers=HTMX)
    assert (in_dialog.status_code, in_dialog["HX-Redirect"]) == (204, shop.url("pipeline-state"))


@pytest.mark.parametrize("value", ["yesterday", "", "x" * 300])
def test_a_value_that_does_not_fit(shop: Loaded, editor: Person, value: str) -> None:
    shop.load()
    answer = editor.client.post(shop.url("cursor-move", 0), seen(shop) | {"value": value})
    assert answer.status_code == 422
    assert "error" in answer.content.decode()
    shop.pipeline.refresh_from_db()
    assert shop.pipeline.cursors["orders"]["value"] == "2024-01-04"


def test_a_typed_value_before_the_first_run(organization: Organization, editor: Person) -> None:
    by_id = {"name": "orders", "write_disposition": "append", "cursor_column": "id"}
    shop = make_loaded(organization, editor, by_id)
    url = shop.url("cursor-move", 0)
    wrong = editor.client.post(url, seen(shop) | {"value": "first"})
    assert "Give a whole number" in wrong.content.decode()
    assert editor.client.post(url, seen(shop) | {"value": "2"}).status_code == 302
    (shop.files / "shop.sqlite").write_text("gone")
    blind = editor.client.post(url, seen(shop) | {"value": "3"}, follow=True).content.decode()
    assert "Nobody could say whether the value fits" in blind


def test_a_run_moved_it_meanwhile(shop: Loaded, editor: Person) -> None:
    shop.load()
    looked_at = seen(shop) | {"value": "2024-01-03"}
    shop.sql("INSERT INTO orders VALUES (9, 'paid', 1, '2024-02-01')")
    shop.load()
    url = shop.url("cursor-move", 0)
    for headers in ({}, HTMX):
        refused = editor.client.post(url, looked_at, headers=headers)
        page = refused.content.decode()
        assert refused.status_code == 422
        assert "was moved to &#x27;2024-02-01&#x27; since you looked" in page
        assert 'name="expected" value="2024-02-01"' in page, "the second look starts from there"
    assert editor.client.post(url, looked_at | seen(shop)).status_code == 302


def test_beginning_anew(organization: Organization, editor: Person, viewer: Person) -> None:
    shop = make_loaded(organization, editor, APPENDED)
    shop.load()
    url = shop.url("cursor-reset", 0)
    assert viewer.client.get(url).status_code == 403
    page = get(editor.client, url)
    assert "Appended rows may come twice" in page
    assert "refresh/?what=table&amp;table=orders" in page
    assert editor.client.post(url, seen(shop)).status_code == 302
    assert "Its beginning" in get(editor.client, shop.url("pipeline-state"), htmx=True)
    shop.load()
    assert shop.rows("SELECT count(*) FROM raw_shop.orders") == [(8,)]


def test_tables_that_changed_places_and_tables_without_cursor(shop: Loaded, editor: Person) -> None:
    url = shop.url("cursor-move", 0)
    other = {"resource": "customers", "expected": "", "value": "1"}
    assert "were changed since you looked" in editor.client.post(url, other).content.decode()
    assert editor.client.get(shop.url("cursor-move", 7)).status_code == 404


def test_a_pipeline_without_cursors(
    organization: Organization, editor: Person, viewer: Person
) -> None:
    replaced = [{"name": "customers", "write_disposition": "replace"}]
    pipeline: Pipeline = make_pipeline(organization, editor, resources=replaced)
    page = get(viewer.client, f"/o/{organization.slug}/pipelines/{pipeline.slug}/state/")
    assert "No cursors" in page
    assert 'hx-trigger="load"' not in page, "there is nothing to ask for"
