"""The bell: what Celery carries is a row's id, never what is to be done."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from connections import runner
from orchestration import duties, heartbeat, retention, upkeep
from orchestration.engine.sweep import sweep
from orchestration.engine.tick import tick, ticks
from orchestration.engine.workshop import Workshop
from orchestration.models import RunStep
from orchestration.retention import directories
from transforms import runner as transforms

logger = logging.getLogger("datanika.runs")

#: More bells would only tell workers what they find by themselves once they are awake.
MOST_BELLS = 32
#: Beat silent for this long: the watchman of each worker does its work.
TICK_SECONDS, SWEEP_SECONDS = 5.0, 15.0
#: Each worker looks at its own disk; beat reaches one worker only.
TIDY_SECONDS = 3_600.0
#: What one prune could not take is taken by another after this long.
PRUNE_AGAIN_SECONDS = 30


@lru_cache(maxsize=1)
def workshop() -> Workshop:
    """The slots of this process."""
    return Workshop(
        settings.WORKER_QUEUES,
        settings.WORKER_SLOTS,
        lambda ids, delay: ring(ids, delay=delay),
        duties.DUTIES,
    )


@shared_task(name="orchestration.execute_step")
def execute_step(step_id: int) -> None:
    workshop().wake(step_id)


@shared_task(name="orchestration.tick_schedules")
def tick_schedules() -> None:
    duties.done("tick")
    for ready in ticks():
        ring(ready)
    upkeep.note_tick()


@shared_task(name="orchestration.sweep_runs")
def sweep_runs() -> None:
    duties.done("sweep")
    ring(sweep())


def ring(step_ids: Iterable[int], *, delay: int = 0) -> None:
    """Tell the workers of each step's queue. A broker that is down loses nothing: they look by themselves."""
    by_queue: dict[str, list[int]] = defaultdict(list)
    rows = RunStep.all_organizations.filter(pk__in=list(step_ids)[: MOST_BELLS * 8])
    for pk, queue in rows.order_by("queued_at").values_list("pk", "queue"):
        by_queue[queue].append(pk)
    for queue, ids in by_queue.items():
        for step_id in ids[:MOST_BELLS]:
            try:
                execute_step.apply_async(
                    (step_id,), countdown=delay, queue=queue_name(queue), retry=False
                )
            except (OperationalError, OSError) as error:
                logger.warning("the broker did not take the bell of step %s: %s", step_id, error)
                return


def queue_name(queue: str) -> str:
    """The broker's name of a queue of steps."""
    return f"steps.{queue}"


def ring_on_commit(step_ids: list[int]) -> None:
    """Ring once the rows are there for a worker to find."""
    transaction.on_commit(lambda: ring(step_ids))


@worker_ready.connect
def _open(**_: object) -> None:
    """Import dlt and dbt before the first run asks for them, and take up what a lost worker left."""
    runner.pool().warm_up()
    transforms.warm_up()
    own = workshop()
    duties.register("tick", TICK_SECONDS, lambda: ring(tick()))
    duties.register("sweep", SWEEP_SECONDS, lambda: ring(sweep()))
    duties.register("tidy", TIDY_SECONDS, _tidy)
    own.open()
    ring(sweep())
    own.wake()


def _tidy() -> None:
    directories.tidy(timezone.now())


@worker_shutting_down.connect
def _drain(**_: object) -> None:
    workshop().drain(settings.DRAIN_SECONDS)


@worker_shutdown.connect
def _close(**_: object) -> None:
    workshop().close()


@shared_task(name="orchestration.prune_old")
def prune_old() -> None:
    report = retention.prune(timezone.now())
    # While nothing old was taken the rest cannot be: the next hour tries again.
    if not report.is_complete and report.taken:
        prune_old.apply_async(countdown=PRUNE_AGAIN_SECONDS, expires=3_600, retry=False)


@shared_task(name="orchestration.send_heartbeat")
def send_heartbeat() -> None:
    heartbeat.beat()
