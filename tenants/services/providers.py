"""The sign-ins with accounts of somebody else, as operators set them up."""

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import Conflict, PermissionDenied, UserError
from tenants.actors import Actor
from tenants.models import IdentityProvider, ProviderKind

#: What operators set, besides the secret.
NAMES = ("kind", "slug", "name", "client_id", "server_url", "domains", "is_enabled")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@transaction.atomic
def create_provider(*, actor: Actor, client_secret: str, **values: Any) -> IdentityProvider:
    """A new sign-in; ``values`` are those of ``NAMES``. Raises ``UserError`` with the field at fault."""
    _operators_only(actor)
    after = _checked({**_DEFAULTS, **values})
    if not client_secret:
        raise UserError(
            "A client secret is needed.", field="client_secret", remedy="Copy it from the provider."
        )
    if IdentityProvider.objects.filter(slug=after["slug"]).exists():
        raise Conflict(f"There is a sign-in {after['slug']!r} already.", field="slug")
    provider = IdentityProvider(**after, secrets={"client_secret": client_secret})
    provider.save()
    _record(actor, AuditAction.PROVIDER_CREATED, provider, audit.difference({}, after))
    return provider


@transaction.atomic
def update_provider(
    *, provider: IdentityProvider, actor: Actor, client_secret: str = "", **values: Any
) -> IdentityProvider:
    """Change some of ``NAMES``; an empty ``client_secret`` keeps the stored one."""
    _operators_only(actor)
    provider = IdentityProvider.objects.select_for_update().get(pk=provider.pk)
    before = _values_of(provider)
    after = _checked({**before, **values})
    if any(after[name] != before[name] for name in ("kind", "slug")):
        raise Conflict(
            "Kind and short name stay: the links of people hang on them.",
            field="slug",
            remedy="Delete this sign-in and set up another one.",
        )
    if after["server_url"] != before["server_url"] and linked_to(provider):
        # Another server may call another person by the same id.
        raise Conflict(
            "People are linked to accounts of this server, so its address stays.",
            field="server_url",
            remedy="Set up the other server as a sign-in of its own.",
        )
    for name, value in after.items():
        setattr(provider, name, value)
    changes = audit.difference(before, after)
    if client_secret:
        provider.secrets = {"client_secret": client_secret}
        changes["client_secret"] = [audit.MASK, audit.MASK]
    if changes:
        provider.save()
        _record(actor, AuditAction.PROVIDER_UPDATED, provider, changes)
    return provider


@transaction.atomic
def delete_provider(*, provider: IdentityProvider, actor: Actor) -> None:
    """Remove it and the links to it: who sets up one of the same short name gets none of its people."""
    _operators_only(actor)
    links, _ = SocialAccount.objects.filter(provider=provider.slug).delete()
    changes = {"links": [links, 0]} if links else {}
    _record(actor, AuditAction.PROVIDER_DELETED, provider, changes)
    provider.delete()


def linked_to(provider: IdentityProvider) -> int:
    """How many accounts of it are linked to people here."""
    return int(SocialAccount.objects.filter(provider=provider.slug).count())


def is_secure_address(url: str) -> bool:
    """HTTPS, or this very machine: who stands between could answer in the provider's name."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


_DEFAULTS: dict[str, Any] = {"server_url": "", "domains": [], "is_enabled": True}


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    values = {name: values[name] for name in NAMES}
    kind = values["kind"] = _kind(values["kind"])
    for name in ("name", "client_id"):
        values[name] = values[name].strip()
        if not values[name]:
            raise UserError(f"A {name.replace('_id', ' id')} is needed.", field=name)
    own = kind == ProviderKind.OPENID_CONNECT
    values["slug"] = _slug(values["slug"]) if own else str(kind)
    values["server_url"] = _server_url(values["server_url"]) if own else ""
    values["domains"] = [_domain(domain) for domain in values["domains"]]
    return values


def _kind(value: str) -> str:
    if value not in ProviderKind.values:
        raise UserError(
            f"{value!r} is no kind of sign-in.",
            field="kind",
            remedy=f"One of {', '.join(ProviderKind.values)}.",
        )
    return str(ProviderKind(value).value)


def _slug(text: str) -> str:
    text = text.strip().lower()
    if text in ProviderKind.values:
        raise UserError(f"The short name {text!r} belongs to another kind.", field="slug")
    try:
        validate_slug(text)
    except ValidationError:
        raise UserError(
            "The short name is made of letters, digits, hyphens and underscores.", field="slug"
        ) from None
    return text


def _server_url(text: str) -> str:
    text = text.strip().rstrip("/").removesuffix("/.well-known/openid-configuration")
    if not is_secure_address(text):
        raise UserError(
            "The address of the server begins with https://.",
            field="server_url",
            remedy="Write the issuer, such as https://login.example.com/realms/main.",
        )
    return text


def _domain(text: str) -> str:
    text = text.strip().lower().removeprefix("@")
    if not _DOMAIN.fullmatch(text):
        raise UserError(
            f"{text!r} is not a domain.", field="domains", remedy="Write example.com, one a line."
        )
    return text


def _values_of(provider: IdentityProvider) -> dict[str, Any]:
    return {name: getattr(provider, name) for name in NAMES}


def _operators_only(actor: Actor) -> None:
    if actor.kind != "operator":
        raise PermissionDenied("Sign-ins are set up by operators of this installation.")


def _record(
    actor: Actor, action: AuditAction, provider: IdentityProvider, changes: dict[str, Any]
) -> None:
    """In the installation's log: a sign-in is of no organization."""
    audit.record(organization=None, actor=actor, action=action, target=provider, changes=changes)
