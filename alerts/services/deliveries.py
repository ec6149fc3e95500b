"""Deliveries that were given up, or whose next attempt is far away."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from alerts.errors import DeliveryNotFailed
from alerts.models import AlertDelivery, DeliveryStatus, Event
from alerts.signals import deliveries_written
from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from tenants.actors import Actor

#: A receiver has less time than this, so nobody is at a delivery that was begun before.
_SENDING = timedelta(seconds=30)


def _failed_or_waiting(now: datetime) -> Q:
    waiting = Q(status=DeliveryStatus.PENDING, next_attempt_at__gt=now)
    return Q(status=DeliveryStatus.FAILED) | waiting & Q(last_attempt_at__lt=now - _SENDING)


@transaction.atomic
def retry_delivery(*, delivery: AlertDelivery, actor: Actor) -> AlertDelivery:
    """Send it again at once, with the same id. Raises ``DeliveryNotFailed``."""
    actor.require(Permission.EDIT)
    if delivery.event == Event.TEST:
        raise DeliveryNotFailed(
            "A test is not repeated.", remedy="Send another from the page of channels."
        )
    now = timezone.now()
    rows = AlertDelivery.objects.for_organization(delivery.organization)
    changed = rows.filter(_failed_or_waiting(now), pk=delivery.pk).update(
        status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=now
    )
    if not changed:
        raise DeliveryNotFailed(remedy="Look at its status.")
    audit.record(
        organization=delivery.organization,
        actor=actor,
        action=AuditAction.ALERT_DELIVERY_RETRIED,
        target=delivery,
    )
    transaction.on_commit(lambda: deliveries_written.send(sender=AlertDelivery))
    delivery.refresh_from_db()
    return delivery
