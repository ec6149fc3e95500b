"""What follows from the end of a run, receiver by receiver: a bug in one takes nothing from the others.

What one could not do is written down in the transaction that ends the run, and the sweep tries it again.
"""

import logging
from datetime import timedelta

from django.db import transaction

from orchestration.engine import clock
from orchestration.models import Aftermath, Run
from orchestration.signals import run_ended

logger = logging.getLogger("datanika.runs")

#: Waits between tries: doubled each time, up to the longest.
FIRST_SECONDS, LONGEST_SECONDS = 15, 3_600
#: Of one sweep, which looks after leases too.
AT_ONCE = 50


def follow(run: Run) -> None:
    """Call every receiver. Inside the transaction that ends the run."""
    for name, receiver in run_ended.receivers.items():
        try:
            with transaction.atomic():
                receiver(run=run, late=False)
        except Exception as error:
            logger.exception("run %s: %s could not follow; the sweep tries again", run.pk, name)
            Aftermath(
                organization_id=run.organization_id,
                run=run,
                receiver=name,
                error=type(error).__name__,
                next_at=clock.now() + timedelta(seconds=FIRST_SECONDS),
            ).save()


def catch_up() -> None:
    """Try again what is due. A receiver that this version no longer has is forgotten."""
    due = Aftermath.all_organizations.filter(next_at__lte=clock.now())
    for pk in list(due.order_by("next_at").values_list("pk", flat=True)[:AT_ONCE]):
        try:
            with transaction.atomic():
                _again(pk)
        except Exception as error:  # noqa: BLE001, whatever it is: it is tried again
            _postpone(pk, error)


def _again(pk: int) -> None:
    # Locked, so that of two sweeps the second finds it done.
    rows = Aftermath.all_organizations.select_for_update(of=("self",))
    row = rows.select_related("run__organization").filter(pk=pk, next_at__lte=clock.now()).first()
    if row is None:
        return
    receiver = run_ended.receivers.get(row.receiver)
    if receiver is not None:
        receiver(run=row.run, late=True)
    row.delete()


def _postpone(pk: int, error: Exception) -> None:
    row = Aftermath.all_organizations.filter(pk=pk).first()
    if row is None:
        return
    row.tries += 1
    seconds = min(FIRST_SECONDS * 2 ** min(row.tries, 20), LONGEST_SECONDS)
    row.next_at = clock.now() + timedelta(seconds=seconds)
    row.error = type(error).__name__
    row.save(update_fields=["tries", "next_at", "error"])
    text = "run %s: %s could not follow, try %s; the next one is in %s s"
    logger.error(text, row.run_id, row.receiver, row.tries, seconds, exc_info=error)
