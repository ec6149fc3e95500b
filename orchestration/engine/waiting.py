"""What a queued step waits for, in words, as of now."""

from collections.abc import Iterable
from datetime import timedelta

from common import scope
from orchestration.engine import clock
from orchestration.engine.claims import PLATFORM_FULL, ready_steps
from orchestration.engine.slots import Slots
from orchestration.models import FINAL_STATUSES, RunStep, Status, Worker

#: A worker that has not spoken for this long is not counted on.
SILENT_SECONDS = 30
#: Of one run; each costs some queries.
MOST_TOLD = 3


def waiting_words(step: RunStep) -> str:
    """``run #12, which loads the same pipeline``; empty for a step that does not wait."""
    if step.status != Status.QUEUED:
        return ""
    if not step.is_ready:
        return _upstream(step)
    if step.not_before is not None and step.not_before > clock.now():
        return step.waiting_for
    slots = Slots.now()
    if slots.platform_is_full():
        return PLATFORM_FULL
    own = Slots.now(step.organization_id)
    return own.hindrance(step.organization, step) or _worker(step)


def queue_position(step: RunStep) -> int:
    """1 for the step that the next free worker of its queue takes, 0 for one that is not ready."""
    if step.status != Status.QUEUED or not step.is_ready:
        return 0
    return ready_steps([step.queue]).filter(queued_at__lt=step.queued_at).count() + 1


def living_workers(queue: str | None = None) -> list[Worker]:
    """Workers heard of lately that take new steps, of one queue or of all."""
    since = clock.now() - timedelta(seconds=SILENT_SECONDS)
    rows = Worker.objects.filter(seen_at__gte=since, is_draining=False)
    return [worker for worker in rows if queue is None or queue in worker.queues]


def _upstream(step: RunStep) -> str:
    after = step.run.after
    if after is not None and after.status not in FINAL_STATUSES:
        return f"run #{after.number}, which it comes after"
    siblings = RunStep.all_organizations.filter(run_id=step.run_id, position__in=step.upstream)
    open_ones = siblings.exclude(status__in=FINAL_STATUSES).order_by("position")
    names = list(open_ones.values_list("name", flat=True)[:4])
    shown = ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")
    return f"{shown} to end" if names else "the steps before it"


def _worker(step: RunStep) -> str:
    workers = living_workers(step.queue)
    if not workers:
        return f"a worker: none listens to the queue “{step.queue}”"
    places = sum(worker.slots for worker in workers)
    return (
        f"a free worker ({places} places on {len(workers)} workers)"
        if len(workers) > 1
        else (f"a free place on the worker ({places} in all)")
    )


def tell(steps: Iterable[RunStep]) -> None:
    """Put into the ready ones what they wait for now, and their place, for people to read; nothing is saved.

    What stands at the row is from the last look of a worker, and nobody looks where there is none.
    """
    ready = [step for step in steps if step.status == Status.QUEUED and step.is_ready]
    for step in ready[:MOST_TOLD]:
        # The places of the platform and the line before a worker are everybody's.
        with scope.everywhere():
            place = queue_position(step)
            words = waiting_words(step)
        step.waiting_for = f"{words} (number {place} in line)" if place > 1 else words
