"""Alerts through the API."""

import json
from typing import Any

from django.test import Client

from alerts import sending
from alerts.models import AlertChannel
from alerts.tests.factories import Receiver, make_channel, make_rule, run_once
from conftest_site import Person
from connections.models import Connection
from tenants.models import Organization

ROOT = "/api/v1/organizations/acme/"


def send(client: Client, method: str, path: str, data: Any = None) -> Any:
    body = "" if data is None else json.dumps(data)
    return client.generic(method, ROOT + path, body, content_type="application/json")


def test_channels(organization: Organization, editor: Person, receiver: Receiver) -> None:
    client = editor.client
    made = send(
        client,
        "POST",
        "alert-channels/",
        {"kind": "webhook", "name": "Hook", "url": receiver.url()},
    )
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert made.json()["host"] == "127.0.0.1"
    assert "geheim42" not in made.content.decode()
    shown = client.get(ROOT + "alert-channels/hook/").json()
    assert set(shown) == {"slug", "name", "kind", "addresses", "host", "created_at"}
    changed = send(client, "PATCH", "alert-channels/hook/", {"name": "Other"}).json()
    assert changed["name"] == "Other"
    assert AlertChannel.all_organizations.get().secrets["url"] == receiver.url()
    tested = send(client, "POST", "alert-channels/hook/test/").json()
    assert (tested["status"], tested["channel"]) == ("delivered", "hook")
    assert receiver.received[0].json["type"] == "alert.test"
    renewed = send(client, "POST", "alert-channels/hook/renew-secret/").json()
    assert renewed["secret"] != made.json()["secret"]
    wrong = send(client, "POST", "alert-channels/", {"kind": "slack", "name": "x"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "url")
    unknown = send(client, "PATCH", "alert-channels/hook/", {"secret": "mine"})
    assert unknown.status_code == 422
    assert send(client, "DELETE", "alert-channels/hook/").status_code == 204


def test_rules(organization: Organization, stand: Connection, editor: Person) -> None:
    client = editor.client
    make_channel(organization)
    rule = {"name": "Late", "channels": ["on-call"], "no_success_seconds": 3600}
    made = send(
        client,
        "POST",
        "alert-rules/",
        rule | {"scope": "pipeline", "pipeline": "orders", "too_long_factor": 2.5},
    )
    assert made.status_code == 201, made.content
    answer = made.json()
    assert (answer["slug"], answer["pipeline"], answer["channels"]) == (
        "late",
        "orders",
        ["on-call"],
    )
    assert answer["failures_in_a_row"] is None
    changed = send(client, "PATCH", "alert-rules/late/", {"no_success_seconds": None}).json()
    assert (changed["no_success_seconds"], changed["too_long_factor"]) == (None, 2.5)
    muted = send(client, "POST", "alert-rules/late/mute/", {}).json()
    assert (muted["is_muted"], muted["muted_until"], muted["muted_by"]) == (True, None, "Edith")
    assert not send(client, "POST", "alert-rules/late/unmute/").json()["is_muted"]
    assert [row["slug"] for row in client.get(ROOT + "alert-rules/").json()] == ["late"]
    nothing = send(client, "PATCH", "alert-rules/late/", {"too_long_factor": None})
    assert (nothing.status_code, nothing.json()["field"]) == (422, "failures_in_a_row")
    in_use = send(client, "DELETE", "alert-channels/on-call/")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "alert_channel_in_use")
    assert send(client, "DELETE", "alert-rules/late/").status_code == 204
    assert client.get(ROOT + "alert-rules/late/").status_code == 404


def test_deliveries(
    organization: Organization,
    stand: Connection,
    viewer: Person,
    editor: Person,
    receiver: Receiver,
) -> None:
    receiver.status = 400
    make_rule(organization, make_channel(organization, "slack", receiver.url(), name="Chat"))
    run_once(organization, good=False)
    sending.send_due()
    (row,) = viewer.client.get(ROOT + "alert-deliveries/?status=failed").json()["results"]
    assert (row["title"], row["rule"], row["channel"]) == ("Orders failed", "anything", "chat")
    assert row["message"]["data"]["subjects"][0]["key"] == "pipeline:orders"
    assert viewer.client.get(ROOT + "alert-deliveries/?status=delivered").json()["results"] == []
    path = f"alert-deliveries/{row['id']}/"
    assert (
        viewer.client.get(ROOT + path).json()["last_error"].startswith("The receiver answered 400")
    )
    assert send(viewer.client, "POST", path + "retry/").status_code == 403
    again = send(editor.client, "POST", path + "retry/").json()
    assert (again["status"], again["attempts"]) == ("pending", 0)
    assert send(editor.client, "POST", path + "retry/").status_code == 409
