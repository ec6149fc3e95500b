"""Deliveries that were given up."""

from django.db import transaction
from django.utils import timezone

from alerts.errors import DeliveryNotFailed
from alerts.models import AlertDelivery, DeliveryStatus, Event
from alerts.signals import deliveries_written
from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from tenants.actors import Actor


@transaction.atomic
def retry_delivery(*, delivery: AlertDelivery, actor: Actor) -> AlertDelivery:
    """Send it again, with the same id and all attempts before it. Raises ``DeliveryNotFailed``."""
    actor.require(Permission.EDIT)
    if delivery.event == Event.TEST:
        raise DeliveryNotFailed(
            "A test is not repeated.", remedy="Send another from the page of channels."
        )
    rows = AlertDelivery.objects.for_organization(delivery.organization)
    changed = rows.filter(pk=delivery.pk, status=DeliveryStatus.FAILED).update(
        status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=timezone.now()
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
