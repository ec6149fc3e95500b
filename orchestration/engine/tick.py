"""Turns due schedules into runs: each due time exactly once, whoever ticks and however often."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import transaction
from django.utils import timezone

from common.errors import DatanikaError
from orchestration import cron
from orchestration.models import (
    ACTIVE_STATUSES,
    MissedPolicy,
    OverlapPolicy,
    Run,
    Schedule,
    Trigger,
)
from orchestration.requests import create_run
from tenants.actors import Actor

logger = logging.getLogger("datanika.schedules")

#: A time that is over for longer than this was missed (the installation was down).
GRACE = timedelta(seconds=90)
#: "Run each" after a long outage must not flood the queue.
MOST_MISSED = 100


def tick(now: datetime | None = None) -> list[int]:
    """Create the runs of all due schedules; the ids of steps to ring."""
    now = now or timezone.now()
    due = Schedule.all_organizations.filter(
        is_active=True, deleted_at__isnull=True, next_run_at__lte=now
    )
    ready: list[int] = []
    for schedule_id in due.order_by("next_run_at").values_list("pk", flat=True):
        try:
            ready += _fire(schedule_id, now)
        except DatanikaError as error:
            _note(schedule_id, now, str(error))
    return ready


@transaction.atomic
def _fire(schedule_id: int, now: datetime) -> list[int]:
    # Two ticks at once take turns here; the second finds next_run_at in the future.
    rows = Schedule.all_organizations.select_for_update()
    schedule = rows.get(pk=schedule_id)
    if not schedule.is_active or schedule.is_deleted or schedule.next_run_at is None:
        return []
    if schedule.next_run_at > now:
        return []
    times = _due_times(schedule, now)
    schedule.next_run_at = next(cron.times_after(schedule.cron, schedule.time_zone, now))
    schedule.note = ""
    ready: list[int] = []
    for moment in _wanted(schedule, times, now):
        ready += _start(schedule, moment)
    schedule.save(update_fields=["next_run_at", "last_run_at", "note"])
    return ready


def _due_times(schedule: Schedule, now: datetime) -> list[datetime]:
    first = schedule.next_run_at
    if first is None:
        return []
    rest = cron.times_after(schedule.cron, schedule.time_zone, first)
    times = [first, *takewhile(lambda moment: moment <= now, _limited(rest))]
    return times[-MOST_MISSED:]


def _limited(moments: Iterator[datetime]) -> Iterator[datetime]:
    # A minutely schedule that slept for a year has half a million due times.
    for count, moment in enumerate(moments):
        if count > 1_000_000:
            return
        yield moment


def _wanted(schedule: Schedule, times: list[datetime], now: datetime) -> list[datetime]:
    on_time = [moment for moment in times if now - moment <= GRACE]
    if schedule.missed == MissedPolicy.ALL:
        return times
    if schedule.missed == MissedPolicy.ONCE:
        return times[-1:]
    return on_time[-1:]


def _start(schedule: Schedule, moment: datetime) -> list[int]:
    if Run.all_organizations.filter(schedule=schedule, scheduled_for=moment).exists():
        return []
    active = Run.all_organizations.filter(schedule=schedule, status__in=ACTIVE_STATUSES).first()
    # "Run each" means each: what was missed queues up behind what runs.
    queues = schedule.overlap == OverlapPolicy.QUEUE or schedule.missed == MissedPolicy.ALL
    if active is not None and not queues:
        schedule.note = f"Skipped {moment:%H:%M}: run #{active.number} was still going."
        return []
    run, ready = create_run(
        organization=schedule.organization,
        actor=Actor.schedule(schedule.name, schedule.pk),
        target=schedule.node.key if schedule.node else "dag",
        select=schedule.select,
        trigger=Trigger.SCHEDULE,
        schedule=schedule,
        scheduled_for=moment,
    )
    schedule.last_run_at = moment
    logger.info("schedule %s started run %s", schedule.slug, run.number)
    return ready


def _note(schedule_id: int, now: datetime, text: str) -> None:
    """A due time that could not start a run: said on the page, and the schedule goes on."""
    schedule = Schedule.all_organizations.get(pk=schedule_id)
    schedule.note = text[:300]
    schedule.next_run_at = next(cron.times_after(schedule.cron, schedule.time_zone, now))
    schedule.save(update_fields=["note", "next_run_at"])
