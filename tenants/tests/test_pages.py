"""The pages of people and organizations: what each role sees, and what happens when it acts."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from common.access import Role
from conftest_site import PASSWORD, Person
from tenants import services
from tenants.models import ApiKey, Invitation, Membership, Organization, User


def url(name: str, organization: Organization, *args: object) -> str:
    return reverse(f"tenants:{name}", args=[organization.slug, *args])


def body(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_members_as_each_role_sees_them(
    organization: Organization, owner: Person, admin: Person, editor: Person, viewer: Person
) -> None:
    address = url("member-list", organization)
    pages = {person.user.name: body(person.client, address) for person in (owner, admin, viewer)}
    for page in pages.values():
        assert all(email in page for email in ("olga@", "adam@", "edith@", "viktor@"))
        assert page.count("<h1") == 1
        assert " style=" not in page
        assert not re.search(r"\son\w+=", page)
    # The last owner cannot be changed, and the page says why; an admin changes no owner.
    assert pages["Olga"].count('name="role"') == 3
    assert "The last owner: make another member an owner first." in pages["Olga"]
    assert 'value="owner"' in pages["Olga"]
    assert pages["Adam"].count('name="role"') == 3
    assert 'value="owner"' not in pages["Adam"]
    assert 'name="role"' not in pages["Viktor"]
    assert url("member-invite", organization) not in pages["Viktor"]
    assert "Read-only for you" in pages["Viktor"]


def test_roles_change_and_people_leave(
    organization: Organization, owner: Person, editor: Person
) -> None:
    assert editor.membership is not None
    pk = editor.membership.pk
    changed = owner.client.post(
        url("member-role", organization, pk), {"role": "viewer"}, follow=True
    )
    assert "Edith is now viewer." in changed.content.decode()
    unknown = owner.client.post(url("member-role", organization, pk), {"role": "king"}, follow=True)
    assert "There is no such role." in unknown.content.decode()
    assert "Everything they built stays" in body(
        owner.client, url("member-remove", organization, pk)
    )
    gone = owner.client.post(url("member-remove", organization, pk), follow=True)
    assert "Edith is no longer a member." in gone.content.decode()
    assert editor.client.get(url("member-list", organization)).status_code == 404
    assert owner.membership is not None
    last = owner.client.post(url("member-remove", organization, owner.membership.pk))
    assert last.status_code == 409


def test_an_invitation_from_the_form_to_the_new_member(
    organization: Organization, owner: Person, client: Client
) -> None:
    address = url("member-invite", organization)
    refused = owner.client.post(address, {"emails": "a@example.com nonsense", "role": "editor"})
    assert refused.status_code == 422
    assert "a@example.com nonsense" in refused.content.decode()
    assert not Invitation.all_organizations.exists()
    made = owner.client.post(address, {"emails": "a@example.com,b@example.com", "role": "editor"})
    links = re.findall(r"http://testserver(/invitations/[\w-]+/)", made.content.decode())
    assert len(links) == 2
    assert made.headers["Cache-Control"].startswith("max-age=0")
    assert [message.to for message in mail.outbox] == [["a@example.com"], ["b@example.com"]]
    assert links[0] in str(mail.outbox[0].body)
    for link in links:
        assert link not in body(owner.client, url("member-list", organization))
    page = body(client, links[0])
    assert "Olga invited a@example.com as editor." in page
    weak = client.post(links[0], {"name": "Ann", "password": "short"})
    assert weak.status_code == 422
    assert 'value="Ann"' in weak.content.decode()
    joined = client.post(links[0], {"name": "Ann", "password": PASSWORD})
    assert joined.headers["Location"] == reverse("orchestration:overview", args=["acme"])
    assert "Ann" in body(client, url("member-list", organization))
    used = client.get(links[0])
    assert used.status_code == 404
    assert "Ask Olga for a new one." in used.content.decode()
    pending = Invitation.all_organizations.get(email="b@example.com")
    owner.client.post(url("invitation-revoke", organization, pending.pk))
    assert Client().get(links[1]).status_code == 404


@override_settings(EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend")
def test_without_mail_the_links_are_to_be_passed_on(
    organization: Organization, owner: Person
) -> None:
    address = url("member-invite", organization)
    assert "no mail is set up here" in body(owner.client, address)
    made = owner.client.post(address, {"emails": "a@example.com", "role": "viewer"})
    assert "/invitations/" in made.content.decode()
    assert "Mailed" not in made.content.decode()
    assert not mail.outbox


def test_an_invitation_to_somebody_with_an_account(
    organization: Organization, owner: Person, stranger: Person, client: Client
) -> None:
    _invitation, token = services.invite(
        organization=organization, email="sam@example.com", role=Role.VIEWER, actor=owner.actor
    )
    address = reverse("tenants:invitation-accept", args=[token])
    assert "Sign in to join" in body(client, address)
    assert "You are signed in as olga@example.com" in body(owner.client, address)
    assert owner.client.post(address).status_code == 403
    joined = stranger.client.post(address, follow=True)
    assert joined.redirect_chain[0][0] == reverse("orchestration:overview", args=["acme"])
    assert Membership.objects.for_organization(organization).filter(user=stranger.user).exists()


def test_a_key_is_shown_once(organization: Organization, owner: Person, editor: Person) -> None:
    address = url("api-key-create", organization)
    assert 'value="admin"' not in body(editor.client, address)
    refused = editor.client.post(address, {"name": "CI", "role": "owner", "days": "90"})
    assert refused.status_code == 422
    assert 'value="CI"' in refused.content.decode()
    made = editor.client.post(address, {"name": "CI", "role": "editor", "days": "never"})
    text = re.findall(r">(etf_[\w-]+)<", made.content.decode())[0]
    key = ApiKey.all_organizations.get()
    assert key.key_hash == services.hash_token(text)
    assert (key.expires_at, key.created_by) == (None, editor.user)
    listed = body(owner.client, url("api-key-list", organization))
    assert "CI" in listed
    assert text not in listed
    api = Client(headers={"Authorization": f"Bearer {text}"})
    assert api.get("/api/v1/organizations/").json()[0]["role"] == "editor"
    owner.client.post(url("api-key-revoke", organization, key.pk))
    assert api.get("/api/v1/organizations/").status_code == 401
    assert "Revoked" in body(owner.client, url("api-key-list", organization))


def test_editors_see_and_revoke_only_their_own_keys(
    organization: Organization, owner: Person, editor: Person
) -> None:
    key, _text = services.issue_api_key(
        organization=organization,
        name="Nightly",
        role=Role.VIEWER,
        actor=owner.actor,
        created_by=owner.user,
    )
    ApiKey.all_organizations.update(expires_at=timezone.now() - timedelta(days=1))
    assert "Expired" in body(owner.client, url("api-key-list", organization))
    assert "Nightly" not in body(editor.client, url("api-key-list", organization))
    assert editor.client.post(url("api-key-revoke", organization, key.pk)).status_code == 404


def test_settings_keep_what_was_refused(organization: Organization, owner: Person) -> None:
    address = url("settings", organization)
    data = {"name": "Acme & Co", "time_zone": "Europe/Berlin", "default_schema": "no good"}
    refused = owner.client.post(address, data)
    assert refused.status_code == 422
    assert 'value="no good"' in refused.content.decode()
    assert "cannot name a schema" in refused.content.decode()
    saved = owner.client.post(address, {**data, "default_schema": "marts"}, follow=True)
    assert "Settings saved." in saved.content.decode()
    organization.refresh_from_db()
    assert (organization.name, organization.default_schema) == ("Acme & Co", "marts")


def test_a_person_with_several_organizations_chooses(owner: Person) -> None:
    created = owner.client.post(reverse("tenants:organization-create"), {"name": "Second"})
    assert created.headers["Location"] == reverse("orchestration:overview", args=["second"])
    assert owner.client.get("/").headers["Location"] == reverse("tenants:organization-list")
    page = body(owner.client, reverse("tenants:organization-list"))
    assert "Acme" in page
    assert "Second" in page
    assert (
        owner.client.post(reverse("tenants:organization-create"), {"name": " "}).status_code == 422
    )


def test_the_account_page_renames(owner: Person) -> None:
    saved = owner.client.post(reverse("tenants:account"), {"name": "Olga Ny"}, follow=True)
    assert "Name saved." in saved.content.decode()
    assert User.objects.get().name == "Olga Ny"
    assert owner.client.post(reverse("tenants:account"), {"name": ""}).status_code == 422


@pytest.mark.parametrize("name", ["organization-list", "organization-create", "account"])
def test_pages_of_a_person_ask_for_a_sign_in(db: None, client: Client, name: str) -> None:
    address = reverse(f"tenants:{name}")
    assert client.get(address).headers["Location"] == f"/accounts/login/?next={address}"
