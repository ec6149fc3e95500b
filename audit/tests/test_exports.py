"""The log as a file: on the page and by the API, in constant memory, and an event itself."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import AsyncClient
from django.urls import reverse

from alerts import services as alerts
from audit import selectors
from audit.actions import AuditAction
from audit.exports import Shape, parts
from audit.models import AuditEvent
from audit.selectors import Filters
from audit.services import Entry, record_many
from audit.tests.factories import add
from conftest_site import Person
from connections import services as connections
from connections.tests.helpers import CANARY, UNREACHABLE, make
from tenants.actors import Actor
from tenants.models import Organization

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def page(organization: Organization) -> str:
    return reverse("audit:event-export", args=[organization.slug])


def api(organization: Organization) -> str:
    return f"/api/v1/organizations/{organization.slug}/audit-events/export/"


def body(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_the_file_holds_the_filter_and_starts_no_formula(
    organization: Organization, owner: Person, editor: Person
) -> None:
    labels = ("=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1")
    for label in labels:
        add(organization, DAY, label=label, ip="192.0.2.1", target_label="pipeline 1")
    add(organization, DAY, target_label="pipeline 2")
    assert editor.client.get(page(organization)).status_code == 403
    response = owner.client.get(page(organization), {"q": "pipeline 1"})
    assert response.headers["Content-Disposition"] == 'attachment; filename="audit-acme.csv"'
    rows = list(csv.DictReader(io.StringIO(body(response), newline="")))
    assert {row["actor"] for row in rows} == {f"'{label}" for label in labels}
    assert {row["address"] for row in rows} == {"192.0.2.1"}
    assert {row["sentence"][0] for row in rows} == {"'"}


def test_json_lines_are_whole_events(organization: Organization, owner: Person) -> None:
    event = add(organization, DAY, changes={"name": ["a", "=b"]}, target_type="pipeline")
    add(organization, DAY, target_type="connection")
    response = owner.client.get(page(organization), {"as": "jsonl", "target": "pipeline"})
    assert response.headers["Content-Type"] == "application/x-ndjson"
    (line,) = map(json.loads, body(response).splitlines())
    assert (line["id"], line["changes"]) == (event.pk, {"name": ["a", "=b"]})
    assert (line["digest"], line["at"]) == (event.content_digest, DAY.isoformat())


def test_an_export_is_an_event_with_its_filters(organization: Organization, owner: Person) -> None:
    add(organization, DAY)
    first = body(owner.client.get(page(organization), {"as": "jsonl"}))
    assert AuditAction.AUDIT_EXPORTED not in first
    event = AuditEvent.objects.for_organization(organization).latest("pk")
    assert (event.action, event.actor_label) == ("audit.exported", "Olga")
    assert event.changes == {"as": [None, "jsonl"], "filters": [None, {}]}
    query = {"q": "x", "actor": "Olga", "since": "2026-03-01", "target": "pipeline:1"}
    owner.client.get(api(organization), query | {"as": "csv"})
    event = AuditEvent.objects.for_organization(organization).latest("pk")
    assert event.changes == {"as": [None, "csv"], "filters": [None, query]}


def test_the_api_has_the_same_file(
    organization: Organization, owner: Person, editor: Person, stranger: Person
) -> None:
    add(organization, DAY, target_label="pipeline 1")
    query = {"q": "pipeline 1"}
    lines = body(owner.client.get(api(organization), query)).splitlines()
    assert [json.loads(line)["target"] for line in lines] == ["pipeline 1"]
    told = owner.client.get(api(organization), query | {"as": "csv"})
    assert told.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert body(told).startswith("id,time,actor,")
    assert editor.client.get(api(organization)).status_code == 403
    assert stranger.client.get(api(organization)).status_code == 404
    refused = owner.client.get(api(organization), {"as": "xml"})
    assert (refused.status_code, refused.json()["field"]) == (422, "as")
    assert owner.client.get(page(organization), {"as": "xml"}).status_code == 422


def test_hole_15_no_export_has_a_secret(organization: Organization, owner: Person) -> None:
    """Whatever a form declares secret is masked before it is written, so no file can have it."""
    made = make(organization, owner, "Shop")
    values = {**UNREACHABLE, "password": "second-canary-value"}
    connections.update_connection(connection=made, actor=owner.actor, name="Shop", values=values)
    connections.duplicate_connection(connection=made, actor=owner.actor)
    channel, secret = alerts.create_channel(
        organization=organization,
        actor=owner.actor,
        kind="webhook",
        settings=alerts.ChannelSettings(name="Desk", url="https://127.0.0.1/third-canary-value"),
    )
    renewed = alerts.renew_secret(channel=channel, actor=owner.actor)
    for shape in Shape:
        whole = body(owner.client.get(page(organization), {"as": shape}))
        assert "connection.secrets_changed" in whole
        assert "alert_channel.updated" in whole
        for word in (CANARY, "second-canary-value", "third-canary-value", secret, renewed):
            assert word not in whole


def test_a_long_log_is_never_held_whole(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "BATCH", 100)
    entries = [
        Entry(Actor.schedule("Nightly", 1), str(number), f"Run #{number}", {"text": "x" * 500})
        for number in range(3_000)
    ]
    record_many(
        organization=organization,
        action=AuditAction.RUN_REQUESTED,
        target_type=Organization,
        entries=entries,
    )
    rows = selectors.events_of(organization, Filters(action=AuditAction.RUN_REQUESTED))
    tracemalloc.start()
    total = lines = 0
    for part in parts(rows, Shape.JSON_LINES):
        total, lines = total + len(part), lines + part.count("\n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All of one moment: the key alone leads from batch to batch.
    assert lines == 3_000
    assert peak < total / 4


@pytest.mark.django_db(transaction=True)
def test_it_streams_under_asgi_too(organization: Organization, owner: Person) -> None:
    for number in range(3):
        add(organization, DAY + timedelta(hours=number), target_label=f"pipeline {number}")
    from asgiref.sync import async_to_sync

    async def read() -> bytes:
        client = AsyncClient()
        await client.aforce_login(
            owner.user, backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        response: Any = await client.get(page(organization), {"q": "pipeline"})
        assert response.is_async
        return b"".join([part async for part in response])

    assert async_to_sync(read)().decode().count("pipeline.updated") == 3
