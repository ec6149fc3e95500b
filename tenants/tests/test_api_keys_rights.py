"""What an API key may do and for how long: scopes, expiry, rotation, last use."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from common.access import Permission, Role
from common.errors import UserError
from conftest_site import Person
from tenants import services
from tenants.actors import Actor
from tenants.errors import ScopeTooWide
from tenants.models import ApiKey, Organization, PlatformSettings
from tenants.scopes import SCOPES

ROOT = "/api/v1/organizations/acme/"


def issue(
    organization: Organization, person: Person, role: Role = Role.OWNER, **options: Any
) -> tuple[ApiKey, Client]:
    key, text = services.issue_api_key(
        organization=organization,
        name="CI",
        role=role,
        actor=person.actor,
        created_by=person.user,
        **options,
    )
    return key, client_of(text)


def client_of(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


def send(client: Client, path: str, data: dict[str, Any]) -> Any:
    return client.post(ROOT + path, json.dumps(data), content_type="application/json")


def test_every_permission_has_a_scope_and_only_one() -> None:
    carried = [permission for scope in SCOPES.values() for permission in scope]
    assert sorted(carried) == sorted(Permission)


def test_scopes_narrow_the_role(organization: Organization, owner: Person) -> None:
    _key, reader = issue(organization, owner, scopes=["read"])
    assert reader.get(ROOT + "members/").status_code == 200
    refused = reader.get(ROOT + "audit-events/")
    assert refused.status_code == 403
    assert "scope audit" in refused.json()["remedy"]
    _key, auditor = issue(organization, owner, scopes=["audit"])
    assert auditor.get(ROOT + "audit-events/").status_code == 200
    assert auditor.get(ROOT + "members/").status_code == 403
    _key, weak = issue(organization, owner, Role.VIEWER, scopes=["audit", "read"])
    assert weak.get(ROOT + "audit-events/").status_code == 403, "a scope adds nothing to a role"
    _key, whole = issue(organization, owner)
    assert whole.get(ROOT + "audit-events/").status_code == 200


def test_a_scope_that_this_version_does_not_know_allows_nothing(
    organization: Organization, owner: Person
) -> None:
    key, client = issue(organization, owner, scopes=["read"])
    ApiKey.objects.for_organization(organization).filter(pk=key.pk).update(scopes=["fly"])
    assert client.get(ROOT + "members/").status_code == 403


def test_a_key_makes_and_rotates_none_that_may_do_more(
    organization: Organization, owner: Person
) -> None:
    wide, _client = issue(organization, owner)
    _key, client = issue(organization, owner, scopes=["read", "keys"])
    for scopes in ([], ["run"], ["read", "manage"]):
        made = send(client, "api-keys/", {"name": "x", "role": "owner", "scopes": scopes})
        assert (made.status_code, made.json()["code"]) == (403, "scope_too_wide"), scopes
        assert made.json()["field"] == "scopes"
    taken = send(client, f"api-keys/{wide.pk}/rotate/", {})
    assert (taken.status_code, taken.json()["code"]) == (403, "scope_too_wide")
    made = send(client, "api-keys/", {"name": "x", "role": "owner", "scopes": ["keys", "read"]})
    assert (made.status_code, made.json()["scopes"]) == (201, ["read", "keys"])
    assert made.headers["Cache-Control"] == "no-store"
    unknown = send(client, "api-keys/", {"name": "x", "role": "viewer", "scopes": ["fly"]})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "scopes")
    with pytest.raises(ScopeTooWide):
        services.issue_api_key(
            organization=organization, name="x", role=Role.VIEWER,
            actor=Actor("api_key", "k", Role.OWNER, allowed=SCOPES["keys"]),
        )  # fmt: skip


def test_expiry_is_what_operators_have_set(organization: Organization, owner: Person) -> None:
    PlatformSettings(api_key_days=10, api_key_most_days=20).save()
    key, client = issue(organization, owner)
    assert key.expires_at is not None
    assert timedelta(days=9.9) < key.expires_at - timezone.now() <= timedelta(days=10)
    for days in (21, None):
        with pytest.raises(UserError, match="20 days") as caught:
            issue(organization, owner, days=days)
        assert caught.value.field == "days"
    page = owner.client.get("/o/acme/api-keys/new/").content.decode()
    assert 'value="20"' in page
    assert 'value="90"' not in page
    assert ">Never<" not in page
    assert client.get(ROOT + "members/").status_code == 200
    ApiKey.objects.for_organization(organization).update(expires_at=timezone.now())
    gone = client.get(ROOT + "members/")
    assert (gone.status_code, gone.headers["Content-Type"]) == (401, "application/problem+json")


def test_operators_set_the_days_and_the_log_says_so(
    organization: Organization, owner: Person
) -> None:
    services.update_platform(actor=Actor.operator(), api_key_days=5, api_key_most_days=6)
    key, _client = issue(organization, owner)
    assert key.expires_at is not None
    assert key.expires_at < timezone.now() + timedelta(days=5.1)
    event = AuditEvent.objects.for_organization(organization).get(action="platform.updated")
    assert event.changes == {"api_key_days": [90, 5], "api_key_most_days": [None, 6]}
    with pytest.raises(UserError, match="Give 1 to 3,650 days"):
        services.update_platform(actor=Actor.operator(), api_key_days=0)


def test_rotation_lets_the_old_text_work_for_a_while(
    organization: Organization, owner: Person
) -> None:
    key, old = issue(organization, owner, scopes=["read"], days=3)
    made = send(owner.client, f"api-keys/{key.pk}/rotate/", {"overlap_days": 7, "days": 30})
    assert made.status_code == 200
    new = client_of(made.json()["key"])
    assert old.get(ROOT + "members/").status_code == 200
    assert new.get(ROOT + "members/").status_code == 200
    assert new.get(ROOT + "audit-events/").status_code == 403, "the scopes stay"
    row = ApiKey.objects.for_organization(organization).get()
    assert row.previous_expires_at == key.expires_at, "not beyond the old key's own time"
    rows = ApiKey.objects.for_organization(organization)
    rows.update(previous_expires_at=timezone.now())
    assert old.get(ROOT + "members/").status_code == 401
    assert new.get(ROOT + "members/").status_code == 200
    at_once = send(owner.client, f"api-keys/{key.pk}/rotate/", {})
    assert at_once.status_code == 200
    assert new.get(ROOT + "members/").status_code == 401
    actions = AuditEvent.objects.for_organization(organization).filter(action="api_key.rotated")
    assert actions.count() == 2
    assert made.json()["key"] not in str(list(actions.values()))


def test_rotation_is_refused_for_what_is_over(organization: Organization, owner: Person) -> None:
    key, _client = issue(organization, owner)
    wrong = send(owner.client, f"api-keys/{key.pk}/rotate/", {"overlap_days": 8})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "overlap_days")
    services.revoke_api_key(key=key, actor=owner.actor)
    over = send(owner.client, f"api-keys/{key.pk}/rotate/", {})
    assert (over.status_code, over.json()["code"]) == (409, "conflict")


def test_revoking_ends_both_texts(organization: Organization, owner: Person) -> None:
    key, old = issue(organization, owner)
    key, text = services.rotate_api_key(key=key, actor=owner.actor, overlap_days=7)
    services.revoke_api_key(key=key, actor=owner.actor)
    assert old.get(ROOT + "members/").status_code == 401
    assert client_of(text).get(ROOT + "members/").status_code == 401


def test_editors_rotate_their_own_keys_only(
    organization: Organization, owner: Person, editor: Person
) -> None:
    theirs, _client = issue(organization, owner, Role.VIEWER)
    assert send(editor.client, f"api-keys/{theirs.pk}/rotate/", {}).status_code == 404
    mine, _client = issue(organization, editor, Role.VIEWER)
    assert send(editor.client, f"api-keys/{mine.pk}/rotate/", {}).status_code == 200


def test_the_last_use_is_shown_with_its_address(organization: Organization, owner: Person) -> None:
    _key, client = issue(organization, owner)
    client.get(ROOT + "members/", REMOTE_ADDR="192.0.2.7")
    assert owner.client.get(ROOT + "api-keys/").json()["results"][0]["last_used_ip"] == "192.0.2.7"
    client.get(ROOT + "members/", REMOTE_ADDR="2001:db8::9")
    assert "2001:db8::9" in owner.client.get("/o/acme/api-keys/").content.decode()


def test_the_pages_make_and_rotate(organization: Organization, owner: Person) -> None:
    made = owner.client.post(
        "/o/acme/api-keys/new/",
        {"name": "CI", "role": "editor", "scopes": ["read", "run"], "days": "30"},
    )
    assert made.status_code == 200
    assert "Editor (Read, Run)" in made.content.decode()
    key = ApiKey.objects.for_organization(organization).get()
    listed = owner.client.get("/o/acme/api-keys/").content.decode()
    assert "Only: Read, Run" in listed
    rotated = owner.client.post(
        f"/o/acme/api-keys/{key.pk}/rotate/", {"overlap_days": "3", "days": "never"}
    )
    text = rotated.content.decode()
    assert "API key rotated" in text
    assert "The old key works until" in text
    assert "no-store" in rotated.headers["Cache-Control"]
    assert "Old key until" in owner.client.get("/o/acme/api-keys/").content.decode()
    wrong = owner.client.post(f"/o/acme/api-keys/{key.pk}/rotate/", {"overlap_days": "6"})
    assert wrong.status_code == 422
