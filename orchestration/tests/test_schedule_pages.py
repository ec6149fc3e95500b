"""Schedules on pages and through the API: preview, bounds, pausing all."""

import json
from datetime import UTC, datetime, timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from common.errors import NotFound
from conftest_site import Person
from orchestration import services
from orchestration.models import Schedule
from orchestration.schedule_page import preview_of, state_of
from orchestration.tests import factories as make
from orchestration.tests.pages import get

pytestmark = pytest.mark.django_db

FORM: dict[str, Any] = {
    "name": "Campaign", "target": "pipeline:orders", "select": "", "cron": "0 6 * * *",
    "time_zone": "Australia/Lord_Howe", "missed": "once", "overlap": "cancel",
    "starts_at": "2036-12-01T08:00", "ends_at": "2036-12-24T00:00",
}  # fmt: skip


def preview(expression: str, now: datetime) -> list[str]:
    found = preview_of(expression, "Europe/Berlin", now=now).starts
    return [f"{start.text} | {start.note}" for start in found]


def test_the_preview_tells_ten_and_what_the_clock_does() -> None:
    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    moved = preview("30 2 * * *", spring)
    assert len(moved) == 10
    assert moved[0] == ("Sun 29 Mar 2026, 03:00 CEST | moved: the clock jumps over 02:30 that day")
    left_out = preview("*/30 2 * * *", spring)
    assert left_out[0] == (
        "Sun 29 Mar 2026, 02:00 to 02:30 | left out: the clock jumps over it that day"
    )
    assert len(left_out) == 11
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert preview("0 2 * * *", autumn)[0] == (
        "Sun 25 Oct 2026, 02:00 CEST | 02:00 comes twice that day, it starts the first time only"
    )
    both = preview("*/30 2 * * *", autumn)[:4]
    assert [text.split(", ")[1].split(" |")[0] for text in both] == [
        "02:00 CEST", "02:30 CEST", "02:00 CET", "02:30 CET",
    ]  # fmt: skip
    assert both[2].endswith("02:00 comes twice that day, this is the second")


def test_bounds_are_of_the_schedules_zone(
    editor: Person, client_urls: str, schedule: Schedule
) -> None:
    assert editor.client.post(f"{client_urls}/schedules/create/", FORM).status_code == 302
    made = Schedule.all_organizations.get(slug="campaign")
    # Lord Howe is 11 hours ahead in December; its first 06:00 after 1 December, 08:00 is on the second.
    assert made.starts_at == datetime(2036, 11, 30, 21, tzinfo=UTC)
    assert made.next_run_at == datetime(2036, 12, 1, 19, tzinfo=UTC)
    form = get(editor.client, f"{client_urls}/schedules/campaign/edit/")
    assert 'value="2036-12-01T08:00"' in form
    assert "01 Dec 2036, 08:00" in get(editor.client, f"{client_urls}/schedules/")
    wrong = {**FORM, "ends_at": "2036-11-01T00:00"}
    answer = editor.client.post(f"{client_urls}/schedules/campaign/edit/", wrong)
    assert answer.status_code == 422
    assert "It would end before it begins." in unescape(answer.content.decode())
    part = get(
        editor.client,
        f"{client_urls}/schedules/preview/?cron=0+6+*+*+*&time_zone=UTC"
        "&starts_at=2036-12-01T08:00&ends_at=2036-12-03T08:00",
        htmx=True,
    )
    assert part.count("<li") == 2
    assert "Then it is over." in part


def test_one_that_is_over_says_so(editor: Person, client_urls: str, schedule: Schedule) -> None:
    assert state_of(schedule) == "active"
    schedule.ends_at, schedule.next_run_at = timezone.now() - timedelta(days=1), None
    schedule.save()
    assert state_of(schedule) == "over"
    assert "Nightly" in get(editor.client, f"{client_urls}/schedules/?state=over")
    assert "Nightly" not in get(editor.client, f"{client_urls}/schedules/?state=active")


def test_who_paused_all_is_shown(
    editor: Person, viewer: Person, client_urls: str, schedule: Schedule
) -> None:
    page = f"{client_urls}/schedules/"
    assert viewer.client.post(f"{page}pause-all/").status_code == 403
    assert editor.client.post(f"{page}pause-all/").status_code == 302
    for person in (editor, viewer):
        shown = get(person.client, page)
        assert "All schedules are paused." in shown
        assert "Edith paused them on" in shown
        assert ("resume-all" in shown) == (person is editor)
    schedule.refresh_from_db()
    assert schedule.is_active
    assert schedule.next_run_at is None
    assert editor.client.post(f"{page}resume-all/").status_code == 302
    assert "All schedules are paused." not in get(editor.client, page)
    schedule.refresh_from_db()
    assert schedule.next_run_at is not None


def test_through_the_api(editor: Person, viewer: Person, schedule: Schedule) -> None:
    api = f"/api/v1/organizations/{schedule.organization.slug}/schedules/"
    key: dict[str, Any] = {"content_type": "application/json"}
    assert viewer.client.post(f"{api}pause-all/", {}, **key).status_code == 403
    paused = editor.client.post(f"{api}pause-all/", {}, **key).json()
    assert paused["paused_at"]
    assert paused["paused_by"] == "Edith"
    assert editor.client.get(f"{api}nightly/").json()["next_run_at"] is None
    resumed = editor.client.post(f"{api}resume-all/", {}, **key).json()
    assert resumed == {"paused_at": None, "paused_by": ""}
    changed = editor.client.patch(
        f"{api}nightly/", {"ends_at": "2036-01-01T00:00:00Z", "overlap": "cancel"}, **key
    ).json()
    assert (changed["ends_at"], changed["overlap"]) == ("2036-01-01T00:00:00Z", "cancel")
    kept = editor.client.patch(f"{api}nightly/", {"name": "Other"}, **key).json()
    assert kept["ends_at"] == "2036-01-01T00:00:00Z"
    bad = editor.client.patch(f"{api}nightly/", {"ends_at": None, "cron": "0 25 * * *"}, **key)
    assert (bad.status_code, bad.json()["field"]) == (422, "cron")


def test_a_name_that_is_a_word_of_the_url(editor: Person, schedule: Schedule) -> None:
    made = services.create_schedule(
        organization=schedule.organization, actor=make.OPERATOR, name="Pause all",
        expression="@daily", time_zone="UTC",
    )  # fmt: skip
    assert (made.slug, made.cron) == ("pause-all-schedule", "0 0 * * *")


def test_through_the_command(schedule: Schedule) -> None:
    def command(*arguments: str) -> str:
        out = StringIO()
        call_command("schedules", schedule.organization.slug, *arguments, stdout=out)
        return out.getvalue()

    listed = command()
    assert "nightly  active" in listed
    assert "At 06:00, Monday through Friday (Europe/Berlin)" in listed
    assert "All paused by Command line" in command("--pause-all")
    assert json.loads(command("--json"))[0]["next_run_at"] is None
    assert json.loads(command("--resume-all", "--json"))[0]["next_run_at"]
    with pytest.raises(NotFound, match="nowhere"):
        call_command("schedules", "nowhere")
