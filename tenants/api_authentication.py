"""Machines sign in with ``Authorization: Bearer etf_…``; the organization comes from the URL and must be the key's."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from common.errors import NotFound
from common.http import client_ip
from tenants.actors import Actor
from tenants.middleware import membership_of
from tenants.models import ApiKey, Organization, User
from tenants.services import API_KEY_PREFIX, hash_token

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
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text.startswith(API_KEY_PREFIX):
            return None
        rows = ApiKey.all_organizations.select_related("organization")
        key = rows.filter(key_hash=hash_token(text.strip())).first()
        if key is None or not key.is_usable:
            raise exceptions.AuthenticationFailed("This API key is not valid.")
        now = timezone.now()
        if key.last_used_at is None or now - key.last_used_at > USED_EVERY:
            ApiKey.all_organizations.filter(pk=key.pk).update(last_used_at=now)
        return KeyHolder(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Datanika"'


def resolve(request: Request, slug: str) -> tuple[Organization, Actor]:
    """The organization of the URL and who acts in it; 404 for one the caller does not belong to."""
    user: Any = request.user
    ip = client_ip(request._request)
    if isinstance(user, KeyHolder) and user.key.organization.slug == slug:
        return user.key.organization, Actor.api_key(user.key, ip=ip)
    membership = membership_of(user, slug) if isinstance(user, User) else None
    if membership is None:
        raise NotFound("There is no such organization, or you are not a member of it.")
    return membership.organization, Actor.member(membership, ip=ip)
