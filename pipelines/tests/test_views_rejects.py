"""Rejected rows on their page: read by everybody, their values by editors, tried again and thrown away."""

import re

import pytest

from audit.models import AuditEvent
from conftest_site import Person
from orchestration.models import Run
from orchestration.tests.pages import get
from pipelines import rejected, services
from pipelines.definition import PipelineDefinition
from pipelines.tests.loaded import BAD_ROWS, ORDERS, Loaded, make_loaded
from tenants.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(organization: Organization, editor: Person) -> Loaded:
    return make_loaded(organization, editor)


@pytest.fixture
def refused(shop: Loaded) -> Loaded:
    """A first run, and one that put three rows aside."""
    shop.load()
    shop.sql(*BAD_ROWS)
    run = shop.load()
    assert shop.results(run)["orders"].rows_rejected == 3, shop.log(run)
    return shop


def ids_of(page: str) -> list[str]:
    return re.findall(r'name="ids" value="([^"]+)"', page)


def test_none_wait(shop: Loaded, viewer: Person) -> None:
    url = shop.url("pipeline-rejects")
    page = get(viewer.client, url)
    assert 'hx-trigger="load"' in page
    assert "?ask=1" in page, "the way without script"
    assert "No rejected rows" in get(viewer.client, url, htmx=True)
    assert "rejected rows wait" not in get(viewer.client, shop.url("pipeline-detail"))


def test_what_was_refused_when_and_why(refused: Loaded, editor: Person, viewer: Person) -> None:
    url = refused.url("pipeline-rejects")
    for page in (get(editor.client, f"{url}?ask=1"), get(editor.client, url, htmx=True)):
        assert len(ids_of(page)) == 3
        for words in (
            "total",
            "a lot",
            "nothing",
            "run #2",
            "3 of 3",
            "&quot;id&quot;: &quot;11&quot;",
        ):
            assert words in page
        assert "empty text" in page
    reading = get(viewer.client, url, htmx=True)
    assert "Values are for editors" in reading
    assert "a lot" not in reading
    assert "&quot;11&quot;" not in reading
    assert ids_of(reading) == []
    assert "retry/" not in reading
    for shown in ("pipeline-detail", "pipeline-tables"):
        page = get(viewer.client, refused.url(shown))
        assert "3 rejected rows wait" in page
        assert "rejects/?table=orders" in page


def test_filter_and_pages(refused: Loaded, editor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    refused.sql(
        "CREATE TABLE lines (id INTEGER PRIMARY KEY, price REAL)",
        "INSERT INTO lines VALUES (1, 2.5)",
    )
    refused.load()
    contract = {"data_type": "discard_row"}
    refused.pipeline.refresh_from_db()
    refused.pipeline.schema_contract = contract
    refused.pipeline.write_disposition = "append"
    refused.pipeline.save()
    refused.sql("INSERT INTO lines VALUES (2, 'dear')")
    refused.load(tables=["lines"])
    monkeypatch.setattr(rejected, "PAGE", 2)
    url = refused.url("pipeline-rejects")
    page = get(editor.client, url, htmx=True)
    assert len(ids_of(page)) == 2
    assert re.search(r'rel="next"', page)
    only = get(editor.client, f"{url}?table=lines", htmx=True)
    assert "dear" in only
    assert len(ids_of(only)) == 1
    after = re.search(r'hx-get="([^"]+after=[^"]+)"', page)
    assert after is not None
    second = get(editor.client, after[1].replace("&amp;", "&"), htmx=True)
    assert not set(ids_of(second)) & set(ids_of(page))
    assert 'rel="first"' in second


def test_trying_again(refused: Loaded, editor: Person, viewer: Person) -> None:
    url = refused.url("rejects-retry")
    assert viewer.client.get(url).status_code == 403
    page = get(editor.client, url)
    assert re.search(r'name="tables" value="orders" checked', page)
    assert not re.search(r'name="tables" value="customers" checked', page)
    dialog = get(editor.client, f"{url}?table=orders", htmx=True)
    assert "<html" not in dialog
    assert "customers" not in dialog
    create = f"/o/{refused.organization.slug}/runs/create/"
    asked = {"target": "pipeline:shop", "replay_rejects": "1", "token": "t"}
    assert editor.client.post(create, asked).status_code == 422
    answer = editor.client.post(create, asked | {"tables": "orders"})
    run = Run.all_organizations.get(number=3)
    assert answer["Location"].endswith("/runs/3/")
    assert run.options["replay_rejects"]
    # Nothing has changed, so nothing fits.
    assert refused.results(refused.work(run))["orders"].rows_rejected == 3
    assert "Rejected rows of orders again" in get(editor.client, answer["Location"])
    assert "3 rejected rows wait" in get(editor.client, refused.url("pipeline-detail"))


def test_what_fits_by_the_settings_of_today_is_loaded(
    organization: Organization, editor: Person
) -> None:
    shop = make_loaded(
        organization, editor, ORDERS | {"schema_contract": {"columns": "discard_row"}}
    )
    shop.load()
    shop.sql(
        "ALTER TABLE orders ADD COLUMN gift TEXT",
        "INSERT INTO orders VALUES (11, 'paid', 1, '2024-01-11', 'yes')",
    )
    shop.load()
    assert "1 rejected row waits" in get(editor.client, shop.url("pipeline-detail"))
    assert "Rows rejected" in get(editor.client, shop.url("pipeline-shape"))
    data = services.definition_of(shop.pipeline).as_dict()
    data["resources"][0]["schema_contract"] = {}
    services.update_pipeline(
        pipeline=shop.pipeline, actor=editor.actor, definition=PipelineDefinition.parse(data)
    )
    shop.load(tables=["orders"], replay_rejects=True)
    assert shop.rows("SELECT gift FROM raw_shop.orders WHERE id = 11") == [("yes",)]
    assert "No rejected rows" in get(editor.client, shop.url("pipeline-rejects"), htmx=True)
    assert "rejected row" not in get(editor.client, shop.url("pipeline-tables"))


def test_throwing_away(refused: Loaded, editor: Person, viewer: Person) -> None:
    page = get(editor.client, refused.url("pipeline-rejects"), htmx=True)
    one, *others = ids_of(page)
    url = refused.url("rejects-discard")
    assert viewer.client.post(url, {"ids": [one], "confirmed": "1"}).status_code == 403
    asks = editor.client.post(url, {"ids": [one]})
    assert "Throw 1 row away?" in asks.content.decode()
    assert ids_of(asks.content.decode()) == [one]
    done = editor.client.post(url, {"ids": [one], "confirmed": "1"}, follow=True)
    assert "1 row is thrown away" in done.content.decode()
    assert "2 rejected rows wait" in get(editor.client, refused.url("pipeline-detail"))
    assert ids_of(get(editor.client, refused.url("pipeline-rejects"), htmx=True)) == others
    assert editor.client.post(url, {"confirmed": "1"}).status_code == 422
    events = AuditEvent.objects.for_organization(refused.organization)
    assert events.filter(action="pipeline.rejects_discarded").count() == 1


def test_a_destination_that_is_silent(refused: Loaded, editor: Person) -> None:
    refused.break_destination()
    page = get(editor.client, refused.url("pipeline-rejects"), htmx=True)
    assert "The rejected rows could not be read." in page
    assert "Open the connection" in page
    assert "Ask again" in page
