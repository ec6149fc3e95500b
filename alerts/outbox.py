"""Messages are written in the transaction that knows of their cause, and sent when it has been committed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from django.db import transaction

from alerts.messages import Message, compose, identifier
from alerts.models import AlertChannel, AlertDelivery, AlertIncident, AlertRule, Event
from alerts.signals import deliveries_written
from orchestration.models import Run


def tell(
    *,
    event: Event,
    rule: AlertRule,
    incidents: Sequence[AlertIncident],
    run: Run | None,
    now: datetime,
) -> None:
    """One delivery for each channel of the rule, about incidents whose rows the caller has locked."""
    if not incidents:
        return
    message = compose(event=event, rule=rule, incidents=incidents, run=run, now=now)
    first = min(incidents, key=lambda incident: incident.pk)
    key = f"{event}:{first.reference.hex}:{first.reminders}"
    condition = str(first.condition)
    rows = [
        _delivery(rule, channel, event, condition, key, message, now)
        for channel in rule.channels.defer("secrets")
    ]
    AlertDelivery.all_organizations.bulk_create(rows, ignore_conflicts=True)
    if rows:
        transaction.on_commit(lambda: deliveries_written.send(sender=AlertDelivery))


def _delivery(
    rule: AlertRule,
    channel: AlertChannel,
    event: Event,
    condition: str,
    key: str,
    message: Message,
    now: datetime,
) -> AlertDelivery:
    reference = uuid4()
    return AlertDelivery(
        organization_id=rule.organization_id,
        reference=reference,
        rule=rule,
        channel=channel,
        channel_name=channel.name,
        channel_kind=channel.kind,
        event=event,
        condition=condition,
        key=key,
        message={**message, "id": identifier(reference)},
        next_attempt_at=now,
        created_at=now,
    )
