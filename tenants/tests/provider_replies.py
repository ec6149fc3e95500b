"""Replies of Google and GitHub as their documentation shows them, given at the edge of ``requests``.

The providers cannot be had in a test: everything up to the socket is real, the bytes are these.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import requests
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse

from tenants.actors import Actor
from tenants.models import IdentityProvider, User
from tenants.services import providers as services

OPERATOR = Actor.operator()
SECRET = "s3cret-of-the-provider"
ISSUER = "https://login.example.com/main"
SERVER = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "userinfo_endpoint": f"{ISSUER}/me",
    "jwks_uri": f"{ISSUER}/jwks",
}
GITHUB_USER = {"id": 4711, "login": "vera-g", "name": "Vera Gross", "email": None}


@dataclass
class Replies:
    """``answers`` by address, without its query; what was asked is in ``asked``."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[requests.PreparedRequest] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        self.asked.append(request)
        answer = self.answers.get(str(request.url).partition("?")[0])
        if answer is None:
            raise requests.ConnectionError
        reply = requests.Response()
        reply.status_code = 200
        if isinstance(answer, tuple):
            reply.status_code, answer = answer
        reply.headers["content-type"] = "application/json"
        reply._content = json.dumps(answer).encode()
        reply.request, reply.url = request, str(request.url)
        return reply

    def form(self, address: str) -> dict[str, str]:
        """What was posted to ``address`` last."""
        body = [r.body for r in self.asked if str(r.url) == address][-1]
        text = body.decode() if isinstance(body, bytes) else str(body)
        return {name: values[0] for name, values in parse_qs(text).items()}


def make(kind: str, **values: Any) -> IdentityProvider:
    given = {
        "google": {"name": "Google", "client_id": "client-of-google"},
        "github": {"name": "GitHub", "client_id": "client-of-github"},
        "openid_connect": {
            "name": "Main", "client_id": "client-of-server", "server_url": ISSUER, "slug": "main",
        },
    }[kind]  # fmt: skip
    return services.create_provider(
        actor=OPERATOR, client_secret=SECRET, kind=kind, **{"slug": "", **given, **values}
    )


def verify(user: User) -> None:
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )


def begin(client: Client, slug: str, **data: str) -> dict[str, str]:
    """Press the button; the parameters that the provider gets."""
    page = client.post(reverse("provider_login", args=[slug]), data)
    assert page.status_code == 200, page.headers
    query = urlsplit(page.context["address"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def come_back(client: Client, slug: str, state: str) -> Any:
    """As the browser comes back from the provider; the page at the end."""
    name, arguments = f"{slug}_callback", None
    if slug not in ("google", "github"):
        name, arguments = "openid_connect_callback", {"provider_id": slug}
    data = {"code": "c0de", "state": state}
    return client.get(reverse(name, kwargs=arguments), data, follow=True)


def google(replies: Replies, client: Client, *, claims: dict[str, Any], **data: str) -> Any:
    sent = begin(client, "google", **data)
    told = {
        "iss": "https://accounts.google.com",
        "aud": "client-of-google",
        "exp": 4_000_000_000,
        "iat": 1_700_000_000,
        "sub": "110169484474386276334",
        "email": "vera@example.com",
        "email_verified": True,
        "name": "Vera Gross",
        "nonce": sent["nonce"],
        **claims,
    }
    replies.answers["https://oauth2.googleapis.com/token"] = token_of(told)
    return come_back(client, "google", sent["state"])


def github(replies: Replies, client: Client, *, emails: list[dict[str, Any]]) -> Any:
    sent = begin(client, "github")
    replies.answers |= {
        "https://github.com/login/oauth/access_token": {"access_token": "gho_secret"},
        "https://api.github.com/user": GITHUB_USER,
        "https://api.github.com/user/emails": emails,
    }
    return come_back(client, "github", sent["state"])


def server(
    replies: Replies,
    client: Client,
    *,
    claims: dict[str, Any],
    change: Callable[[dict[str, Any]], None] = lambda _told: None,
    **data: str,
) -> Any:
    """An OpenID Connect server: ``claims`` are what it says of the person, ``change`` bends its id token."""
    replies.answers[f"{ISSUER}/.well-known/openid-configuration"] = SERVER
    sent = begin(client, "main", **data)
    told = {
        "iss": ISSUER, "aud": "client-of-server", "exp": 4_000_000_000, "sub": "u-1",
        "nonce": sent["nonce"],
    }  # fmt: skip
    change(told)
    replies.answers[f"{ISSUER}/token"] = token_of(told)
    replies.answers[f"{ISSUER}/me"] = {"sub": "u-1", "name": "Vera Gross", **claims}
    return come_back(client, "main", sent["state"])


def token_of(told: dict[str, Any]) -> dict[str, str]:
    key = "only TLS vouches for this token, so any key of enough bytes will do"
    return {
        "access_token": "ya29_secret",
        "id_token": jwt.encode(told, key),
        "token_type": "Bearer",
    }
