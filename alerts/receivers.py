"""What orchestration tells: a run has ended."""

import logging
from typing import Any

from django.db import transaction

from alerts.incidents import take_run
from orchestration.models import Run

logger = logging.getLogger("datanika.alerts")


def take_ended_run(sender: object, run: Run, **_: Any) -> None:
    """Inside the transaction that ends the run: what is to be told is written with it, or not at all."""
    try:
        with transaction.atomic():
            take_run(run)
    except Exception:
        # A run ends whatever becomes of its alerts.
        logger.exception("alerts of run %s were not written", run.pk)
