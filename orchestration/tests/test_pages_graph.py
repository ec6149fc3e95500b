"""Pages of the graph and of schedules."""

import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from conftest_site import Person
from connections.models import Connection
from orchestration import schedule_page
from orchestration.models import Dependency, Run, Schedule
from orchestration.tests.pages import get
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def test_lineage(
    editor: Person, viewer: Person, client_urls: str, stand: Connection, good_run: Run
) -> None:
    url = f"{client_urls}/lineage/"
    page = get(editor.client, url)
    assert page.count('class="node"') == 5
    assert 'data-e="inferred"' in page
    assert 'data-e="source"' in page
    listed = get(editor.client, f"{url}?view=list")
    for name in ("Orders source", "Users", "stg_orders"):
        assert name in listed
    panel = get(editor.client, f"{url}?node=transformation:stg_orders&panel=1", htmx=True)
    assert "<html" not in panel
    assert "runs/prepare/?target=transformation%3Astg_orders&amp;select=%2Bstg_orders" in panel
    assert "2 nodes" in panel
    reading = get(viewer.client, f"{url}?node=transformation:stg_orders")
    assert "Reads from" in reading
    assert "runs/prepare/" not in reading.partition("dag-side")[2]
    for query, count in (
        ("kind=pipeline", 2),
        ("tag=nightly", 1),
        ("state=warn", 1),
        ("q=users", 2),
        ("around=pipeline:users&steps=1", 2),
    ):
        assert get(viewer.client, f"{url}?{query}").count('class="node"') == count, query
    assert "No node matches" in get(viewer.client, f"{url}?q=nowhere")


def test_dependencies(editor: Person, viewer: Person, client_urls: str, stand: Connection) -> None:
    url = f"{client_urls}/lineage/dependencies/create/"
    assert viewer.client.get(url).status_code == 403
    data = {"upstream": "pipeline:orders", "downstream": "pipeline:users"}
    assert editor.client.post(url, data).status_code == 302
    assert 'data-e="explicit"' in get(editor.client, f"{client_urls}/lineage/")
    back = {"upstream": "pipeline:users", "downstream": "pipeline:orders"}
    response = editor.client.post(url, back)
    assert response.status_code == 422
    text = response.content.decode()
    assert re.search(r"This would be a circle: “(Orders|Users)” \(pipeline\) → “", text)
    assert '<option value="pipeline:users" selected>' in text
    dependency = Dependency.all_organizations.get()
    url = f"{client_urls}/lineage/dependencies/{dependency.pk}/delete/"
    assert viewer.client.post(url).status_code == 403
    assert editor.client.post(url).status_code == 302
    assert not Dependency.all_organizations.exists()


def test_rules_and_windows_on_pages(
    editor: Person, viewer: Person, client_urls: str, stand: Connection
) -> None:
    create = f"{client_urls}/lineage/dependencies/create/"
    edge = {"upstream": "pipeline:orders", "downstream": "pipeline:users"}
    bad = editor.client.post(create, edge | {"amount": "400", "unit": "86400"})
    assert "between one minute and 366 days" in bad.content.decode()
    window = {"amount": "26", "unit": "3600", "rule": "any_succeeded"}
    assert editor.client.post(create, edge | window).status_code == 302
    page = get(editor.client, f"{client_urls}/lineage/?node=pipeline:users")
    assert "fresh within 26 hours" in page
    assert "At least one has succeeded" in page
    dependency = Dependency.all_organizations.get()
    assert (dependency.max_age_seconds, dependency.downstream.rule) == (93_600, "any_succeeded")
    edit = f"{client_urls}/lineage/dependencies/{dependency.pk}/edit/"
    assert viewer.client.get(edit).status_code == 403
    assert 'value="26"' in get(editor.client, edit)
    assert editor.client.post(edit, {"amount": ""}).status_code == 302
    dependency.refresh_from_db()
    assert dependency.max_age_seconds is None
    rule = {"node": "pipeline:users", "rule": "all_finished"}
    assert viewer.client.post(f"{client_urls}/lineage/rule/", rule).status_code == 403
    assert editor.client.post(f"{client_urls}/lineage/rule/", rule).status_code == 302
    dependency.downstream.refresh_from_db()
    assert dependency.downstream.rule == "all_finished"


def test_a_run_is_shown_before_it_starts(
    editor: Person, viewer: Person, client_urls: str, stand: Connection
) -> None:
    url = f"{client_urls}/runs/prepare/"
    assert viewer.client.get(url).status_code == 403
    page = get(editor.client, f"{url}?target=transformation:stg_orders&select=%2Bstg_orders")
    assert "2 nodes" in page
    assert "after 1" in page
    part = get(editor.client, f"{url}?select=tag:nigthly", htmx=True)
    assert "<html" not in part
    assert "Did you mean tag:nightly?" in part
    assert not Run.all_organizations.exists()


def test_schedule_form(
    editor: Person, viewer: Person, client_urls: str, stand: Connection, organization: Organization
) -> None:
    url = f"{client_urls}/schedules/create/"
    assert viewer.client.get(url).status_code == 403
    data = {
        "name": "Nightly",
        "target": "pipeline:orders",
        "select": "",
        "cron": "0 6 * * 8",
        "time_zone": "Europe/Berlin",
        "missed": "once",
        "overlap": "skip",
    }
    response = editor.client.post(url, data)
    assert response.status_code == 422
    text = response.content.decode()
    assert 'value="0 6 * * 8"' in text
    assert 'id="id_cron_error"' in text
    preset = editor.client.post(url, {**data, "preset": "0 * * * *"}).content.decode()
    assert 'value="0 * * * *"' in preset
    assert 'value="Nightly"' in preset
    assert not Schedule.all_organizations.exists()
    assert editor.client.post(url, {**data, "cron": "0 6 * * 1-5"}).status_code == 302
    schedule = Schedule.all_organizations.get()
    assert schedule.cron == "0 6 * * 1-5"
    edit = f"{client_urls}/schedules/nightly/edit/"
    assert 'value="0 6 * * 1-5"' in get(editor.client, edit)
    bad = {**data, "cron": "0 7 * * *", "select": "nowhere"}
    response = editor.client.post(edit, bad)
    assert response.status_code == 422
    assert "&#x27;nowhere&#x27; matches nothing." in response.content.decode()
    editor.client.post(edit, {**data, "cron": "0 7 * * *"})
    schedule = Schedule.all_organizations.get()
    assert schedule.cron == "0 7 * * *"


def test_schedule_preview(editor: Person, client_urls: str) -> None:
    url = f"{client_urls}/schedules/preview/"
    text = get(editor.client, f"{url}?cron=0+6+*+*+*&time_zone=UTC", htmx=True)
    assert len(re.findall("<li>", text)) == 10
    assert "At 06:00" in text
    assert "5 fields" in get(editor.client, f"{url}?cron=0+6&time_zone=UTC", htmx=True)
    assert "Mars" in get(editor.client, f"{url}?cron=0+6+*+*+*&time_zone=Mars", htmx=True)
    filled = get(editor.client, f"{url}?preset=*/15+*+*+*+*&time_zone=UTC", htmx=True)
    assert 'value="*/15 * * * *"' in filled


def test_the_preview_says_when_clocks_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 10, 23, tzinfo=UTC))
    preview = schedule_page.preview_of("30 6 * * *", "Europe/Berlin")
    assert "from UTC+02:00 to UTC+01:00" in preview.shift
    assert "24 Oct" in preview.shift
    assert schedule_page.preview_of("30 6 * * *", "UTC").shift == ""


def test_schedule_list(
    editor: Person, viewer: Person, client_urls: str, schedule: Schedule
) -> None:
    url = f"{client_urls}/schedules/"
    page = get(editor.client, url)
    assert "At 06:00, Monday through Friday" in page
    assert "0 6 * * 1-5" in page
    assert "toggle/" in page
    reading = get(viewer.client, url)
    assert "Nightly" in reading
    assert "toggle/" not in reading
    assert "No schedule matches" in get(viewer.client, f"{url}?q=zzz", htmx=True)
    assert viewer.client.post(f"{url}nightly/toggle/").status_code == 403
    editor.client.post(f"{url}nightly/toggle/")
    schedule.refresh_from_db()
    assert not schedule.is_active
    assert "Resume" in get(editor.client, url)
    editor.client.post(f"{url}nightly/delete/")
    assert "No schedules yet" in get(editor.client, url)
