"""Deliveries on their way: to real receivers of this machine, and to receivers that fail in every way."""

import json
import socket
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from alerts import outgoing, rendering, sending, services
from alerts.errors import NotDelivered
from alerts.models import AlertChannel, AlertDelivery, ChannelKind, DeliveryStatus
from alerts.tests.factories import (
    OPERATOR,
    Receiver,
    deliveries,
    dripping,
    make_channel,
    make_rule,
    run_once,
)
from alerts.tests.mail_server import mail_server
from audit.models import AuditEvent
from common.errors import UserError
from connections.models import Connection
from tenants.models import Organization

SECRET_PARTS = ("geheim42", "token=")

pytestmark = pytest.mark.django_db


def webhook(organization: Organization, url: str) -> tuple[AlertChannel, str]:
    return services.create_channel(
        organization=organization,
        actor=OPERATOR,
        kind=ChannelKind.WEBHOOK,
        settings=services.ChannelSettings(name="Hook", url=url),
    )


def failed_run(organization: Organization, url: str) -> str:
    """A failure on its way to a webhook; the webhook's secret."""
    channel, secret = webhook(organization, url)
    make_rule(organization, channel)
    run_once(organization, good=False)
    return secret


def the_delivery() -> AlertDelivery:
    (found,) = deliveries()
    return found


def test_a_webhook_is_signed_and_its_id_stays(
    organization: Organization, stand: Connection, receiver: Receiver
) -> None:
    secret = failed_run(organization, receiver.url())
    receiver.status = 503
    assert sending.send_due() == 1
    assert the_delivery().status == DeliveryStatus.PENDING
    assert sending.send_due() == 0
    receiver.status = 204
    assert sending.send_due(timezone.now() + timedelta(seconds=31)) == 1
    first, second = receiver.received
    assert first.path == "/hook?token=geheim42"
    message = Webhook(secret).verify(second.body, second.headers)
    assert message == second.json == first.json
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == message["id"]
    assert message["type"] == "alert.opened"
    assert message["data"]["title"] == "Orders failed"
    assert second.headers["content-type"] == "application/json"
    assert second.headers["host"] == f"127.0.0.1:{receiver.port}"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(second.body.replace(b"Orders", b"Others"), second.headers)
    done = the_delivery()
    assert (done.status, done.attempts, done.last_error) == (DeliveryStatus.DELIVERED, 2, "")


def test_a_new_secret_signs_beside_the_old_for_a_day(
    organization: Organization, stand: Connection, receiver: Receiver
) -> None:
    channel, old = webhook(organization, receiver.url())
    new = services.renew_secret(channel=channel, actor=OPERATOR)
    assert new != old
    services.send_test(channel=channel, actor=OPERATOR)
    request = receiver.received[0]
    Webhook(old).verify(request.body, request.headers)
    Webhook(new).verify(request.body, request.headers)
    channel.old_secret_until = timezone.now() - timedelta(seconds=1)
    channel.save()
    services.send_test(channel=channel, actor=OPERATOR)
    request = receiver.received[1]
    Webhook(new).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(request.body, request.headers)


def test_slack(organization: Organization, stand: Connection, receiver: Receiver) -> None:
    channel = make_channel(organization, ChannelKind.SLACK, receiver.url("/services/T0/B0/x"))
    make_rule(organization, channel)
    run_once(organization, good=False)
    sending.send_due()
    body = receiver.received[0].json
    assert body["text"] == "Acme: Orders failed"
    (attachment,) = body["attachments"]
    assert attachment["title_link"].endswith("/runs/1/")
    assert "*Orders*: The server refused the password." in attachment["text"]
    assert "started by Command line" in attachment["text"]


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (429, False), (404, True), (410, True), (302, True)]
)
def test_what_the_receiver_answers(
    organization: Organization, stand: Connection, receiver: Receiver, status: int, final: bool
) -> None:
    receiver.status, receiver.answer = status, b"no such token=geheim42 here"
    receiver.location = "http://169.254.169.254/latest/meta-data/"
    failed_run(organization, receiver.url())
    sending.send_due()
    found = the_delivery()
    assert found.status == (DeliveryStatus.FAILED if final else DeliveryStatus.PENDING)
    assert f"answered {status}" in found.last_error
    assert "no such" in found.last_error
    assert not any(part in found.last_error for part in SECRET_PARTS)
    # A redirect, to the metadata service at that, is not followed.
    assert len(receiver.received) == 1


def test_pauses_grow_and_come_to_an_end(
    organization: Organization, stand: Connection, receiver: Receiver
) -> None:
    receiver.status = 500
    failed_run(organization, receiver.url())
    now, pauses, found = timezone.now(), [], the_delivery()
    for _ in range(sending.MOST_ATTEMPTS):
        assert sending.send_due(now) == 1
        found = the_delivery()
        if found.next_attempt_at is not None:
            pauses.append(round((found.next_attempt_at - timezone.now()).total_seconds()))
            now = found.next_attempt_at
    assert pauses == sorted(pauses)
    assert (found.status, found.attempts) == (DeliveryStatus.FAILED, sending.MOST_ATTEMPTS)
    assert sending.send_due(now + timedelta(days=9)) == 0
    receiver.status = 200
    services.retry_delivery(delivery=found, actor=OPERATOR)
    assert sending.send_due() == 1
    assert the_delivery().status == DeliveryStatus.DELIVERED
    ids = {request.headers["webhook-id"] for request in receiver.received}
    assert len(ids) == 1


def test_a_lost_worker_s_delivery_is_taken_by_another_and_not_before(
    organization: Organization, stand: Connection, receiver: Receiver
) -> None:
    failed_run(organization, receiver.url())
    now = timezone.now()
    lost = sending.claim(the_delivery().pk, now)
    assert lost is not None
    assert sending.claim(lost.pk, now) is None
    assert sending.send_due(now + timedelta(seconds=60)) == 0
    assert sending.send_due(now + sending.LEASE) == 1
    # The one that was thought lost comes back late and changes nothing.
    receiver.status = 404
    sending.attempt(lost)
    assert the_delivery().status == DeliveryStatus.DELIVERED


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_nobody_listens() -> None:
    with pytest.raises(NotDelivered, match="refused the connection"):
        outgoing.post(f"http://127.0.0.1:{free_port()}/x", b"{}", {})


def test_an_answer_that_never_ends_has_an_end() -> None:
    with dripping() as port:
        start = time.monotonic()
        with pytest.raises(NotDelivered, match=r"did not answer within 0\.5 seconds"):
            outgoing.post(f"http://127.0.0.1:{port}/x", b"{}", {}, seconds=0.5)
        assert time.monotonic() - start < 2


def test_a_handshake_that_never_ends_has_an_end() -> None:
    # The beginning of a TLS record that goes on for ever.
    with dripping(piece=b"\x16", pause=0.2) as port:
        start = time.monotonic()
        with pytest.raises(NotDelivered):
            outgoing.post(f"https://127.0.0.1:{port}/x", b"{}", {}, seconds=0.5)
        assert time.monotonic() - start < 2


def test_what_speaks_no_tls(receiver: Receiver) -> None:
    with pytest.raises(NotDelivered, match="speaks no TLS"):
        outgoing.post(f"https://127.0.0.1:{receiver.port}/x", b"{}", {})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://169.254.169.254/latest", "metadata service"),
        ("http://[fe80::1]/x", "link-local"),
        ("http://0xa9fea9fe/x", "metadata service"),
        ("http://metadata.google.internal/x", "metadata service"),
        ("ftp://example.com/x", "https://"),
        ("https://user:word@example.com/x", "neither a user"),
        ("https://example.com:99999/x", "no URL"),
        ("/no/host", "https://"),
    ],
)
def test_urls_that_are_refused_when_they_are_entered(
    organization: Organization, url: str, words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        webhook(organization, url)
    assert caught.value.field == "url"
    assert caught.value.remedy


def test_a_name_that_leads_to_a_metadata_address_is_not_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: answer)
    with pytest.raises(UserError, match="metadata service"):
        outgoing.post("http://innocent.example.com/x", b"{}", {})


def test_the_address_that_was_judged_is_dialled_and_the_name_is_told(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    asked = []

    def resolve(host: str, port: int, *_a: object, **_k: object) -> list[Any]:
        asked.append(host)
        # Asked again, the name would lead somewhere else.
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    real = socket.create_connection
    dialled = []

    def dial(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        dialled.append(address[0])
        monkeypatch.undo()
        return real(address, *args, **options)

    monkeypatch.setattr("connections.outgoing.socket.create_connection", dial)
    outgoing.post(f"http://hooks.example.com:{receiver.port}/x", b"{}", {})
    assert (asked, dialled) == (["hooks.example.com"], ["127.0.0.1"])
    assert receiver.received[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_private_addresses_by_the_operator_s_policy(settings: Any, receiver: Receiver) -> None:
    settings.EGRESS_POLICY = "public-only"
    with pytest.raises(UserError, match="only public ones are allowed"):
        outgoing.post(receiver.url(), b"{}", {})
    assert receiver.received == []


def test_secrets_stand_nowhere(
    organization: Organization, stand: Connection, receiver: Receiver, caplog: Any
) -> None:
    receiver.status, receiver.answer = 500, b"/hook?token=geheim42"
    secret = failed_run(organization, receiver.url())
    channel = AlertChannel.all_organizations.get()
    services.send_test(channel=channel, actor=OPERATOR)
    settings = services.ChannelSettings(name="Hook", url=receiver.url("/other?token=geheim42"))
    services.update_channel(channel=channel, actor=OPERATOR, settings=settings)
    sending.send_due()
    everything = json.dumps(
        [
            *AuditEvent.all_organizations.values(),
            *AlertDelivery.all_organizations.values(),
        ],
        default=str,
    )
    assert "500" in everything
    for secret_text in ("geheim42", secret, receiver.url()):
        assert secret_text not in everything
        assert secret_text not in caplog.text


def test_mail_through_a_real_server(
    organization: Organization, stand: Connection, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "127.0.0.1", False
    make_rule(organization)
    with mail_server() as server:
        settings.EMAIL_PORT = server.port
        run_once(organization, good=False)
        server.refuses = True
        sending.send_due()
        assert "refused every address (550)" in the_delivery().last_error
        assert the_delivery().status == DeliveryStatus.FAILED
        server.refuses = False
        services.retry_delivery(delivery=the_delivery(), actor=OPERATOR)
        sending.send_due()
    assert the_delivery().status == DeliveryStatus.DELIVERED
    assert server.recipients == ["rcpt to:<ops@example.com>"]
    (text,) = server.messages
    assert "Subject: [Acme] Orders failed" in text
    assert f"Message-ID: <{the_delivery().message['id']}@datanika>" in text
    assert "text/html" in text
    settings.EMAIL_PORT = free_port()
    run_once(organization, good=True)
    sending.send_due()
    assert "cannot be used: ConnectionRefusedError" in deliveries()[1].last_error
    assert deliveries()[1].status == DeliveryStatus.PENDING


def test_what_a_mail_says(organization: Organization, stand: Connection) -> None:
    make_rule(organization)
    run_once(organization, good=False)
    sending.send_due()
    (message,) = mail.outbox
    text = str(message.body)
    for wanted in (
        "Orders failed",
        "The server refused the password.",
        "Give another password.",
        "since ",
        "Run #1 of Orders, started by Command line:",
        "http://localhost:8000/o/acme/runs/1/",
        "Alert rule “Anything” of Acme",
    ):
        assert wanted in text
    assert isinstance(message, EmailMultiAlternatives)
    html = str(message.alternatives[0][0])
    assert "Open run #1" in html
    assert "<script" not in html


def test_without_mail_it_says_so(
    organization: Organization, stand: Connection, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    delivery = services.send_test(channel=make_channel(organization), actor=OPERATOR)
    assert delivery.status == DeliveryStatus.FAILED
    assert "sends no mail" in delivery.last_error


def test_a_deleted_channel_ends_its_deliveries(
    organization: Organization, stand: Connection
) -> None:
    rule = make_rule(organization)
    run_once(organization, good=False)
    services.delete_rule(rule=rule, actor=OPERATOR)
    services.delete_channel(channel=AlertChannel.all_organizations.get(), actor=OPERATOR)
    sending.send_due()
    assert the_delivery().status == DeliveryStatus.FAILED
    assert "deleted" in the_delivery().last_error


def test_a_message_that_cannot_be_sent_holds_up_no_other(
    organization: Organization, stand: Connection, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    make_rule(organization)
    run_once(organization, good=False)
    run_once(organization, good=True)
    real = rendering.mail_of

    def fail(message: Any) -> Any:
        if message["type"] == "alert.opened":
            raise ValueError("https://hooks.example.com/geheim42")
        return real(message)

    monkeypatch.setattr(rendering, "mail_of", fail)
    assert sending.send_due() == 2
    opened, recovered = deliveries()
    assert (opened.status, recovered.status) == (DeliveryStatus.PENDING, DeliveryStatus.DELIVERED)
    assert "ValueError" in opened.last_error
    assert "geheim42" not in opened.last_error + caplog.text
