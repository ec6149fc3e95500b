"""Setting sign-ins up; the replies are those of ``provider_replies``."""

import logging

import pytest
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse

from common.errors import Conflict, PermissionDenied, UserError
from conftest_site import Person
from tenants.actors import Actor
from tenants.models import IdentityProvider, User
from tenants.services import providers as services
from tenants.tests.provider_replies import (
    ISSUER,
    OPERATOR,
    SECRET,
    SERVER,
    Replies,
    make,
    verify,
)
from tenants.tests.provider_replies import server as server_says


def test_a_secret_is_nowhere_but_encrypted(
    google: IdentityProvider, owner: Person, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    caplog.set_level(logging.DEBUG)
    services.update_provider(provider=google, actor=OPERATOR, client_secret=SECRET + "2")
    page = owner.client.get(
        reverse("admin:tenants_identityprovider_change", args=[google.pk])
    ).content.decode()
    assert "client-of-google" in page
    assert f"{settings.BASE_URL.rstrip('/')}/accounts/google/login/callback/" in page
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM tenants_identityprovider")
        row = str(cursor.fetchall())
    for text in (page, row, caplog.text):
        assert SECRET not in text
    assert not SocialApp.objects.exists()
    for model in (SocialApp, SocialToken, SocialAccount):
        assert not admin.site.is_registered(model)


def test_operators_set_a_sign_in_up_in_the_admin(owner: Person, replies: Replies) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    add = reverse("admin:tenants_identityprovider_add")
    data = {
        "kind": "openid_connect", "slug": "main", "name": "Main", "client_id": "client-of-server",
        "server_url": "http://login.example.com", "is_enabled": "on", "client_secret": SECRET,
        "domain_lines": "Example.com\n@work.example",
    }  # fmt: skip
    assert "begins with https://" in owner.client.post(add, data).content.decode()
    assert owner.client.post(add, {**data, "server_url": ISSUER}).status_code == 302
    row = IdentityProvider.objects.get()
    assert row.domains == ["example.com", "work.example"]
    change = reverse("admin:tenants_identityprovider_change", args=[row.pk])
    changed = {**data, "server_url": ISSUER, "client_secret": "", "name": "Our login"}
    assert owner.client.post(change, changed).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.secrets) == ("Our login", {"client_secret": SECRET})
    listing = reverse("admin:tenants_identityprovider_changelist")
    action = {"action": "check_now", "_selected_action": [row.pk]}
    for answer, words in (
        (None, "cannot be read: no connection"),
        ({**SERVER, "issuer": "https://other.example"}, "speaks for another issuer"),
        ({**SERVER, "token_endpoint": "http://plain.example"}, "no token_endpoint with https://"),
    ):
        replies.answers[f"{ISSUER}/.well-known/openid-configuration"] = answer
        assert words in owner.client.post(listing, action, follow=True).content.decode()
    replies.answers[f"{ISSUER}/.well-known/openid-configuration"] = SERVER
    for error, words in (("invalid_client", "refuses the client"), ("invalid_grant", "knows the")):
        replies.answers[f"{ISSUER}/token"] = (400, {"error": error})
        assert words in owner.client.post(listing, action, follow=True).content.decode()
    owner.client.post(
        reverse("admin:tenants_identityprovider_delete", args=[row.pk]), {"post": "yes"}
    )
    assert not IdentityProvider.objects.exists()


def test_what_links_hang_on_does_not_change(
    main: IdentityProvider, owner: Person, replies: Replies
) -> None:
    verify(owner.user)
    claims = {"email": "olga@example.com", "email_verified": True}
    server_says(replies, Client(), claims=claims)
    with pytest.raises(Conflict, match="so its address stays"):
        services.update_provider(provider=main, actor=OPERATOR, server_url="https://x.example")
    with pytest.raises(Conflict, match="Kind and short name stay"):
        services.update_provider(provider=main, actor=OPERATOR, slug="other")
    # A server set up later under the same short name gets none of the people.
    services.delete_provider(provider=main, actor=OPERATOR)
    assert not SocialAccount.objects.exists()


def test_only_operators_set_up_sign_ins(owner: Person) -> None:
    for actor in (owner.actor, Actor.unknown("x")):
        with pytest.raises(PermissionDenied):
            services.create_provider(actor=actor, client_secret=SECRET, kind="google")
    for values, field in (
        ({"slug": "google"}, "slug"),
        ({"slug": "a b"}, "slug"),
        ({"client_id": " "}, "client_id"),
        ({"domains": ["no domain"]}, "domains"),
    ):
        with pytest.raises(UserError) as caught:
            make("openid_connect", **values)
        assert caught.value.field == field
    with pytest.raises(UserError, match="is no kind of sign-in"):
        services.create_provider(
            actor=OPERATOR, client_secret=SECRET, kind="facebook", slug="", name="F", client_id="f"
        )
