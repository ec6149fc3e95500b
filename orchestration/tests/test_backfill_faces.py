"""Backfills through the pages, the API and the command."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils.http import urlencode

from common.errors import NotFound, UserError
from conftest_site import Person
from orchestration import services
from orchestration.backfill_page import MOST_CELLS, page_of_slices, slices_of, strip_of
from orchestration.models import Backfill, BackfillSlice, BackfillStatus, Run, Status
from orchestration.tests.backfilling import RANGE, Filling
from orchestration.tests.pages import HTMX, get
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition

pytestmark = pytest.mark.django_db

QUERY = {"pipeline": "shop", **RANGE}


def query(**changes: str) -> str:
    return urlencode({**QUERY, **changes})


def end(backfill: Backfill, position: int, status: Status) -> None:
    """The slice as if its run had ended so."""
    rows = BackfillSlice.all_organizations.filter(backfill=backfill, position=position)
    rows.update(status=status, rows_loaded=3)


# --- pages -----------------------------------------------------------------------------------------


def test_from_the_pipeline_to_a_backfill(filling: Filling, editor: Person) -> None:
    base = f"/o/{filling.shop.organization.slug}"
    page = get(editor.client, f"{base}/pipelines/shop/")
    assert f"{base}/backfills/create/?pipeline=shop" in page
    page = get(editor.client, f"{base}/backfills/create/?pipeline=shop")
    assert "Give a beginning and an end" in page
    # Two bounds are enough: the size is proposed.
    page = get(editor.client, f"{base}/backfills/create/?{query(slice_size='')}")
    assert 'value="1 day"' in page
    assert "4 slices" in page
    part = get(editor.client, f"{base}/backfills/create/?{query()}", htmx=True)
    assert "<html" not in part
    assert "backfills/estimate/" in part
    assert not Backfill.all_organizations.exists()
    sent = {**QUERY, "estimated_rows": "4"}
    with filling.committing(execute=True):
        answer = editor.client.post(f"{base}/backfills/create/", sent)
    assert (answer.status_code, answer["Location"]) == (302, f"{base}/backfills/1/")
    assert Backfill.all_organizations.get().estimated_rows == 4
    page = get(editor.client, f"{base}/backfills/1/")
    assert "0 of 4 slices have ended" in page
    assert "of about 4" in page
    assert f"{base}/runs/1/" in page
    assert f"{base}/backfills/1/" in get(editor.client, f"{base}/runs/1/")
    # Sent twice, it starts one.
    again = editor.client.post(f"{base}/backfills/create/", sent)
    assert again.status_code == 422
    assert "has not ended yet" in again.content.decode()


def test_the_estimate_without_script(filling: Filling, editor: Person) -> None:
    base = f"/o/{filling.shop.organization.slug}/backfills"
    page = get(editor.client, f"{base}/create/?{query()}&ask=1")
    assert "4 rows in the range, about 1 a slice" in page
    assert 'name="estimated_rows" value="4"' in page
    part = get(editor.client, f"{base}/estimate/?{query(slice_size='1 week')}")
    assert "4 rows in the range" in part
    assert "a slice" not in part
    filling.shop.break_destination()
    assert "could not be counted" in get(editor.client, f"{base}/estimate/?{query()}")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cursor_to": "2024-01-01"}, "is empty"),
        ({"slice_size": "2 moons"}, "is no size of a slice"),
        ({"cursor_from": "1000-01-01"}, "more than 1,000 slices"),
        ({"cursor_from": "today"}, "is no date or time"),
        ({"cursor_from": "today", "slice_size": ""}, "From and up to are no range"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    filling: Filling, editor: Person, changes: dict[str, str], text: str
) -> None:
    url = f"/o/{filling.shop.organization.slug}/backfills/create/"
    page = get(editor.client, f"{url}?{query(**changes)}")
    assert text in page
    assert 'aria-invalid="true"' in page
    assert "Correct the marked values" in page
    assert 'id="start"' not in page
    assert editor.client.post(url, {**QUERY, **changes}).status_code == 422


def test_a_pipeline_without_ranges(filling: Filling, editor: Person) -> None:
    data = pipelines.definition_of(filling.shop.pipeline).as_dict()
    data["resources"][0] |= {"write_disposition": "replace", "cursor_column": ""}
    pipelines.update_pipeline(
        pipeline=filling.shop.pipeline,
        actor=editor.actor,
        definition=PipelineDefinition.parse(data),
    )
    base = f"/o/{filling.shop.organization.slug}/backfills/create/"
    assert "No table of this pipeline has ranges" in get(editor.client, f"{base}?pipeline=shop")
    assert 'name="cursor_from"' not in get(editor.client, base)


def test_the_buttons(filling: Filling, editor: Person, viewer: Person) -> None:
    backfill = filling.start()
    base = f"/o/{filling.shop.organization.slug}/backfills/1"
    assert 'id="pause"' not in get(viewer.client, f"{base}/")
    assert viewer.client.post(f"{base}/pause/").status_code == 403
    wanted = {"pause": BackfillStatus.PAUSED, "resume": BackfillStatus.RUNNING}
    for name, status in wanted.items():
        assert f'id="{name}"' in get(editor.client, f"{base}/")
        assert editor.client.post(f"{base}/{name}/").status_code == 302
        backfill.refresh_from_db()
        assert backfill.status == status
    end(backfill, 2, Status.FAILED)
    assert "Repeat 1 failed slice" in get(editor.client, f"{base}/")
    editor.client.post(f"{base}/cancel/")
    assert "Load the rest" in get(editor.client, f"{base}/")
    editor.client.post(f"{base}/retry/")
    backfill.refresh_from_db()
    assert backfill.status == BackfillStatus.RUNNING
    # What it is not in a state for is said, not a page of its own.
    answer = editor.client.post(f"{base}/resume/", follow=True)
    assert "is not paused" in answer.content.decode()
    assert editor.client.get(f"{base}/cancel/").status_code == 405


def test_polled_while_it_moves(filling: Filling, editor: Person) -> None:
    backfill = filling.start()
    url = f"/o/{filling.shop.organization.slug}/backfills/"
    for address in (url, f"{url}1/"):
        assert "data-poll" in get(editor.client, address, htmx=True)
    part = editor.client.get(f"{url}1/", headers=HTMX).content.decode()
    assert 'id="backfill-actions" hx-swap-oob="true"' in part
    filling.change(services.cancel_backfill, backfill)
    for address in (url, f"{url}1/"):
        assert "data-poll" not in get(editor.client, address, htmx=True)


def test_the_list(filling: Filling, viewer: Person, editor: Person) -> None:
    url = f"/o/{filling.shop.organization.slug}/backfills/"
    assert "No backfills yet" in get(viewer.client, url)
    assert "backfills/create/" not in get(viewer.client, url)
    backfill = filling.start()
    end(backfill, 1, Status.FAILED)
    page = get(editor.client, f"{url}?pipeline=shop")
    assert "0 of 4" in page
    assert "1 failed" in page
    assert editor.client.get(f"{url}?pipeline=none").status_code == 404


def test_a_thousand_slices_are_a_page(filling: Filling, editor: Person) -> None:
    with filling.committing(execute=True):
        backfill = filling.start(
            cursor_from="2024-01-01 00:00", cursor_to="2024-02-11 16:00", slice_size="1 hour"
        )
    rows = slices_of(backfill)
    assert rows.count() == 1_000
    end(backfill, 500, Status.FAILED)
    cells = strip_of(rows)
    assert len(cells) <= MOST_CELLS
    assert [cell.status for cell in cells].count("failed") == 1
    url = f"/o/{filling.shop.organization.slug}/backfills/1/"
    page = get(editor.client, url)
    assert page.count("<tr>") == 51
    assert "Each square is several slices." in page
    assert "?from=51" in page
    second = page_of_slices(backfill, "", 51)
    assert (second["before"], second["after"], second["slices"][0][0].position) == (1, 101, 51)
    failed = get(editor.client, f"{url}?show=failed")
    assert "1 of 1 slice" in failed


# --- API -------------------------------------------------------------------------------------------


def post(person: Person, url: str, data: Any = None) -> Any:
    return person.client.post(url, json.dumps(data or {}), content_type="application/json")


def test_through_the_api(filling: Filling, editor: Person, viewer: Person) -> None:
    url = f"/api/v1/organizations/{filling.shop.organization.slug}/backfills/"
    plan = post(editor, f"{url}preview/", QUERY)
    assert plan.status_code == 200, plan.content
    assert (len(plan.json()["slices"]), plan.json()["source_rows"]) == (4, 4)
    quick = post(editor, f"{url}preview/", {**QUERY, "estimate": False}).json()
    assert quick["source_rows"] is None
    assert not Backfill.all_organizations.exists()
    with filling.committing(execute=True):
        started = post(editor, url, QUERY)
    assert started.status_code == 201, started.content
    assert started.json()["progress"]["total"] == 4
    assert post(editor, url, QUERY).status_code == 409
    slices = editor.client.get(f"{url}1/slices/").json()["results"]
    assert [one["status"] for one in slices] == ["queued"] * 4
    assert [one["run"] for one in slices] == [1, None, None, None]
    for name, status in (
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "cancelled"),
        ("retry", "running"),
    ):
        with filling.committing(execute=True):
            answer = post(editor, f"{url}1/{name}/")
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        assert post(viewer, f"{url}1/{name}/").status_code == 403
    listed = viewer.client.get(f"{url}?pipeline=shop&status=running").json()["results"]
    assert [one["number"] for one in listed] == [1]
    assert viewer.client.get(f"{url}1/").json()["progress"]["cancelled"] == 0


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"slice_size": "never"}, 422, "slice_size"),
        ({"resource": "customers"}, 422, "resource"),
        ({"pipeline": "nothing"}, 404, ""),
        ({"sliec": "1 day"}, 422, "sliec"),
    ],
)
def test_refused_by_the_api(
    filling: Filling, editor: Person, changes: dict[str, str], status: int, field: str
) -> None:
    url = f"/api/v1/organizations/{filling.shop.organization.slug}/backfills/"
    answer = post(editor, url, {**QUERY, **changes})
    assert (answer.status_code, answer.json()["field"]) == (status, field)


# --- command ---------------------------------------------------------------------------------------


def command(filling: Filling, *options: str) -> str:
    out = StringIO()
    asked = ["--resource", "orders", "--from", "2024-01-01", "--to", "2024-01-05"]
    target = f"{filling.shop.organization.slug}/shop"
    with filling.committing(execute=True):
        call_command("backfill", target, *asked, *options, stdout=out)
    return out.getvalue()


def test_through_the_command(filling: Filling) -> None:
    shown = command(filling, "--preview", "--slice", "2 days")
    assert "2 slices of 2 days; nothing was started." in shown
    assert "Rows at the source: 4; to be replaced: unknown." in shown
    data = json.loads(command(filling, "--preview", "--json"))
    assert (len(data["slices"]), data["source_rows"]) == (4, 4)
    assert not Backfill.all_organizations.exists()
    data = json.loads(command(filling, "--slice", "2 days", "--json"))
    assert (data["status"], [one["status"] for one in data["slices"]]) == (
        "running",
        ["queued"] * 2,
    )
    with pytest.raises(UserError, match="has not ended"):
        command(filling)


def test_the_command_waits(filling: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the command itself does what workers do while it waits."""
    monkeypatch.setattr(
        "orchestration.management.commands.backfill.time.sleep", lambda _: filling.work()
    )

    def at_once(work: Any, **_: object) -> None:
        work()

    monkeypatch.setattr("django.db.transaction.on_commit", at_once)
    text = command(filling, "--slice", "2 days", "--wait")
    assert "slice 1 from 2024-01-01 up to 2024-01-03: succeeded" in text
    assert "Backfill #1 of Shop: succeeded, 2 of 2 slices have succeeded, 4 rows." in text
    filling.shop.sql("ALTER TABLE orders RENAME TO away")
    with pytest.raises(CommandError, match="Backfill #2 failed"):
        command(filling, "--slice", "1 week", "--wait", "--json")
    assert Run.all_organizations.count() == 3


def test_the_command_names_what_is_wrong(filling: Filling) -> None:
    needed = ["--resource", "orders", "--from", "1", "--to", "2"]
    slug = filling.shop.organization.slug
    with pytest.raises(UserError, match="ORG/PIPELINE"):
        call_command("backfill", "shop", *needed)
    with pytest.raises(NotFound, match="no organization"):
        call_command("backfill", "nobody/shop", *needed)
    with pytest.raises(NotFound, match="There are: shop"):
        call_command("backfill", f"{slug}/nothing", *needed)
