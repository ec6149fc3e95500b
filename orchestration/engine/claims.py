"""Who may execute a step now: one conditional update decides, and says what is waited for."""

import os
import socket
import uuid
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from orchestration.engine import clock
from orchestration.engine.slots import Slots
from orchestration.models import Run, RunStep, RunStepAttempt, Status
from tenants.models import Organization, PlatformSettings
from tenants.selectors import platform_settings

_JOINS = ("organization", "run", "pipeline__source", "pipeline__destination", "connection")
#: Steps that one look for work considers; what stands behind them waits for the next look.
MOST_CONSIDERED, FIRST_CONSIDERED = 2_000, 20
AT_REST = "its organization, which is suspended or deleted"
PLATFORM_FULL = "one of the places of the platform, all in use"


def worker_name() -> str:
    """``host:pid``: a worker that is gone can be told from one that is slow."""
    return f"{socket.gethostname()}:{os.getpid()}"


def lease_end() -> datetime:
    return clock.now() + timedelta(seconds=settings.LEASE_SECONDS)


def claim(step_id: int, queues: Collection[str] | None = None) -> RunStep | None:
    """Make the step this worker's, or walk away with None; what it waits for is written to it.

    A step of another queue than these is left alone.
    """
    rows = RunStep.all_organizations.select_related(*_JOINS).filter(pk=step_id)
    step: RunStep | None = (rows if queues is None else rows.filter(queue__in=queues)).first()
    return _claim(step) if step is not None and may_start(step) else None


def claim_next(queues: Collection[str]) -> RunStep | None:
    """The oldest step of these queues that may start now, made this worker's."""
    for step_id in _candidates(queues):
        if step := claim(step_id):
            return step
    return None


def may_start(step: RunStep) -> bool:
    """Queued, every upstream step has ended, its time has come, and nobody cancels its run."""
    return (
        step.status == Status.QUEUED
        and step.is_ready
        and step.run.cancel_requested_at is None
        and (step.not_before is None or step.not_before <= clock.now())
    )


def renew(step: RunStep) -> bool:
    """Prolong the lease; False when it is another's by now, and then nothing more may be written."""
    mine = RunStep.all_organizations.filter(pk=step.pk, lease_token=step.lease_token)
    return bool(mine.update(lease_expires_at=lease_end()))


def ready_steps(queues: Collection[str] | None = None) -> QuerySet[RunStep]:
    """Queued steps whose time has come, the oldest first; whether a place is free is not looked at."""
    rows = RunStep.all_organizations.filter(status=Status.QUEUED, is_ready=True)
    rows = rows.filter(Q(not_before__isnull=True) | Q(not_before__lte=clock.now()))
    if queues is not None:
        rows = rows.filter(queue__in=queues)
    return rows.order_by("queued_at", "pk")


def waiting_steps(organization_id: int | None = None, *, most: int = 500) -> list[int]:
    """Ids of ready steps, the oldest first."""
    rows = ready_steps()
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    return list(rows.values_list("pk", flat=True)[:most])


@transaction.atomic
def _claim(step: RunStep) -> RunStep | None:
    """Claims of one organization take turns on its row, so that two of them cannot both take the last slot."""
    if platform_settings().max_concurrent_steps is not None:
        # The same for the whole platform, where operators set a limit.
        PlatformSettings.objects.select_for_update().filter(pk=1).first()
        if Slots.now().platform_is_full():
            _wait(step, PLATFORM_FULL)
            return None
    organization = Organization.objects.select_for_update().get(pk=step.organization_id)
    if organization.is_at_rest:
        # Its runs are cancelled when it is laid to rest; this is for one that somebody brings back.
        _wait(step, AT_REST)
        return None
    if reason := Slots.now(organization.pk).hindrance(organization, step):
        _wait(step, reason)
        return None
    return step if _take(step) else None


def _wait(step: RunStep, reason: str) -> None:
    if step.waiting_for != reason:
        mine = RunStep.all_organizations.filter(pk=step.pk, status=Status.QUEUED)
        mine.update(waiting_for=reason)


def _take(step: RunStep) -> bool:
    now = clock.now()
    values = {
        "status": Status.RUNNING,
        "lease_token": uuid.uuid4(),
        "lease_expires_at": lease_end(),
        "worker": worker_name(),
        "waiting_for": "",
        "started_at": step.started_at or now,
        "not_before": None,
        "error": "",
        "error_code": "",
        "error_remedy": "",
        "error_detail": "",
        "error_signature": "",
        "fingerprint": "",
    }
    queued = RunStep.all_organizations.filter(pk=step.pk, status=Status.QUEUED, is_ready=True)
    # Of a run that is being cancelled the queued steps end; one that comes back meanwhile must not start.
    if not queued.filter(run__cancel_requested_at__isnull=True).update(**values):
        return False
    for name, value in values.items():
        setattr(step, name, value)
    if step.run.status == Status.QUEUED:
        rows = Run.all_organizations.filter(pk=step.run_id, status=Status.QUEUED)
        rows.update(status=Status.RUNNING, started_at=now)
        step.run.refresh_from_db(fields=["status", "started_at"])
    attempt = RunStepAttempt(step=step, number=step.attempt, worker=step.worker, started_at=now)
    attempt.organization_id = step.organization_id
    attempt.save(force_insert=True)
    return True


def _candidates(queues: Collection[str]) -> Iterator[int]:
    """Ready steps that no full organization, busy pipeline or connection holds back, as of now."""
    slots = Slots.now()
    if slots.platform_is_full():
        return
    rows = ready_steps(queues).exclude(organization_id__in=slots.full_organizations())
    rows = rows.exclude(pipeline_id__in={b.pipeline_id for b in slots.running if b.pipeline_id})
    rows = rows.exclude(
        connection_id__in={b.connection_id for b in slots.running if b.connection_id}
    )
    full = slots.full_connections()
    values = rows.values_list("pk", "connection_ids")
    # Nearly always one of the first will do.
    for first, last in ((0, FIRST_CONSIDERED), (FIRST_CONSIDERED, MOST_CONSIDERED)):
        for pk, connection_ids in values[first:last]:
            if not full.intersection(connection_ids):
                yield pk
