"""Rules and channels: what is refused and why, who may, and what the audit log keeps."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts import durations, services
from alerts.errors import ChannelInUse, DeliveryNotFailed, InvalidChannel, InvalidRule, TooManyTests
from alerts.models import AlertChannel, AlertDelivery, AlertRule, ChannelKind
from alerts.selectors import is_retryable
from alerts.services import ChannelSettings, RuleSettings
from alerts.tests.factories import OPERATOR, deliveries, make_channel, make_rule, run_once
from audit.models import AuditEvent
from common.errors import PermissionDenied, UserError
from conftest_site import Person
from connections.models import Connection
from tenants.models import Organization


@pytest.mark.parametrize(
    ("text", "seconds", "again"),
    [
        ("45 m", 2700, "45 m"),
        ("90min", 5400, "1 h 30 m"),
        ("2 hours", 7200, "2 h"),
        ("1 d 12 h", 129_600, "1 d 12 h"),
        ("90 s", 90, "1 m 30 s"),
    ],
)
def test_lengths_of_time(text: str, seconds: int, again: str) -> None:
    assert durations.parse(text) == seconds
    assert durations.as_text(seconds) == again
    assert durations.parse(again) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5", "30 s", "2 h x", "400 d", "-1 h"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(UserError) as caught:
        durations.parse(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": "  "}),
        ("channels", {"channels": ()}),
        ("channels", {"channels": ("nobody",)}),
        ("scope", {"scope": "planet"}),
        ("pipeline", {"scope": "pipeline", "pipeline": "none"}),
        ("tag", {"scope": "tag"}),
        ("failures_in_a_row", {"failures_in_a_row": None}),
        ("failures_in_a_row", {"failures_in_a_row": 0}),
        ("stale_seconds", {"stale_seconds": 5}),
        ("reminder_seconds", {"reminder_seconds": 10}),
        ("too_long_factor", {"too_long_factor": 0.5}),
    ],
)
def test_rules_that_are_refused(
    organization: Organization, field: str, given: dict[str, Any]
) -> None:
    channel = make_channel(organization)
    usual: dict[str, Any] = {
        "name": "Rule",
        "channels": (channel.slug,),
        "failures_in_a_row": 1,
    }
    with pytest.raises(UserError) as caught:
        services.create_rule(
            organization=organization, actor=OPERATOR, settings=RuleSettings(**usual | given)
        )
    assert caught.value.field == field
    assert caught.value.remedy
    assert not AlertRule.all_organizations.exists()


@pytest.mark.parametrize(
    ("field", "kind", "given"),
    [
        ("kind", "pigeon", {}),
        ("name", "email", {"name": "", "addresses": ("a@example.com",)}),
        ("addresses", "email", {"addresses": ()}),
        ("addresses", "email", {"addresses": ("not an address",)}),
        ("addresses", "email", {"addresses": tuple(f"a{n}@example.com" for n in range(21))}),
        ("url", "webhook", {}),
        ("url", "slack", {"url": "javascript:alert(1)"}),
        ("url", "slack", {"url": f"https://example.com/{'x' * 2000}"}),
    ],
)
def test_channels_that_are_refused(
    organization: Organization, field: str, kind: str, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidChannel) as caught:
        services.create_channel(
            organization=organization,
            actor=OPERATOR,
            kind=kind,
            settings=ChannelSettings(**{"name": "Channel"} | given),
        )
    assert caught.value.field == field
    assert caught.value.remedy


def test_viewers_change_nothing(organization: Organization, viewer: Person) -> None:
    rule = make_rule(organization)
    channel = AlertChannel.all_organizations.get()
    settings = services.settings_of(rule)
    of_channel = ChannelSettings(name="x", addresses=("a@example.com",))
    actor = viewer.actor
    for attempt in (
        lambda: services.create_rule(organization=organization, actor=actor, settings=settings),
        lambda: services.update_rule(rule=rule, actor=actor, settings=settings),
        lambda: services.delete_rule(rule=rule, actor=actor),
        lambda: services.mute_rule(rule=rule, actor=actor),
        lambda: services.unmute_rule(rule=rule, actor=actor),
        lambda: services.update_channel(channel=channel, actor=actor, settings=of_channel),
        lambda: services.renew_secret(channel=channel, actor=actor),
        lambda: services.delete_channel(channel=channel, actor=actor),
        lambda: services.send_test(channel=channel, actor=actor),
    ):
        with pytest.raises(PermissionDenied):
            attempt()


def test_everything_is_in_the_audit_log(organization: Organization, stand: Connection) -> None:
    rule = make_rule(organization)
    channel = AlertChannel.all_organizations.get()
    services.update_rule(
        rule=rule,
        actor=OPERATOR,
        settings=RuleSettings(name="New", channels=(channel.slug,), failures_in_a_row=2),
    )
    services.mute_rule(rule=rule, actor=OPERATOR, until=timezone.now() + timedelta(hours=1))
    services.unmute_rule(rule=rule, actor=OPERATOR)
    services.send_test(channel=channel, actor=OPERATOR)
    services.delete_rule(rule=rule, actor=OPERATOR)
    services.delete_channel(channel=channel, actor=OPERATOR)
    actions = [
        event.action
        for event in AuditEvent.all_organizations.order_by("pk")
        if event.action.startswith("alert_")
    ]
    assert actions == [
        "alert_channel.created",
        "alert_rule.created",
        "alert_rule.updated",
        "alert_rule.muted",
        "alert_rule.unmuted",
        "alert_channel.tested",
        "alert_rule.deleted",
        "alert_channel.deleted",
    ]
    updated = AuditEvent.all_organizations.get(action="alert_rule.updated")
    assert updated.changes == {"name": ["Anything", "New"], "failures_in_a_row": [1, 2]}


def test_a_channel_in_use_stays(organization: Organization) -> None:
    make_rule(organization)
    with pytest.raises(ChannelInUse, match="“Anything”"):
        services.delete_channel(channel=AlertChannel.all_organizations.get(), actor=OPERATOR)


def test_a_url_stays_when_none_is_given(organization: Organization) -> None:
    channel = make_channel(organization, ChannelKind.SLACK, "https://hooks.example.com/T0/x")
    services.update_channel(channel=channel, actor=OPERATOR, settings=ChannelSettings(name="New"))
    channel.refresh_from_db()
    assert channel.secrets == {"url": "https://hooks.example.com/T0/x"}
    assert (channel.name, channel.host) == ("New", "hooks.example.com")
    with pytest.raises(InvalidChannel, match="Only webhooks"):
        services.renew_secret(channel=channel, actor=OPERATOR)


def test_a_mute_in_the_past_is_refused_and_one_that_ended_is_none(
    organization: Organization,
) -> None:
    rule = make_rule(organization)
    now = timezone.now()
    with pytest.raises(InvalidRule):
        services.mute_rule(rule=rule, actor=OPERATOR, until=now - timedelta(seconds=1))
    services.mute_rule(rule=rule, actor=OPERATOR, until=now + timedelta(hours=1))
    assert rule.is_silent(now)
    assert not rule.is_silent(now + timedelta(hours=2))


def test_tests_have_a_bound_and_are_not_repeated(organization: Organization) -> None:
    channel = make_channel(organization)
    sent = [services.send_test(channel=channel, actor=OPERATOR) for _ in range(5)]
    with pytest.raises(TooManyTests):
        services.send_test(channel=channel, actor=OPERATOR)
    with pytest.raises(DeliveryNotFailed):
        services.retry_delivery(delivery=sent[0], actor=OPERATOR)


def test_what_is_new_is_not_sent_again(organization: Organization, stand: Connection) -> None:
    make_rule(organization)
    run_once(organization, good=False)
    with pytest.raises(DeliveryNotFailed):
        services.retry_delivery(delivery=deliveries()[0], actor=OPERATOR)


def test_what_waits_for_its_next_attempt_need_not_wait(
    organization: Organization, stand: Connection
) -> None:
    make_rule(organization)
    run_once(organization, good=False)
    now = timezone.now()
    waiting = {"attempts": 4, "last_error": "500", "next_attempt_at": now + timedelta(hours=1)}
    rows = AlertDelivery.all_organizations.all()
    rows.update(**waiting, last_attempt_at=now)
    with pytest.raises(DeliveryNotFailed):  # somebody may be at it
        services.retry_delivery(delivery=deliveries()[0], actor=OPERATOR)
    rows.update(last_attempt_at=now - timedelta(minutes=1))
    assert is_retryable(deliveries()[0])
    again = services.retry_delivery(delivery=deliveries()[0], actor=OPERATOR)
    assert again.next_attempt_at is not None
    assert again.next_attempt_at < now + timedelta(minutes=1)
