"""Turns due schedules into runs: each due time exactly once, whoever ticks and however often.

Schedules of one organization are taken together, some hundreds to a transaction: ten thousand of one minute are
rows within seconds, and between two transactions workers and people get their turn.
"""

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import InterfaceError, OperationalError, ProgrammingError, transaction
from django.db.models import Min, QuerySet
from django_celery_beat.models import CrontabSchedule

from common import bulk, scope
from common.errors import DatanikaError
from orchestration.calendars import due_starts, next_start
from orchestration.engine import clock
from orchestration.engine.cancelling import cancel
from orchestration.models import (
    ACTIVE_STATUSES,
    MissedPolicy,
    Node,
    OverlapPolicy,
    Run,
    Schedule,
    Trigger,
)
from orchestration.requests import DAG, Asked, Desk, Made, RunRequest
from tenants.actors import Actor

logger = logging.getLogger("datanika.schedules")

#: A time that is over for longer than this was missed (the installation was down).
GRACE = timedelta(seconds=90)
#: "Run each" after a long outage must not flood the queue.
MOST_MISSED = 100
#: Schedules of one transaction; of an organization's first fewer, so that workers have something to begin with.
FIRST, CHUNK = 100, 1_000
#: Runs of one transaction, more or less: each of its schedules may make up for many.
MOST_RUNS = 1_000
_turn = threading.Lock()


def tick(now: datetime | None = None) -> list[int]:
    """Create the runs of all due schedules; the ids of steps to ring."""
    return [step_id for ready in ticks(now) for step_id in ready]


def ticks(now: datetime | None = None) -> Iterator[list[int]]:
    """As ``tick``, but what can be rung is told after each transaction. Organizations take turns."""
    now = now or clock.now()
    if not _turn.acquire(blocking=False):
        # Another thread of this process is at it: more of them would only wait for one another.
        return
    try:
        yield from _ticks(now)
    finally:
        _turn.release()


def _ticks(now: datetime) -> Iterator[list[int]]:
    firsts = _due(now).values_list("organization_id").annotate(first=Min("next_run_at"))
    waiting = deque((pk, FIRST) for pk, _first in firsts.order_by("first"))
    while waiting:
        organization_id, most = waiting.popleft()
        rows = _due(now).filter(organization_id=organization_id).order_by("next_run_at", "pk")
        ids = list(rows.values_list("pk", flat=True)[:most])
        if ids:
            yield _fire_safely(organization_id, ids, now)
            waiting.append((organization_id, CHUNK))


def _due(now: datetime) -> QuerySet[Schedule]:
    rows: QuerySet[Schedule] = Schedule.all_organizations.filter(
        is_active=True, deleted_at__isnull=True, next_run_at__lte=now
    )
    return rows.order_by()


def _fire_safely(organization_id: int, ids: list[int], now: datetime) -> list[int]:
    """Together; where something unforeseen stands in the way one by one, so that only the one it comes from suffers."""
    try:
        with scope.within(organization_id):
            return _fire(organization_id, ids, now)
    except (OperationalError, InterfaceError, ProgrammingError):
        # The database is away, busy, or not of this version yet: the next tick finds everything as it was.
        raise
    except Exception as error:
        logger.exception("schedules %s could not be started", ids if len(ids) == 1 else "together")
        if len(ids) == 1:
            _note(ids[0], now, f"It could not be started: {type(error).__name__}.")
            return []
    return [step for one in ids for step in _fire_safely(organization_id, [one], now)]


@dataclass
class _Due:
    """A schedule, the due times that become runs, and the run that the next of them comes after."""

    schedule: Schedule
    moments: list[datetime] = field(default_factory=list)
    after: Run | Made | None = None
    asked: Asked = field(init=False)
    actor: Actor = field(init=False)

    def __post_init__(self) -> None:
        schedule = self.schedule
        self.asked = Asked(schedule.node.key if schedule.node else DAG, schedule.select)
        self.actor = Actor.schedule(schedule.name, schedule.pk)

    def request(self) -> RunRequest:
        return RunRequest(
            asked=self.asked,
            actor=self.actor,
            trigger=Trigger.SCHEDULE,
            schedule=self.schedule,
            scheduled_for=self.moments[0],
            after=self.after,
        )


@transaction.atomic
def _fire(organization_id: int, ids: list[int], now: datetime) -> list[int]:
    # Two ticks at once take turns on the organization; the second finds next_run_at in the future.
    desk = Desk(organization_id)
    found = _due(now).filter(pk__in=ids).select_for_update(of=("self",))
    rows = list(found.order_by("next_run_at", "pk"))
    _join(rows)
    if desk.organization.schedules_paused_at is not None or desk.organization.is_at_rest:
        Schedule.all_organizations.filter(pk__in=[row.pk for row in rows]).update(next_run_at=None)
        return []
    dues = _bounded(_look(schedule, now) for schedule in rows)
    _drop_known(dues)
    ready = _settle_overlaps(organization_id, dues)
    while wave := [due for due in dues if due.moments]:
        ready += _start(desk, wave)
    _save([due.schedule for due in dues])
    return ready


def _join(rows: list[Schedule]) -> None:
    """Their crontabs and nodes, each read once: thousands of schedules share a few."""
    crontabs = CrontabSchedule.objects.in_bulk({row.crontab_id for row in rows})
    nodes = Node.all_organizations.select_related("pipeline", "transformation").only(
        "organization", "pipeline__slug", "transformation__name"
    )
    found = nodes.in_bulk({row.node_id for row in rows if row.node_id})
    for row in rows:
        row.crontab = crontabs[row.crontab_id]
        row.node = found[row.node_id] if row.node_id else None


def _bounded(dues: Iterable[_Due]) -> list[_Due]:
    """As many as make a transaction of reasonable size; the others stay due and follow."""
    taken: list[_Due] = []
    runs = 0
    for due in dues:
        taken.append(due)
        runs += len(due.moments)
        if runs >= MOST_RUNS:
            break
    return taken


def _look(schedule: Schedule, now: datetime) -> _Due:
    """What is due, and the next time; a schedule that cannot be read any more rests and says why."""
    due = _Due(schedule)
    schedule.note = ""
    try:
        times = due_starts(schedule, now, MOST_MISSED)
        schedule.next_run_at = next_start(schedule, now)
    except DatanikaError as error:
        schedule.next_run_at, schedule.note = None, str(error)
        return due
    due.moments = _wanted(schedule, times, now)
    if times and not due.moments:
        count = "1 start" if len(times) == 1 else f"{len(times)} starts"
        schedule.note = f"Missed {count}, the last one at {_clock(schedule, times[-1])}."
    return due


def _wanted(schedule: Schedule, times: list[datetime], now: datetime) -> list[datetime]:
    if schedule.missed == MissedPolicy.ALL:
        return times
    if schedule.missed == MissedPolicy.ONCE:
        return times[-1:]
    return [moment for moment in times if now - moment <= GRACE][-1:]


def _drop_known(dues: list[_Due]) -> None:
    """Leave out times that have a run already: of a tick that read ``next_run_at`` before another wrote it."""
    moments = [moment for due in dues for moment in due.moments]
    if not moments:
        return
    rows = Run.all_organizations.filter(
        schedule__in=[due.schedule.pk for due in dues],
        scheduled_for__gte=min(moments),
        scheduled_for__lte=max(moments),
    )
    known = set(rows.values_list("schedule_id", "scheduled_for"))
    for due in dues:
        due.moments = [at for at in due.moments if (due.schedule.pk, at) not in known]


def _settle_overlaps(organization_id: int, dues: list[_Due]) -> list[int]:
    """What becomes of times that meet an earlier run of their schedule; the ids of steps that can start for it."""
    active = _active(organization_id, {due.schedule.pk for due in dues if due.moments})
    ready: list[int] = []
    for due in dues:
        if due.moments and (runs := active[due.schedule.pk]):
            ready += _meet(due, runs)
    return ready


def _active(organization_id: int, schedules: set[int]) -> dict[int | None, list[Run]]:
    """Runs that have not ended by schedule, the oldest first."""
    rows = Run.all_organizations.filter(status__in=ACTIVE_STATUSES).order_by("number")
    # Asked for by schedule, the database would look through all that ever ran; few are active.
    pairs = rows.filter(organization_id=organization_id).values_list("schedule_id", "pk")
    met = [pk for schedule_id, pk in pairs if schedule_id in schedules]
    active: dict[int | None, list[Run]] = defaultdict(list)
    if met:
        for run in rows.filter(pk__in=met).select_related("organization").defer("capsule"):
            active[run.schedule_id].append(run)
    return active


def _meet(due: _Due, runs: list[Run]) -> list[int]:
    schedule = due.schedule
    # "Run each" means each: what was missed queues up behind what runs.
    each = schedule.missed == MissedPolicy.ALL
    if schedule.overlap == OverlapPolicy.SKIP and not each:
        clock = _clock(schedule, due.moments[0])
        schedule.note = f"Skipped {clock}: run #{runs[-1].number} was still going."
        due.moments = []
        return []
    ready: list[int] = []
    if schedule.overlap == OverlapPolicy.CANCEL:
        # The newest first: no run that waits for another begins only to be cancelled.
        for run in reversed(runs):
            locked = Run.all_organizations.select_for_update().get(pk=run.pk)
            ready += cancel(locked, due.actor) if locked.is_active else []
            run.refresh_from_db(fields=["status"])
        runs = [run for run in runs if run.is_active] or runs
    due.after = runs[-1]
    return ready


def _start(desk: Desk, wave: list[_Due]) -> list[int]:
    """The run of the first time of each."""
    ready: list[int] = []
    for due, made in zip(wave, desk.create([due.request() for due in wave]), strict=True):
        if isinstance(made, DatanikaError):
            due.schedule.note, due.moments = str(made), []
            continue
        due.schedule.last_run_at, due.after = due.moments.pop(0), made
        ready += made.ready
    logger.info("%s schedules started a run", len(wave))
    return ready


def _save(rows: list[Schedule]) -> None:
    values = [
        {
            "id": row.pk,
            "next_run_at": row.next_run_at,
            "last_run_at": row.last_run_at,
            "note": row.note[:300],
        }
        for row in rows
    ]
    bulk.update(Schedule, values)


def _clock(schedule: Schedule, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(schedule.time_zone)):%H:%M}"


def _note(schedule_id: int, now: datetime, text: str) -> None:
    """A due time that could not start a run: said on the page, and the schedule goes on."""
    schedule = Schedule.all_organizations.select_related("crontab").get(pk=schedule_id)
    schedule.note = text[:300]
    schedule.next_run_at = next_start(schedule, now)
    schedule.save(update_fields=["note", "next_run_at"])
