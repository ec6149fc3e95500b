"""Accounts that somebody began on the sign-up page and never proved: anybody may begin them, so they do not pile up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from orchestration.retention.pruners import Pace, Pruner, counted
from tenants.models import User
from tenants.selectors import UNPROVEN_DAYS, unproven


def _before(now: datetime) -> datetime:
    return now - timedelta(days=UNPROVEN_DAYS)


def _batches(now: datetime, pace: Pace) -> Iterator[int]:
    before = _before(now)
    while keys := list(unproven(before).values_list("pk", flat=True)[: pace.size]):
        with transaction.atomic():
            # Who proves the address at this moment waits here, or is no longer among them.
            locked = (
                User.objects.select_for_update().filter(pk__in=keys).values_list("pk", flat=True)
            )
            doomed = unproven(before).filter(pk__in=list(locked)).values_list("pk", flat=True)
            _all, taken = User.objects.filter(pk__in=list(doomed)).delete()
        yield taken.get(User._meta.label, 0)


SIGN_UPS = Pruner(
    "sign_ups",
    "Accounts whose address was never confirmed",
    _batches,
    lambda now, most: counted(unproven(_before(now)), most),
)
