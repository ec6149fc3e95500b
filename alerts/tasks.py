"""The bell and the watch. What is to be sent stands in the database: a bell that is lost is rung again."""

import logging
from threading import BoundedSemaphore, Thread
from typing import Any

from celery import shared_task
from celery.signals import worker_init
from django.db import connection
from kombu.exceptions import OperationalError

from alerts import sending
from alerts import watch as watching
from orchestration import duties

logger = logging.getLogger("datanika.alerts")

#: Slow receivers must not take the threads that ticks and sweeps need.
_senders = BoundedSemaphore(2)
#: Beat silent for this long, or a broker that is away: each worker watches and sends by itself.
WATCH_SECONDS = 30.0


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
    duties.done("alerts")
    watching.watch()
    if sending.has_due():
        ring()


def ring(**_: Any) -> None:
    """Tell the workers. A broker that is down loses nothing: the watch rings again."""
    try:
        send.apply_async()
    except (OperationalError, OSError) as error:
        logger.warning("the broker did not take the bell of the alerts: %s", error)


@worker_init.connect
def _take_duty(**_: Any) -> None:
    duties.register("alerts", WATCH_SECONDS, _look_alone)


def _look_alone() -> None:
    """Aside: whoever looks after leases must not wait for a slow receiver."""
    Thread(target=_watch_and_send, name="alerts", daemon=True).start()


def _watch_and_send() -> None:
    try:
        watching.watch()
        send()
    except Exception:
        logger.exception("the alerts could not be looked at; the next look tries again")
    finally:
        connection.close()
