"""What of the alerts grows old: settled deliveries and closed incidents, in the registry of what is pruned."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from alerts.models import AlertDelivery, AlertIncident, DeliveryStatus
from orchestration import retention

KEPT_DAYS = 90

DELIVERIES = retention.rows_by_age(
    "alert_deliveries",
    "Alert deliveries, settled",
    AlertDelivery.all_organizations.all,
    "created_at",
    lambda _platform: KEPT_DAYS,
    # What is still on its way stays, however old.
    narrow=lambda rows: rows.exclude(status=DeliveryStatus.PENDING),
)


def _old_incidents(now: datetime) -> QuerySet[Any]:
    before = retention.cutoff(now, KEPT_DAYS)
    return AlertIncident.all_organizations.filter(closed_at__lt=before).order_by("closed_at")


def _incident_batches(now: datetime, pace: retention.Pace) -> Iterator[int]:
    while keys := list(_old_incidents(now).values_list("pk", flat=True)[: pace.size]):
        with transaction.atomic():
            taken, _ = AlertIncident.all_organizations.filter(pk__in=keys).delete()
        yield taken


INCIDENTS = retention.Pruner(
    "alert_incidents",
    "Alert incidents, over",
    _incident_batches,
    lambda now, most: retention.counted(_old_incidents(now), most),
)
