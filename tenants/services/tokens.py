"""Access and refresh tokens: a person's sign-in for programs, bound to one membership.

An access token works while its ``TokenFamily`` does. A refresh token works once: it is exchanged for the
next, and one that comes a second time ends the family.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.crypto import signing_key
from tenants.actors import Actor
from tenants.errors import TokenRefused
from tenants.models import Membership, TokenFamily, User

ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=7)
#: However often it is refreshed, the password is asked for again after this long.
FAMILY_LIFE = timedelta(days=90)
ISSUER, AUDIENCE = "datanika", "datanika-api"
#: Ours have some 400 characters; longer text is not worth parsing.
LONGEST = 2000
_CLAIMS = ["iss", "aud", "sub", "org", "family", "jti", "typ", "iat", "exp", "mark"]
_SIGN_IN_AGAIN = "Sign in again."


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str
    family: TokenFamily


@dataclass(frozen=True)
class Caller:
    """Where a request for tokens comes from."""

    ip: str = ""
    user_agent: str = ""


@transaction.atomic
def issue_tokens(*, membership: Membership, caller: Caller) -> Tokens:
    """A new family for somebody who has just proved who they are."""
    now = timezone.now()
    mine = TokenFamily.objects.for_organization(membership.organization)
    # Nothing is learned from those any more, and nobody else would take them away.
    mine.filter(membership=membership, expires_at__lt=now).delete()
    family = TokenFamily(
        organization=membership.organization,
        membership=membership,
        current_id=_new_id(),
        created_at=now,
        expires_at=now + REFRESH_LIFE,
        ip=caller.ip or None,
        user_agent=caller.user_agent[:200],
    )
    family.save()
    audit.record(
        organization=membership.organization,
        actor=Actor.member(membership, ip=caller.ip),
        action=AuditAction.TOKEN_ISSUED,
        target=family,
    )
    return _tokens(family, now)


def refresh_tokens(*, text: str, caller: Caller) -> Tokens:
    """The next pair for a refresh token. ``TokenRefused`` for one that is not valid, or was used before."""
    claims = _claims(text, "refresh")
    family = _live_family(claims)
    if family is None:
        raise TokenRefused(remedy=_SIGN_IN_AGAIN)
    now, following = timezone.now(), _new_id()
    until = min(now + REFRESH_LIFE, family.created_at + FAMILY_LIFE)
    # Of two that come at once the database lets one through; columns of the row only, so that the
    # second looks at the row the first has left.
    won = TokenFamily.all_organizations.filter(
        pk=family.pk, current_id=claims["jti"], revoked_at__isnull=True
    ).update(current_id=following, refreshed_at=now, expires_at=until)
    if not won:
        _end_reused(family, caller)
        raise TokenRefused(
            "This refresh token was used before, so the sign-in it belongs to has been ended.",
            remedy=f"{_SIGN_IN_AGAIN} If you did not use it twice, somebody else has it: change your password.",
        )
    family.current_id, family.refreshed_at, family.expires_at = following, now, until
    return _tokens(family, now)


def read_access_token(text: str) -> TokenFamily:
    """The family of a token that works, with its membership, person and organization; one query."""
    family = _live_family(_claims(text, "access"))
    if family is None:
        raise TokenRefused(remedy="Refresh it, or sign in again.")
    return family


def revoke_by_token(*, text: str, caller: Caller) -> None:
    """End the sign-in that a refresh token belongs to. One that is not valid has nothing to end."""
    try:
        family = _live_family(_claims(text, "refresh"))
    except TokenRefused:
        return
    if family is not None:
        revoke_family(family=family, actor=Actor.member(family.membership, ip=caller.ip))


@transaction.atomic
def revoke_family(*, family: TokenFamily, actor: Actor) -> None:
    """Its access and refresh tokens stop working at once."""
    if _revoke(family):
        audit.record(
            organization=family.organization,
            actor=actor,
            action=AuditAction.TOKEN_REVOKED,
            target=family,
        )


@transaction.atomic
def revoke_families_of(*, user: User, ip: str = "", actor: Actor | None = None) -> None:
    """End every API sign-in of a person, in all organizations: the password changed, or the account rests.

    It counts as done by themselves unless an ``actor`` is given.
    """
    rows = TokenFamily.all_organizations.filter(membership__user=user, revoked_at__isnull=True)
    for family in rows.select_related("organization", "membership__user"):
        revoke_family(family=family, actor=actor or Actor.member(family.membership, ip=ip))


@transaction.atomic
def _end_reused(family: TokenFamily, caller: Caller) -> None:
    if _revoke(family):
        audit.record(
            organization=family.organization,
            actor=Actor.unknown(family.membership.user.email, ip=caller.ip),
            action=AuditAction.TOKEN_REUSED,
            target=family,
        )


def _revoke(family: TokenFamily) -> bool:
    """Whether it was still alive."""
    rows = TokenFamily.objects.for_organization(family.organization)
    return bool(
        rows.filter(pk=family.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
    )


def _live_family(claims: dict[str, Any]) -> TokenFamily | None:
    """What the claims name, if it still stands and the person's password is still the same."""
    # The token names the organization; the membership it is bound to is what proves it.
    family: TokenFamily | None = (
        TokenFamily.all_organizations.select_related(
            "organization", "membership__user", "membership__organization"
        )
        .filter(
            pk=int(claims["family"]),
            organization_id=int(claims["org"]),
            membership__user_id=int(claims["sub"]),
            membership__user__is_active=True,
            revoked_at__isnull=True,
            expires_at__gt=timezone.now(),
        )
        .first()
    )
    if family is None or not hmac.compare_digest(_mark(family.membership.user), claims["mark"]):
        return None
    return family


def _claims(text: str, kind: str) -> dict[str, Any]:
    """The claims of a token that we signed, of this kind and not expired."""
    try:
        if len(text) > LONGEST:
            raise jwt.InvalidTokenError
        claims: dict[str, Any] = jwt.decode(
            text,
            _key(),
            algorithms=["HS256"],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": _CLAIMS},
        )
        if claims["typ"] != kind:
            raise jwt.InvalidTokenError
    except jwt.ExpiredSignatureError:
        raise TokenRefused("This token has expired.", remedy=_SIGN_IN_AGAIN) from None
    except (jwt.InvalidTokenError, UnicodeError):
        raise TokenRefused(remedy=_SIGN_IN_AGAIN) from None
    return claims


def _tokens(family: TokenFamily, now: datetime) -> Tokens:
    return Tokens(
        access=_token(family, "access", _new_id(), now, now + ACCESS_LIFE),
        refresh=_token(family, "refresh", family.current_id, now, family.expires_at),
        family=family,
    )


def _token(family: TokenFamily, kind: str, identifier: str, now: datetime, until: datetime) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(family.membership.user_id),
        "org": str(family.organization_id),
        "family": str(family.pk),
        "jti": identifier,
        "typ": kind,
        "iat": now,
        "exp": until,
        "mark": _mark(family.membership.user),
    }
    return jwt.encode(claims, _key(), algorithm="HS256")


def _mark(user: User) -> str:
    """Changes with the password, whichever way that is changed, and tells nothing of it."""
    return hmac.new(_key(), f"password {user.password}".encode(), hashlib.sha256).hexdigest()[:32]


def _key() -> bytes:
    return signing_key("api tokens")


def _new_id() -> str:
    return secrets.token_urlsafe(24)
