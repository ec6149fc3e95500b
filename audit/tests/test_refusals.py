"""Who was refused what is in the log, from pages and from the API, and a loop does not fill it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit import services
from audit.middleware import RefusalMiddleware
from audit.models import AuditEvent
from audit.services import refusals
from common.access import Permission, Role
from common.errors import PermissionDenied, UserError
from common.errors import refusals as refusal_list
from conftest_site import Person
from tenants import services as tenants
from tenants.models import Organization


def refused(organization: Organization) -> list[AuditEvent]:
    rows = AuditEvent.objects.for_organization(organization)
    return list(rows.filter(action="permission.refused").order_by("pk"))


def test_a_page_that_is_refused(organization: Organization, viewer: Person) -> None:
    address = reverse("audit:event-list", args=[organization.slug])
    for _ in range(3):
        assert viewer.client.get(address, {"token": "s3cret"}).status_code == 403
    (event,) = refused(organization)
    assert (event.actor_kind, event.actor_label, event.ip) == ("user", "Viktor", "127.0.0.1")
    assert event.changes == {
        "permission": [None, "view_audit"],
        "request": [None, f"GET {address}"],
        "reason": [None, "The role viewer does not allow this."],
    }
    assert viewer.client.post(address).status_code in (403, 405)
    other = reverse("audit:event-export", args=[organization.slug])
    assert viewer.client.get(other).status_code == 403
    assert f"GET {other}" in [event.changes["request"][1] for event in refused(organization)]


def test_after_its_time_it_is_written_again(
    organization: Organization, viewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = reverse("audit:event-list", args=[organization.slug])
    viewer.client.get(address)
    monkeypatch.setattr(refusals, "EVERY", timedelta(0))
    viewer.client.get(address)
    assert len(refused(organization)) == 2


def test_a_key_with_other_scopes(organization: Organization, owner: Person) -> None:
    _row, text = tenants.issue_api_key(
        organization=organization,
        name="CI",
        role=Role.ADMIN,
        scopes=["read"],
        actor=owner.actor,
        created_by=owner.user,
    )
    base = f"/api/v1/organizations/{organization.slug}"
    headers = {"Authorization": f"Bearer {text}"}
    assert Client().get(f"{base}/audit-events/", headers=headers).status_code == 403
    assert Client().get(f"{base}/connections/", headers=headers).status_code == 200
    (event,) = refused(organization)
    assert (event.actor_kind, event.actor_label) == ("api_key", "API key CI")
    assert event.changes["permission"] == [None, "view_audit"]
    assert text not in str(AuditEvent.all_organizations.values())


def test_a_role_that_is_too_high(organization: Organization, owner: Person, admin: Person) -> None:
    assert owner.membership is not None
    address = reverse("tenants:member-role", args=[organization.slug, owner.membership.pk])
    assert admin.client.post(address, {"role": "viewer"}).status_code == 403
    (event,) = refused(organization)
    assert (event.actor_label, event.target_label) == ("Adam", f"POST {address}")
    assert event.changes["reason"] == [
        None,
        "As admin you cannot give or change the role owner.",
    ]


@pytest.mark.parametrize(("method", "count"), [("post", 1), ("get", 0)])
def test_a_refusal_that_a_form_shows_is_one(
    organization: Organization, admin: Person, method: str, count: int
) -> None:
    def view(request: Any) -> HttpResponse:
        """As views with forms do it, for many things at once."""
        for _ in range(30):
            with suppress(UserError):
                admin.actor.require(Permission.OWN_ORGANIZATION)
        return HttpResponse(status=422)

    request: Any = getattr(RequestFactory(), method)("/o/acme/x/?token=s3cret")
    request.organization, request.actor = organization, admin.actor
    with CaptureQueriesContext(connection) as queries:
        assert RefusalMiddleware(view)(request).status_code == 422
    assert len(queries) < 6
    assert [event.target_label for event in refused(organization)] == ["POST /o/acme/x/"] * count
    # Outside of a request nobody collects them.
    assert refusal_list.get() is None


def test_one_actor_on_many_paths_fills_nothing(
    organization: Organization, viewer: Person, editor: Person
) -> None:
    error = PermissionDenied()
    error.permission = Permission.EDIT

    def refuse(person: Person, path: str) -> bool:
        return services.record_refusal(
            organization=organization,
            actor=person.actor,
            error=error,
            method="POST",
            path=path,
        )

    written = [refuse(viewer, f"/{number}/") for number in range(refusals.MOST + 5)]
    assert written == [True] * refusals.MOST + [False] * 5
    assert refuse(editor, "/1/")
    assert not refuse(editor, "/1/")
    long = "/" + "x" * 3000
    assert refuse(editor, long)
    assert len(refused(organization)[-1].changes["request"][1]) < 600


def test_a_log_that_cannot_be_written_changes_no_answer(
    organization: Organization, viewer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise DatabaseError("no room")

    # A full disk cannot be had here.
    monkeypatch.setattr(refusals, "record", fail)
    address = reverse("audit:event-list", args=[organization.slug])
    assert viewer.client.get(address).status_code == 403
