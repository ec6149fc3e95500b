"""What ``doctor`` says about the work itself: workers, queue, scheduler, retention, limits, ping."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min
from django.utils import timezone

from orchestration import heartbeat, upkeep
from orchestration.engine.claims import ready_steps
from orchestration.engine.waiting import SILENT_SECONDS
from orchestration.models import Schedule, Worker
from tenants import limits
from tenants.selectors import platform_settings

#: A ready step that no worker takes for this long is no matter of load.
STUCK = timedelta(minutes=15)
#: The prune comes every hour; a night's downtime is no reason to worry.
PRUNE_LATE = timedelta(hours=26)


@dataclass(frozen=True)
class Finding:
    """``status`` is ok, warn or failed."""

    name: str
    status: str
    text: str
    remedy: str = ""


def findings() -> Iterator[Finding]:
    """For a database that answers and is migrated."""
    now = timezone.now()
    workers = list(Worker.objects.all())
    silent = now - timedelta(seconds=SILENT_SECONDS)
    living = [worker for worker in workers if worker.seen_at >= silent]
    yield _workers(living, len(workers) - len(living))
    yield from _queues(living, now)
    yield _scheduler(now, is_up=bool(living))
    yield _retention(now, is_up=bool(living))
    yield _limits()
    yield _ping(is_up=bool(living))


def _workers(living: list[Worker], lost: int) -> Finding:
    if not living:
        text = "none has been heard of lately"
        return Finding("Workers", "warn", text, "Start one: datanika up, or a worker of its own.")
    slots = sum(worker.slots for worker in living)
    draining = sum(worker.is_draining for worker in living)
    versions = sorted({worker.version for worker in living if worker.version})
    text = f"{len(living)} with {slots} slots"
    text += f", {draining} draining" if draining else ""
    text += f", {lost} lost" if lost else ""
    if len(versions) > 1:
        text += f", of versions {', '.join(versions)}"
        return Finding("Workers", "warn", text, "Bring all of them to one version.")
    return Finding("Workers", "ok", text)


def _queues(living: list[Worker], now: datetime) -> Iterator[Finding]:
    """One finding for each queue that something waits in."""
    served = {queue for worker in living if not worker.is_draining for queue in worker.queues}
    rows = ready_steps().order_by().values_list("queue")
    waiting = rows.annotate(Count("pk"), Min("queued_at")).order_by("queue")
    found = False
    for queue, count, oldest in waiting:
        found = True
        age = now - oldest
        text = f"{count} ready step(s), the oldest for {_words(age)}"
        if queue not in served and living:
            remedy = (
                f"Start a worker with --queues {queue}, or change the queue of the organization."
            )
            yield Finding(f"Queue {queue}", "failed", f"{text}; no worker serves it", remedy)
        elif age > STUCK:
            remedy = "Look at what the run waits for; start a worker, or give it more slots."
            yield Finding(f"Queue {queue}", "failed" if not living else "warn", text, remedy)
        else:
            yield Finding(f"Queue {queue}", "ok", text)
    if not found:
        yield Finding("Queue", "ok", "no step waits for a worker")


def _scheduler(now: datetime, *, is_up: bool) -> Finding:
    """Beat's tick; without it the workers start schedules themselves, only later."""
    at = upkeep.last_tick()
    text = f"last tick of beat {_words(now - at)} ago" if at else "beat has not ticked yet"
    if upkeep.is_ticking(now):
        return Finding("Scheduler", "ok", text)
    due = Schedule.all_organizations.filter(
        is_active=True, deleted_at__isnull=True, next_run_at__lt=now - timedelta(minutes=2)
    ).count()
    remedy = "Start it: datanika up, or celery -A datanika_site beat."
    if due:
        return Finding("Scheduler", "failed", f"{text}; {due} schedule(s) are overdue", remedy)
    return Finding("Scheduler", "failed" if is_up and at else "warn", text, remedy)


def _retention(now: datetime, *, is_up: bool) -> Finding:
    row = upkeep.last(upkeep.PRUNE)
    if row is None:
        return Finding("Retention", "ok", "nothing was pruned yet; it happens every hour")
    taken = sum(row.details.get("items", {}).values())
    text = f"last prune {_words(now - row.at)} ago took {taken:,} things"
    if not row.is_good:
        remedy = "Run: datanika prune"
        return Finding("Retention", "warn", f"{text}; it stumbled over {row.note}", remedy)
    if is_up and now - row.at > PRUNE_LATE:
        return Finding("Retention", "warn", text, "It should come every hour: look at the worker.")
    if row.details.get("complete") is False:
        return Finding("Retention", "ok", f"{text}; more is old, the next one goes on")
    return Finding("Retention", "ok", text)


def _limits() -> Finding:
    platform = platform_settings()
    parts = []
    for name in (*limits.STEPS, *limits.STEP_LIMITS):
        bounds = (limits.STEPS | limits.STEP_LIMITS)[name]
        said = limits.origin(platform, name).removeprefix("In force: ").removesuffix(".")
        parts.append(f"{bounds.label}: {said}")
    return Finding("Limits", "ok", "; ".join(parts))


def _ping(*, is_up: bool) -> Finding:
    is_well, text = heartbeat.state_words()
    if is_well:
        return Finding("Dead-man's ping", "ok", text)
    # While nothing runs, nobody is to be told that it does.
    status = "failed" if is_up else "warn"
    return Finding("Dead-man's ping", status, text, "Check its URL in the platform settings.")


def _words(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
