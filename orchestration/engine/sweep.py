"""Puts right what died: expired leases, workers of this machine that are gone, bells nobody heard."""

import socket

import psutil
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from orchestration.engine import aftermath, backfills, clock, log
from orchestration.engine.advance import advance
from orchestration.engine.claims import waiting_steps
from orchestration.explanations import fingerprint_of
from orchestration.models import ACTIVE_STATUSES, IS_ACTIVE, Run, RunStep, RunStepAttempt, Status


def sweep() -> list[int]:
    """One round; the ids of steps to ring."""
    for step in _lost_steps():
        _recover(step)
    for run_id in _stuck_runs():
        advance(run_id)
    backfills.repair()
    aftermath.catch_up()
    return waiting_steps()


def _stuck_runs() -> list[int]:
    """Active runs of which nothing runs and nothing can: what follows from the end of a step was lost on the way."""
    steps = RunStep.all_organizations.filter(run=OuterRef("pk"))
    moving = Q(status=Status.RUNNING) | Q(status=Status.QUEUED, is_ready=True)
    rows = Run.all_organizations.filter(IS_ACTIVE)
    rows = rows.exclude(after__status__in=ACTIVE_STATUSES)
    return list(rows.filter(~Exists(steps.filter(moving))).values_list("pk", flat=True))


def _lost_steps() -> list[RunStep]:
    now = clock.now()
    rows = RunStep.all_organizations.filter(status=Status.RUNNING).select_related("run")
    here = f"{socket.gethostname()}:"
    candidates = rows.filter(Q(lease_expires_at__lt=now) | Q(worker__startswith=here))
    return [s for s in candidates if _expired(s) or not _alive(s.worker)]


def _expired(step: RunStep) -> bool:
    return step.lease_expires_at is None or step.lease_expires_at < clock.now()


def _alive(worker: str) -> bool:
    """Whether a worker of this machine still lives; it need not wait for its lease to run out."""
    pid = worker.rpartition(":")[2]
    return not pid.isdigit() or psutil.pid_exists(int(pid))


@transaction.atomic
def _recover(step: RunStep) -> None:
    """Back into the queue, or failed when it was lost too often. The token decides between two sweeps."""
    mine = RunStep.all_organizations.filter(
        pk=step.pk, status=Status.RUNNING, lease_token=step.lease_token
    )
    if step.run.cancel_requested_at is not None:
        if mine.update(status=Status.CANCELLED, finished_at=timezone.now(), lease_token=None):
            _lose_attempt(step)
            advance(step.run_id, step)
        return
    if step.attempt < step.max_attempts:
        if mine.update(
            status=Status.QUEUED,
            attempt=step.attempt + 1,
            times_lost=step.times_lost + 1,
            lease_token=None,
            lease_expires_at=None,
            not_before=None,
        ):
            _lose_attempt(step)
            text = f"The worker {step.worker} was lost; the step is resumed (attempt {step.attempt + 1})."
            log.note(step.run, "warn", text, step.name)
        return
    text = f"The worker was lost {step.times_lost + 1} times, the last time on {step.worker}."
    if mine.update(
        status=Status.FAILED,
        finished_at=timezone.now(),
        lease_token=None,
        lease_expires_at=None,
        times_lost=step.times_lost + 1,
        error=text,
        error_code="worker_lost",
        fingerprint=fingerprint_of({"code": "worker_lost", "message": text}),
        error_remedy="Look at the memory and the log of the worker machine, then run it again.",
    ):
        _lose_attempt(step)
        log.note(step.run, "error", text, step.name)
        advance(step.run_id, step)


def _lose_attempt(step: RunStep) -> None:
    rows = RunStepAttempt.all_organizations.filter(step=step, number=step.attempt)
    text = f"The worker {step.worker} was lost."
    rows.update(status="lost", finished_at=timezone.now(), error=text, error_code="worker_lost")
