"""Machines sign in with ``Authorization: Bearer`` and an API key (``etf_…``) or an access token.

The organization comes from the URL and must be the one that the key or the token belongs to.
"""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from common.errors import NotFound
from common.http import client_ip
from tenants import doors
from tenants.actors import Actor
from tenants.errors import TokenRefused
from tenants.middleware import membership_of
from tenants.models import ApiKey, Organization, TokenFamily, User
from tenants.services import API_KEY_PREFIX, hash_token, tokens

_NO_ORGANIZATION = "There is no such organization, or you are not a member of it."
CHALLENGE = 'Bearer realm="Datanika"'
USED_EVERY = timedelta(minutes=1)


class KeyHolder(AnonymousUser):
    """The user of a request that came with a key: nobody, but signed in."""

    def __init__(self, key: ApiKey) -> None:
        super().__init__()
        self.key = key

    @property
    def is_authenticated(self) -> bool:  # type: ignore[override]
        return True


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """401 for a key that is unknown, revoked or expired: the same answer for each."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        text = bearer(request)
        if not text.startswith(API_KEY_PREFIX):
            return None
        digest, now = hash_token(text), timezone.now()
        # The text before a rotation works until its time is over.
        found = Q(key_hash=digest) | Q(previous_hash=digest, previous_expires_at__gt=now)
        key = ApiKey.all_organizations.select_related("organization").filter(found).first()
        if key is None or not key.is_usable:
            raise _wrong(request, "This API key is not valid.")
        ip = client_ip(request._request) or None
        if (
            key.last_used_at is None
            or now - key.last_used_at > USED_EVERY
            or key.last_used_ip != ip
        ):
            rows = ApiKey.all_organizations.filter(pk=key.pk)
            rows.update(last_used_at=now, last_used_ip=ip)
        return KeyHolder(key), key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class TokenAuthentication(authentication.BaseAuthentication):
    """401 for an access token that is not ours, expired, revoked, or whose person is no member any more."""

    def authenticate(self, request: Request) -> tuple[User, TokenFamily] | None:
        text = bearer(request)
        if not text or text.startswith(API_KEY_PREFIX):
            return None
        try:
            family = tokens.read_access_token(text)
        except TokenRefused as error:
            raise _wrong(request, str(error)) from None
        return family.membership.user, family

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _wrong(request: Request, words: str) -> exceptions.APIException:
    """401, or 429 after too many wrong ones. A right one is let in all the same: nobody guesses 32 bytes."""
    if wait := doors.knock(request._request, "api_key"):
        return exceptions.Throttled(wait=wait)
    return exceptions.AuthenticationFailed(words)


def bearer(request: Request) -> str:
    """The text after ``Bearer``, or nothing."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def resolve(request: Request, slug: str) -> tuple[Organization, Actor]:
    """The organization of the URL and who acts in it; 404 for one the caller does not belong to."""
    user: Any = request.user
    ip = client_ip(request._request)
    if isinstance(user, KeyHolder) and user.key.organization.slug == slug:
        return user.key.organization, Actor.api_key(user.key, ip=ip)
    if isinstance(request.auth, TokenFamily):
        bound = request.auth.membership
        if bound.organization.slug == slug:
            return bound.organization, Actor.member(bound, ip=ip)
        # Bound to one membership: the person's others are not open to this token.
        raise NotFound(_NO_ORGANIZATION)
    membership = membership_of(user, slug) if isinstance(user, User) else None
    if membership is None:
        raise NotFound(_NO_ORGANIZATION)
    return membership.organization, Actor.member(membership, ip=ip)
