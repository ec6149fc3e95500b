"""Channels: where alerts go. What is secret goes in and never comes out again."""

import base64
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from alerts import sending
from alerts.errors import ChannelInUse, InvalidChannel, TooManyTests
from alerts.messages import compose_test, identifier
from alerts.models import (
    AlertChannel,
    AlertDelivery,
    AlertRule,
    ChannelKind,
    DeliveryStatus,
    Event,
)
from alerts.outgoing import check_url
from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.scoping import unique_slug
from tenants.actors import Actor
from tenants.models import Organization

MOST_ADDRESSES = 20
LONGEST_URL = 2000
#: Tests of one channel in a minute.
MOST_TESTS = 5
#: How long the secret before the newest still signs.
OLD_SECRET_FOR = timedelta(hours=24)
_SECRET = frozenset({"url"})


@dataclass(frozen=True)
class ChannelSettings:
    """All of a channel that people set; its kind never changes."""

    name: str
    #: Of an e-mail channel.
    addresses: tuple[str, ...] = ()
    #: Of a webhook and of Slack. Empty keeps the one that is stored.
    url: str = ""


@transaction.atomic
def create_channel(
    *, organization: Organization, actor: Actor, kind: str, settings: ChannelSettings
) -> tuple[AlertChannel, str]:
    """The channel, and of a webhook its signing secret, which nobody can read afterwards."""
    actor.require(Permission.EDIT)
    if kind not in ChannelKind.values:
        raise InvalidChannel(
            f"{kind!r} is not a choice.",
            field="kind",
            remedy=f"Use {', '.join(ChannelKind.values)}.",
        )
    taken = AlertChannel.objects.for_organization(organization)
    channel = AlertChannel(organization=organization, kind=kind)
    _apply(channel, settings)
    channel.slug = unique_slug(channel.name, taken, fallback="channel")
    secret = ""
    if kind == ChannelKind.WEBHOOK:
        secret = _new_secret()
        channel.secrets = {**channel.secrets, "secret": secret}
    channel.save()
    _record(channel, actor, AuditAction.ALERT_CHANNEL_CREATED, {}, _snapshot(channel))
    return channel, secret


@transaction.atomic
def update_channel(
    *, channel: AlertChannel, actor: Actor, settings: ChannelSettings
) -> AlertChannel:
    actor.require(Permission.EDIT)
    before = _snapshot(channel)
    _apply(channel, settings)
    channel.save()
    _record(channel, actor, AuditAction.ALERT_CHANNEL_UPDATED, before, _snapshot(channel))
    return channel


@transaction.atomic
def renew_secret(*, channel: AlertChannel, actor: Actor) -> str:
    """A new signing secret of a webhook; for a day messages are signed with the one before it too."""
    actor.require(Permission.EDIT)
    if channel.kind != ChannelKind.WEBHOOK:
        raise InvalidChannel(
            "Only webhooks are signed.", field="kind", remedy="Choose a webhook channel."
        )
    secret = _new_secret()
    old = channel.secrets["secret"]
    channel.secrets = {**channel.secrets, "secret": secret, "old_secret": old}
    channel.old_secret_until = timezone.now() + OLD_SECRET_FOR
    channel.save(update_fields=["secrets", "old_secret_until"])
    audit.record(
        organization=channel.organization,
        actor=actor,
        action=AuditAction.ALERT_CHANNEL_UPDATED,
        target=channel,
        changes={"secret": [audit.MASK, audit.MASK]},
    )
    return secret


@transaction.atomic
def delete_channel(*, channel: AlertChannel, actor: Actor) -> None:
    """For good, with its secrets. Raises ``ChannelInUse`` naming the rules that use it."""
    actor.require(Permission.EDIT)
    rules = AlertRule.objects.for_organization(channel.organization).filter(channels=channel)
    if names := list(rules.values_list("name", flat=True)[:3]):
        raise ChannelInUse(
            f"“{channel.name}” is used by {', '.join(f'“{name}”' for name in names)}.",
            remedy="Take it out of these rules first.",
        )
    _record(channel, actor, AuditAction.ALERT_CHANNEL_DELETED, _snapshot(channel), {})
    channel.delete()


def send_test(*, channel: AlertChannel, actor: Actor) -> AlertDelivery:
    """Send a test now and say what came of it: the only sending that a request waits for, ten seconds at most."""
    actor.require(Permission.EDIT)
    now = timezone.now()
    rows = AlertDelivery.objects.for_organization(channel.organization)
    recent = rows.filter(
        channel=channel, event=Event.TEST, created_at__gt=now - timedelta(minutes=1)
    )
    if recent.count() >= MOST_TESTS:
        raise TooManyTests(remedy="Wait a minute.")
    message = compose_test(channel, actor.label, now)
    delivery = AlertDelivery(
        organization=channel.organization,
        channel=channel,
        channel_name=channel.name,
        channel_kind=channel.kind,
        event=Event.TEST,
        message=message,
        # Nobody else takes it meanwhile, and a request that dies leaves nothing that is sent later.
        attempts=1,
        last_attempt_at=now,
        next_attempt_at=None,
    )
    delivery.key = f"{Event.TEST}:{delivery.reference.hex}"
    message["id"] = identifier(delivery.reference)
    delivery.save()
    sending.attempt(delivery, once=True)
    delivery.refresh_from_db()
    worked = delivery.status == DeliveryStatus.DELIVERED
    audit.record(
        organization=channel.organization,
        actor=actor,
        action=AuditAction.ALERT_CHANNEL_TESTED,
        target=channel,
        changes={"result": "delivered" if worked else delivery.last_error[:500]},
    )
    return delivery


def _apply(channel: AlertChannel, settings: ChannelSettings) -> None:
    if not settings.name.strip():
        raise InvalidChannel("A name is needed.", field="name", remedy="Say where it leads.")
    channel.name = settings.name.strip()[:80]
    if channel.kind == ChannelKind.EMAIL:
        channel.addresses = _addresses(settings.addresses)
        return
    url = settings.url.strip()
    if url:
        if len(url) > LONGEST_URL:
            raise InvalidChannel("The URL is too long.", field="url", remedy="Use a shorter one.")
        channel.host = str(check_url(url).hostname)[:255]
        channel.secrets = {**channel.secrets, "url": url}
    elif not channel.secrets.get("url"):
        raise InvalidChannel("A URL is needed.", field="url", remedy="Paste the receiver's URL.")


def _addresses(given: tuple[str, ...]) -> list[str]:
    addresses = list(dict.fromkeys(address.strip() for address in given if address.strip()))
    if not 1 <= len(addresses) <= MOST_ADDRESSES:
        raise InvalidChannel(
            f"Between 1 and {MOST_ADDRESSES} addresses are needed.",
            field="addresses",
            remedy="For more people use the address of a list.",
        )
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError as error:
            raise InvalidChannel(
                f"“{address}” is no e-mail address.",
                field="addresses",
                remedy="Check the spelling.",
            ) from error
    return addresses


def _new_secret() -> str:
    """As Standard Webhooks writes one: 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def _snapshot(channel: AlertChannel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "kind": channel.kind,
        "addresses": channel.addresses,
        "host": channel.host,
        "url": channel.secrets.get("url", ""),
    }


def _record(
    channel: AlertChannel,
    actor: Actor,
    action: AuditAction,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    audit.record(
        organization=channel.organization,
        actor=actor,
        action=action,
        target=channel,
        changes=audit.difference(before, after, secret=_SECRET),
    )
