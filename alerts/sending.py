"""Takes deliveries that are due and sends them, one after the other; what is not taken is tried again, less and less
often, and given up in the end.
"""

import json
import logging
import smtplib
import time
from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import F, QuerySet
from django.utils import timezone
from standardwebhooks import Webhook

from alerts import outgoing, rendering
from alerts.errors import NotDelivered, Refused
from alerts.models import AlertChannel, AlertDelivery, ChannelKind, DeliveryStatus
from common.errors import DatanikaError
from common.redaction import Redactor
from tenants import mail

logger = logging.getLogger("datanika.alerts")

#: Pauses before the second, third, … attempt: twelve hours in all.
PAUSES = tuple(timedelta(minutes=m) for m in (0.5, 2, 10, 30, 60, 120, 180, 320))
MOST_ATTEMPTS = len(PAUSES) + 1
#: A worker that takes longer than this over one delivery is lost; another takes it.
LEASE = timedelta(minutes=2)
#: How long one worker goes on sending before it lets others have its thread.
AT_A_TIME = 60.0
MAIL_SECONDS = 10
#: Answers that may be different next time; every other 3xx and 4xx stays as it is.
_PASSING = frozenset({408, 409, 423, 425, 429})


def send_due(now: datetime | None = None) -> int:
    """Send what is due, news before repetitions; how many were tried."""
    started, tried = time.monotonic(), 0
    while time.monotonic() - started < AT_A_TIME:
        delivery = _claim_next(now or timezone.now())
        if delivery is None:
            break
        attempt(delivery)
        tried += 1
    return tried


def has_due(now: datetime | None = None) -> bool:
    return _due(now or timezone.now()).exists()


def _due(now: datetime) -> QuerySet[AlertDelivery]:
    rows: QuerySet[AlertDelivery] = AlertDelivery.all_organizations.all()
    return rows.filter(status=DeliveryStatus.PENDING, next_attempt_at__lte=now)


def _claim_next(now: datetime) -> AlertDelivery | None:
    ids = _due(now).order_by("attempts", "next_attempt_at", "pk").values_list("pk", flat=True)
    for pk in ids[:20]:
        if claimed := claim(pk, now):
            return claimed
    return None


def claim(pk: int, now: datetime) -> AlertDelivery | None:
    """Take the delivery, if it is due and nobody else was quicker."""
    taken = (
        _due(now)
        .filter(pk=pk)
        .update(attempts=F("attempts") + 1, last_attempt_at=now, next_attempt_at=now + LEASE)
    )
    rows = AlertDelivery.all_organizations.select_related("organization")
    return rows.get(pk=pk) if taken else None


def attempt(delivery: AlertDelivery, *, once: bool = False) -> None:
    """Send a claimed delivery and write down what came of it; ``once`` gives up at the first failure."""
    # What was claimed anew meanwhile belongs to somebody else.
    mine = AlertDelivery.all_organizations.filter(
        pk=delivery.pk, status=DeliveryStatus.PENDING, attempts=delivery.attempts
    )
    error = _failure_of(delivery)
    if error is None:
        mine.update(
            status=DeliveryStatus.DELIVERED,
            delivered_at=timezone.now(),
            next_attempt_at=None,
            last_error="",
        )
        return
    final = once or not error.transient or delivery.attempts >= MOST_ATTEMPTS
    pause = PAUSES[min(delivery.attempts, len(PAUSES)) - 1]
    mine.update(
        status=DeliveryStatus.FAILED if final else DeliveryStatus.PENDING,
        next_attempt_at=None if final else timezone.now() + pause,
        last_error=str(error),
    )
    logger.info("alert delivery %s: attempt %s failed", delivery.pk, delivery.attempts)


def _failure_of(delivery: AlertDelivery) -> DatanikaError | None:
    try:
        _send(delivery)
    except DatanikaError as error:
        return error
    except Exception as error:  # noqa: BLE001 - one message must not hold up all others
        # Without the traceback, which may quote a URL.
        kind = type(error).__name__
        logger.error("alert delivery %s could not be sent: %s", delivery.pk, kind)
        remedy = "Ask the operator to look at the worker's log."
        return NotDelivered(f"Datanika failed at it ({kind}).", remedy=remedy)
    return None


def _send(delivery: AlertDelivery) -> None:
    """Raises ``DatanikaError``: transient when another attempt may do better."""
    if delivery.channel_id is None:
        raise Refused("The channel was deleted.", remedy="Nothing is to be done.")
    channel = AlertChannel.all_organizations.get(pk=delivery.channel_id)
    match channel.kind:
        case ChannelKind.EMAIL:
            _mail(channel, delivery)
        case ChannelKind.WEBHOOK:
            body = json.dumps(delivery.message, separators=(",", ":"), ensure_ascii=False)
            _post(channel, body, signed(channel, delivery.message["id"], body, timezone.now()))
        case ChannelKind.SLACK:
            _post(channel, json.dumps(rendering.chat_of(delivery.message)), {})


def signed(channel: AlertChannel, identifier: str, body: str, now: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks scheme; for a day after a new secret is made, signed with both."""
    secrets = [channel.secrets["secret"]]
    if channel.old_secret_until and channel.old_secret_until > now:
        secrets.append(channel.secrets.get("old_secret", secrets[0]))
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(msg_id=identifier, timestamp=now, data=body)
            for secret in dict.fromkeys(secrets)
        ),
    }


def _post(channel: AlertChannel, body: str, headers: dict[str, str]) -> None:
    url = str(channel.secrets["url"])
    parts = outgoing.check_url(url)
    usual = {"Content-Type": "application/json", "User-Agent": "Datanika"}
    answer = outgoing.post(url, body.encode(), {**usual, **headers})
    if 200 <= answer.status < 300:
        return
    hidden = Redactor([url, parts.path, parts.query, *map(str, channel.secrets.values())])
    words = hidden.text(" ".join(answer.text.split()))[:200]
    said = f"The receiver answered {answer.status} {answer.reason}".strip()
    message = f"{said}: {words}" if words else f"{said}."
    if 300 <= answer.status < 400:
        raise Refused(message, remedy="Redirects are not followed: enter the URL it leads to.")
    if 400 <= answer.status < 500 and answer.status not in _PASSING:
        raise Refused(
            message, remedy="Check the URL of the channel, and what the receiver expects."
        )
    raise NotDelivered(message, remedy="Look at the receiver.")


def _mail(channel: AlertChannel, delivery: AlertDelivery) -> None:
    if not mail.can_send():
        raise Refused(
            "This installation sends no mail.",
            remedy="Ask its operator to set DATANIKA_EMAIL_URL.",
        )
    text, html = rendering.mail_of(delivery.message)
    message = EmailMultiAlternatives(
        rendering.subject_of(delivery.message),
        text,
        to=channel.addresses,
        # The same at every attempt, so that a mailbox can tell a repetition.
        headers={
            "Message-ID": f"<{delivery.message['id']}@datanika>",
            "Auto-Submitted": "auto-generated",
        },
        connection=get_connection(timeout=MAIL_SECONDS),
    )
    message.attach_alternative(html, "text/html")
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _words in error.recipients.values()}
        text = f"The mail server refused every address ({', '.join(map(str, sorted(codes)))})."
        kind = Refused if all(code >= 500 for code in codes) else NotDelivered
        raise kind(text, remedy="Check the addresses of the channel.") from error
    except smtplib.SMTPResponseException as error:
        text = f"The mail server answered {error.smtp_code}."
        raise NotDelivered(text, remedy="Ask the operator to look at the mail server.") from error
    except (smtplib.SMTPException, OSError) as error:
        text = f"The mail server cannot be used: {type(error).__name__}."
        raise NotDelivered(text, remedy="Ask the operator to look at the mail server.") from error
