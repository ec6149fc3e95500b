"""The bell: what Celery carries is a row's id, never what is to be done."""

import logging
from collections.abc import Iterable
from threading import BoundedSemaphore

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from connections import runner
from orchestration.engine import executor
from orchestration.engine.sweep import sweep
from orchestration.engine.tick import tick

logger = logging.getLogger("datanika.runs")

#: The worker has more threads than slots, so that ticks and sweeps never wait behind long loads.
_slots = BoundedSemaphore(settings.WORKER_SLOTS)


@shared_task(name="orchestration.execute_step")
def execute_step(step_id: int) -> None:
    if not _slots.acquire(blocking=False):
        return  # Stays queued: the step that frees a slot here rings for all that wait.
    try:
        ended = executor.execute(step_id)
    finally:
        _slots.release()
    ring(ended.ring)
    if ended.again is not None:
        ring([ended.again], delay=ended.delay)


@shared_task(name="orchestration.tick_schedules")
def tick_schedules() -> None:
    ring(tick())


@shared_task(name="orchestration.sweep_runs")
def sweep_runs() -> None:
    ring(sweep())


def ring(step_ids: Iterable[int], *, delay: int = 0) -> None:
    """Tell the workers. A broker that is down loses nothing: the sweep rings again."""
    for step_id in step_ids:
        try:
            execute_step.apply_async((step_id,), countdown=delay)
        except (OperationalError, OSError) as error:
            logger.warning("the broker did not take the bell of step %s: %s", step_id, error)


def ring_on_commit(step_ids: list[int]) -> None:
    """Ring once the rows are there for a worker to find."""
    transaction.on_commit(lambda: ring(step_ids))


@worker_ready.connect
def _warm_up(**_: object) -> None:
    """Import dlt and dbt before the first run asks for them, and take up what a lost worker left."""
    runner.pool().warm_up()
    ring(sweep())
