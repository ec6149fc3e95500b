"""Members, invitations and keys over the API, and who may call it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.response import Response

from common.access import Permission, Role
from conftest_site import Person
from tenants import services
from tenants.api_base import OrganizationAPIView
from tenants.models import ApiKey, Membership, Organization

ROOT = "/api/v1/organizations/acme/"


def key_client(organization: Organization, person: Person, role: Role) -> Client:
    _key, text = services.issue_api_key(
        organization=organization,
        name=f"{role} key",
        role=role,
        actor=person.actor,
        created_by=person.user,
    )
    return Client(headers={"Authorization": f"Bearer {text}"})


def send(client: Client, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
    text = json.dumps(data) if data is not None else ""
    return client.generic(method, ROOT + path, data=text, content_type="application/json")


def test_a_key_acts_in_its_organization_with_its_role(
    organization: Organization, owner: Person, stranger: Person
) -> None:
    viewer = key_client(organization, owner, Role.VIEWER)
    assert [row["slug"] for row in viewer.get("/api/v1/organizations/").json()] == ["acme"]
    assert viewer.get(ROOT + "members/").status_code == 200
    assert viewer.get("/api/v1/organizations/elsewhere/members/").status_code == 404
    refused = viewer.get(ROOT + "api-keys/")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert refused.headers["Content-Type"] == "application/problem+json"
    unknown = Client(headers={"Authorization": "Bearer etf_guessed"}).get(ROOT + "members/")
    assert unknown.status_code == 401
    assert unknown.headers["WWW-Authenticate"] == 'Bearer realm="Datanika"'
    assert ApiKey.all_organizations.get().last_used_at is not None


def test_members_are_listed_changed_and_removed(
    organization: Organization, owner: Person, editor: Person, admin: Person
) -> None:
    assert editor.membership is not None
    path = f"members/{editor.membership.pk}/"
    emails = [row["email"] for row in owner.client.get(ROOT + "members/").json()["results"]]
    assert emails == ["olga@example.com", "edith@example.com", "adam@example.com"]
    too_high = send(admin.client, "PATCH", path, {"role": "owner"})
    assert (too_high.status_code, too_high.json()["code"]) == (403, "role_too_high")
    assert send(admin.client, "PATCH", path, {"role": "king"}).status_code == 422
    assert send(admin.client, "PATCH", path, {"role": "viewer"}).json()["role"] == "viewer"
    assert send(admin.client, "DELETE", path).status_code == 204
    assert not Membership.objects.for_organization(organization).filter(user=editor.user).exists()
    assert owner.membership is not None
    last = send(owner.client, "DELETE", f"members/{owner.membership.pk}/")
    assert (last.status_code, last.json()["code"]) == (409, "last_owner")


def test_invitations_tell_the_link_once(organization: Organization, owner: Person) -> None:
    made = send(owner.client, "POST", "invitations/", {"email": "n@example.com", "role": "viewer"})
    assert made.status_code == 201
    assert made.json()["mailed"] is True
    assert made.json()["link"] in str(mail.outbox[0].body)
    listed = owner.client.get(ROOT + "invitations/").json()["results"]
    assert [row["email"] for row in listed] == ["n@example.com"]
    assert "link" not in listed[0]
    assert "token" not in str(listed)
    assert send(owner.client, "DELETE", f"invitations/{listed[0]['id']}/").status_code == 204
    assert owner.client.get(ROOT + "invitations/").json()["results"] == []
    wrong = send(owner.client, "POST", "invitations/", {"email": "n", "role": "viewer"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "email")


def test_keys_make_keys_no_stronger_than_themselves(
    organization: Organization, owner: Person
) -> None:
    client = key_client(organization, owner, Role.EDITOR)
    strong = send(client, "POST", "api-keys/", {"name": "x", "role": "admin"})
    assert (strong.status_code, strong.json()["code"]) == (403, "role_too_high")
    made = send(client, "POST", "api-keys/", {"name": "x", "role": "viewer", "days": None})
    assert made.status_code == 201
    assert made.json()["key"].startswith("etf_")
    assert made.json()["expires_at"] is None
    assert made.json()["created_by"] == "olga@example.com"
    listed = client.get(ROOT + "api-keys/").json()["results"]
    assert [row["name"] for row in listed] == ["x", "editor key"]
    assert "key" not in listed[0]
    assert "hash" not in str(listed)
    assert send(client, "DELETE", f"api-keys/{made.json()['id']}/").status_code == 204
    used = Client(headers={"Authorization": f"Bearer {made.json()['key']}"})
    assert used.get(ROOT + "members/").status_code == 401


def test_a_method_without_a_permission_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="POST"):

        class Forgetful(OrganizationAPIView):
            required = {"GET": Permission.VIEW}

            def get(self, request: Request) -> Response:
                return Response()

            def post(self, request: Request) -> Response:
                return Response()


def test_the_document_is_valid_and_without_doubts(db: None, tmp_path: Path) -> None:
    target = str(tmp_path / "openapi.yaml")
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", target)


def test_the_reference_page_shows_the_document(db: None, client: Client) -> None:
    page = client.get("/api/v1/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert " style=" not in text
    assert "<script>" not in text
    for wanted in ("Create an API key", "audit-events/", "curl -H"):
        assert wanted in text
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    operations = sum(len(methods) for methods in document["paths"].values())
    assert text.count("<summary>") == operations
    assert client.get("/api/v1/schema/").status_code == 200
