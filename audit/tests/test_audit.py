"""The audit log as owners and admins read it: in words, filtered, paged, exported; and never changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit import selectors, services
from audit.actions import AuditAction
from audit.models import AuditEvent
from audit.selectors import Filters
from audit.tests.factories import no_triggers
from audit.words import ABOUT_THEMSELVES, PREDICATES, changes_of, sentence_of, thing_of, title_of
from common.errors import UserError
from conftest_site import Person
from tenants.actors import Actor
from tenants.models import Organization, User

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def page(organization: Organization) -> str:
    return reverse("audit:event-list", args=[organization.slug])


def operate(person: Person) -> None:
    User.objects.filter(pk=person.user.pk).update(is_staff=True, is_superuser=True)


def add(organization: Organization, number: int, label: str = "Olga", **more: Any) -> AuditEvent:
    """An event ``number`` hours after noon of 1 March 2026."""
    event = AuditEvent(
        organization=organization,
        at=DAY + timedelta(hours=number),
        actor_kind="user",
        actor_label=label,
        action=AuditAction.PIPELINE_UPDATED,
        target_label=f"pipeline {number}",
        **more,
    )
    event.save()
    return event


def test_every_action_has_its_words() -> None:
    assert set(PREDICATES) == set(AuditAction)
    assert set(ABOUT_THEMSELVES) <= set(PREDICATES)
    assert title_of("api_key.created") == "API key created"
    event = AuditEvent(
        actor_label="Olga",
        action=AuditAction.MEMBER_ROLE_CHANGED,
        target_label="Edith",
        changes={"role": ["viewer", "admin"], "note": "x"},
    )
    assert sentence_of(event) == "Olga changed the role of Edith"
    rows = [(change.name, change.before, change.after) for change in changes_of(event)]
    assert rows == [("role", "viewer", "admin"), ("note", None, "x")]
    event.action, event.target_label = AuditAction.SIGNED_IN, "olga@example.com"
    assert sentence_of(event) == "Olga signed in"


def test_secrets_are_masked_in_changes() -> None:
    changes = services.difference(
        {"host": "a", "password": "one"},
        {"host": "b", "password": "two"},
        secret=frozenset({"password"}),
    )
    assert changes == {"host": ["a", "b"], "password": [services.MASK, services.MASK]}


def test_the_list_filters_and_opens_changes(
    organization: Organization, owner: Person, admin: Person, editor: Person
) -> None:
    add(organization, 1, changes={"name": ["Old name", "New name"]})
    add(organization, 2, label="<b>Eve</b>")
    whole = owner.client.get(page(organization)).content.decode()
    assert "changed the pipeline" in whole
    assert "<del>Old name</del>" in whole
    assert "<ins>New name</ins>" in whole
    assert "&lt;b&gt;Eve" in whole
    assert "<b>Eve" not in whole
    fragment = owner.client.get(page(organization), headers={"HX-Request": "true"})
    assert fragment.content.decode().count("<tr>") == whole.count("<tr>")
    assert "<html" not in fragment.content.decode()
    assert admin.client.get(page(organization)).status_code == 200
    assert editor.client.get(page(organization)).status_code == 403
    members = page(organization).replace("audit", "members")
    assert page(organization) not in editor.client.get(members).content.decode()
    queries: tuple[tuple[dict[str, str], int], ...] = (
        ({"q": "pipeline 2"}, 1),
        ({"action": AuditAction.PIPELINE_UPDATED.value}, 2),
        ({"actor": "<b>Eve</b>"}, 1),
        ({"since": "2026-03-01", "until": "2026-03-01"}, 2),
        ({"until": "2026-02-28"}, 0),
    )
    for query, count in queries:
        text = owner.client.get(page(organization), query).content.decode()
        assert text.count("changed the pipeline") == count
        assert ("No event matches" in text) == (count == 0)


def test_days_are_those_of_the_organization(organization: Organization) -> None:
    organization.time_zone = "Pacific/Auckland"  # 13 hours ahead in March
    add(organization, 0)
    day = (DAY + timedelta(hours=13)).date()
    found = selectors.events_of(organization, Filters(since=day, until=day, text="pipeline"))
    assert found.count() == 1


def test_pages_stay_where_they_are_while_events_arrive(
    organization: Organization, owner: Person
) -> None:
    # Fifty at the same moment: the key has to decide.
    for number in range(120):
        add(organization, 0 if number < 50 else number)
    wanted: dict[str, str] = {"action": AuditAction.PIPELINE_UPDATED.value}
    rows = selectors.events_of(organization, Filters(action=AuditAction.PIPELINE_UPDATED))
    first = selectors.page_of(rows)
    second = selectors.page_of(rows, after=first.after)
    add(organization, 999)
    third = selectors.page_of(rows, after=second.after)
    seen = [event.pk for part in (first, second, third) for event in part.events]
    assert len(seen) == len(set(seen)) == 120
    assert third.after == ""
    back = selectors.page_of(rows, before=third.before)
    assert [event.pk for event in back.events] == [event.pk for event in second.events]
    assert selectors.page_of(rows, before=second.before).before != ""
    html = owner.client.get(page(organization), {**wanted, "after": first.after}).content.decode()
    assert "after=" in html
    assert "before=" in html
    for wrong in ("nonsense", "2026-01-01~x", "2026-01-01~1"):
        with pytest.raises(UserError):
            selectors.page_of(rows, after=wrong)
        assert owner.client.get(page(organization), {"after": wrong}).status_code == 422


def test_the_api_has_the_same(organization: Organization, owner: Person) -> None:
    for number in range(3):
        add(organization, number)
    address = f"/api/v1/organizations/{organization.slug}/audit-events/"
    first = owner.client.get(address, {"page_size": "2", "q": "pipeline"}).json()
    assert [row["target"] for row in first["results"]] == ["pipeline 2", "pipeline 1"]
    assert first["results"][0]["sentence"] == "Olga changed the pipeline pipeline 2"
    second = owner.client.get(first["next"]).json()
    assert [row["target"] for row in second["results"]] == ["pipeline 0"]
    refused = owner.client.get(address, {"action": "nonsense"})
    assert (refused.status_code, refused.json()["field"]) == (422, "action")


def test_the_admin_only_reads(organization: Organization, owner: Person) -> None:
    operate(owner)
    event = add(organization, 1)
    listed = owner.client.get(reverse("admin:audit_auditevent_changelist"))
    assert "Olga changed the pipeline pipeline 1" in listed.content.decode()
    change = reverse("admin:audit_auditevent_change", args=[event.pk])
    assert owner.client.get(change).status_code == 200
    assert owner.client.post(change, {"actor_label": "Nobody"}).status_code == 403
    delete = reverse("admin:audit_auditevent_delete", args=[event.pk])
    assert owner.client.post(delete, {"post": "yes"}).status_code == 403
    assert owner.client.get(reverse("admin:audit_auditevent_add")).status_code == 403
    assert Client().get(change).status_code == 302


def test_an_event_has_a_page_of_its_own(
    organization: Organization, owner: Person, editor: Person, stranger: Person
) -> None:
    event = add(
        organization,
        1,
        changes={"sql": ["SELECT 1\nFROM a", "<i>"], "note": [None, "x"]},
        target_type="pipeline",
        target_id="12",
        ip="192.0.2.1",
    )
    address = reverse("audit:event-detail", args=[organization.slug, event.pk])
    text = owner.client.get(address).content.decode()
    for part in ("pipeline 1", "SELECT 1\nFROM a", "&lt;i&gt;", "192.0.2.1", event.link.digest):
        assert part in text
    listed = owner.client.get(page(organization)).content.decode()
    assert address in listed
    for link in ("?target=pipeline%3A12", "?actor=Olga"):
        assert link in text
        assert "pipeline 1" in owner.client.get(page(organization) + link).content.decode()
    assert editor.client.get(address).status_code == 403
    assert stranger.client.get(address).status_code == 404
    assert stranger.membership is not None
    theirs = AuditEvent.objects.for_organization(stranger.membership.organization).latest("pk")
    foreign = reverse("audit:event-detail", args=[organization.slug, theirs.pk])
    assert owner.client.get(foreign).status_code == 404


def test_things_are_filtered_by_type_and_number(organization: Organization, owner: Person) -> None:
    add(organization, 1, target_type="pipeline", target_id="1")
    add(organization, 2, target_type="pipeline", target_id="2")
    add(organization, 3, target_type="apikey", target_id="1")
    counts = {"pipeline": 2, "pipeline:2": 1, "apikey": 1, "schedule": 0}
    for target, count in counts.items():
        rows = selectors.events_of(organization, Filters(target=target))
        assert rows.count() == count
        text = owner.client.get(page(organization), {"target": target}).content.decode()
        assert f'<option value="{target}" selected>' in text
    assert thing_of("apikey:12") == "API key 12"
    assert thing_of("pipeline") == "Pipeline"


def test_events_of_the_installation_are_the_operators(
    organization: Organization, owner: Person
) -> None:
    event = services.record(
        organization=None,
        actor=Actor.unknown("nobody@example.com", ip="192.0.2.7"),
        action=AuditAction.SIGN_IN_FAILED,
    )
    assert "nobody@example.com" not in owner.client.get(page(organization)).content.decode()
    detail = reverse("audit:event-detail", args=[organization.slug, event.pk])
    assert owner.client.get(detail).status_code == 404
    operate(owner)
    listed = reverse("admin:audit_auditevent_changelist")
    for query, shown in (
        ({}, True),
        ({"where": "installation"}, True),
        ({"where": "organizations"}, False),
    ):
        text = owner.client.get(listed, query).content.decode()
        assert ("nobody@example.com failed to sign in" in text) == shown


def test_operators_verify_in_the_admin(organization: Organization, owner: Person) -> None:
    event = add(organization, 1)
    address = reverse("admin:audit_auditevent_verify")
    assert owner.client.get(address).status_code == 302
    operate(owner)
    assert (
        address in owner.client.get(reverse("admin:audit_auditevent_changelist")).content.decode()
    )
    assert "Verify" in owner.client.get(address).content.decode()
    assert "Everything is as it was written" in owner.client.post(address).content.decode()
    with no_triggers():
        AuditEvent.all_organizations.filter(pk=event.pk).update(actor_label="Nobody")
    text = owner.client.post(address).content.decode()
    assert "1 thing is wrong" in text
    assert f"event {event.pk} (2026-03-01" in text


def test_an_event_keeps_the_name_of_its_target(organization: Organization) -> None:
    services.record(
        organization=organization,
        actor=Actor.operator(),
        action=AuditAction.MEMBER_ADDED,
        target=organization,
    )
    event = AuditEvent.objects.for_organization(organization).first()
    assert event is not None
    assert (event.target_type, event.target_label) == ("organization", "Acme")
