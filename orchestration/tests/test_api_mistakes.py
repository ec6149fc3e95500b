"""What machines get wrong when they ask: every answer names the field, the cause and what to do."""

import json
from typing import Any

import pytest

from conftest_site import Person
from connections.models import Connection
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def _send(person: Person, path: str, data: object) -> Any:
    return person.client.post(path, json.dumps(data), content_type="application/json")


@pytest.fixture
def api(organization: Organization) -> str:
    return f"/api/v1/organizations/{organization.slug}"


@pytest.fixture
def nightly() -> dict[str, Any]:
    return {"name": "Nightly", "cron": "0 3 * * *", "target": "dag"}


def test_a_misspelled_setting_of_a_schedule_is_refused(
    api: str, editor: Person, stand: Connection, nightly: dict[str, Any]
) -> None:
    answer = _send(editor, f"{api}/schedules/", {**nightly, "overlaps": "cancel"})
    assert answer.status_code == 422
    assert answer.json()["field"] == "overlaps"
    assert "overlap" in answer.json()["detail"]
    assert editor.client.get(f"{api}/schedules/").json() == []


def test_a_misspelled_setting_of_a_retry_is_refused(
    api: str, editor: Person, stand: Connection
) -> None:
    made = _send(editor, f"{api}/runs/", {"target": "pipeline:orders"}).json()
    again = f"{api}/runs/{made['number']}/retry/"
    answer = _send(editor, again, {"from_failur": True})
    assert (answer.status_code, answer.json()["field"]) == (422, "from_failur")


def test_a_wrong_choice_is_told_the_right_ones(
    api: str, editor: Person, stand: Connection, nightly: dict[str, Any]
) -> None:
    answer = _send(editor, f"{api}/schedules/", {**nightly, "missed": "often"}).json()
    assert answer["field"] == "missed"
    assert answer["remedy"] == "Use one of: skip, once, all."
    answer = editor.client.get(f"{api}/runs/?status=bogus").json()
    assert answer["remedy"].startswith("Use one of: active, warning, queued")


def test_a_mistake_inside_a_list_is_told_in_words(
    api: str, editor: Person, stand: Connection
) -> None:
    answer = _send(editor, f"{api}/runs/retry/", {"numbers": [1, "x"]}).json()
    assert answer["field"] == "numbers"
    assert answer["title"] == "A valid integer is required."


def test_a_body_that_is_no_object_is_told_in_words(
    api: str, editor: Person, stand: Connection
) -> None:
    answer = _send(editor, f"{api}/runs/", ["pipeline:orders"]).json()
    assert answer["field"] == ""
    assert answer["detail"] == "The body is not a JSON object. Send the settings by their names."
