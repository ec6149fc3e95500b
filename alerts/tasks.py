"""The bell and the watch. What is to be sent stands in the database: a bell that is lost is rung again."""

import logging
from threading import BoundedSemaphore
from typing import Any

from celery import shared_task
from kombu.exceptions import OperationalError

from alerts import sending
from alerts import watch as watching

logger = logging.getLogger("datanika.alerts")

#: Slow receivers must not take the threads that ticks and sweeps need.
_senders = BoundedSemaphore(2)


@shared_task(name="alerts.send")
def send() -> None:
    if not _senders.acquire(blocking=False):
        return  # Who sends already goes on until nothing is due.
    try:
        sending.send_due()
    finally:
        _senders.release()


@shared_task(name="alerts.watch")
def watch() -> None:
    watching.watch()
    if sending.has_due():
        ring()


def ring(**_: Any) -> None:
    """Tell the workers. A broker that is down loses nothing: the watch rings again."""
    try:
        send.apply_async()
    except (OperationalError, OSError) as error:
        logger.warning("the broker did not take the bell of the alerts: %s", error)
