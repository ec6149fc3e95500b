"""Reads that pages and the API share."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.durations import as_text
from alerts.models import (
    AlertChannel,
    AlertDelivery,
    AlertIncident,
    AlertRule,
    DeliveryStatus,
    Event,
    Scope,
)
from tenants.models import Organization


@dataclass(frozen=True)
class DeliveryFilter:
    """What a list of deliveries is narrowed to; empty strings narrow nothing."""

    status: str = ""
    #: Slugs.
    rule: str = ""
    channel: str = ""


def told_incidents(organization: Organization) -> QuerySet[AlertIncident]:
    """What people were told of and what still lasts, the newest first."""
    rows = AlertIncident.objects.for_organization(organization)
    return rows.filter(closed_at__isnull=True, told_at__isnull=False)


def channels_of(organization: Organization) -> QuerySet[AlertChannel]:
    """Without their secrets, which no page needs."""
    return AlertChannel.objects.for_organization(organization).defer("secrets")


def rules_of(organization: Organization) -> QuerySet[AlertRule]:
    """By name, each with its channels at hand."""
    rows = AlertRule.objects.for_organization(organization)
    channels = Prefetch("channels", queryset=channels_of(organization).order_by("name"))
    return rows.select_related("organization", "pipeline").prefetch_related(channels)


def deliveries_of(organization: Organization, wanted: DeliveryFilter) -> QuerySet[AlertDelivery]:
    rows = AlertDelivery.objects.for_organization(organization)
    rows = rows.select_related("rule", "channel").defer("channel__secrets")
    if wanted.status in DeliveryStatus.values:
        rows = rows.filter(status=wanted.status)
    if wanted.rule:
        rows = rows.filter(rule__slug=wanted.rule)
    if wanted.channel:
        rows = rows.filter(channel__slug=wanted.channel)
    return rows.order_by("-created_at", "-pk")


def uses_of_channels(organization: Organization) -> Counter[int]:
    """How many rules use each channel, by its id."""
    rules = AlertRule.objects.for_organization(organization)
    return Counter(rules.exclude(channels=None).values_list("channels", flat=True).order_by())


def last_deliveries(organization: Organization) -> dict[int, AlertDelivery]:
    """The newest delivery of each channel, by the channel's id."""
    newest = {}
    for channel in channels_of(organization):
        rows = AlertDelivery.objects.for_organization(organization).filter(channel=channel)
        if delivery := rows.order_by("-created_at", "-pk").first():
            newest[channel.pk] = delivery
    return newest


def conditions_of(rule: AlertRule) -> list[str]:
    """What the rule waits for, as short phrases."""
    found = []
    if (number := rule.failures_in_a_row) is not None:
        words = ngettext("a run fails", "%(n)d runs fail in a row", number)
        found.append(words % {"n": number})
    for seconds, words in (
        (rule.no_success_seconds, _("no success for %(time)s")),
        (rule.overdue_seconds, _("a scheduled run has not ended %(time)s after its time")),
        (rule.too_long_seconds, _("a run takes longer than %(time)s")),
    ):
        if seconds is not None:
            found.append(words % {"time": as_text(seconds)})
    if rule.too_long_factor is not None:
        found.append(_("a run takes %(n)s times its usual") % {"n": f"{rule.too_long_factor:g}"})
    if rule.stale_seconds is not None:
        text = _("a table is not loaded for %(time)s")
        found.append(text % {"time": as_text(rule.stale_seconds)})
    return found


def scope_words(rule: AlertRule) -> str | Promise:
    """What the rule watches, as words."""
    if rule.scope == Scope.PIPELINE and rule.pipeline:
        return rule.pipeline.name
    if rule.scope == Scope.TAG:
        return _("Tag %(tag)s") % {"tag": rule.tag}
    return Scope.ORGANIZATION.label


def is_retryable(delivery: AlertDelivery) -> bool:
    # One that waits for its next attempt need not wait once its receiver is mended.
    waits = delivery.status == DeliveryStatus.PENDING and bool(delivery.last_error)
    may = waits or delivery.status == DeliveryStatus.FAILED
    return may and delivery.event != Event.TEST and delivery.channel_id is not None
