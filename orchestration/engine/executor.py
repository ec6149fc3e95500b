"""Executes one claimed step in a child process, and writes how it ended while the lease is still ours."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from common.children.child import Child
from common.errors import DatanikaError, UserError
from connections import runner as connections
from orchestration.engine import claims, log
from orchestration.engine.advance import advance, blocked_nodes, broken_nodes
from orchestration.engine.reporter import LeaseLost, Reporter
from orchestration.models import Run, RunStep, Status, StepKind
from orchestration.options import options_for
from pipelines import runner as pipelines
from transforms import runner as transforms

logger = logging.getLogger("datanika.runs")

LOOK_SECONDS = 0.25
CANCEL_LOOK_SECONDS = 1.0
#: Between asking a child to stop and killing its process group: time for a driver to cancel its query.
GRACE_SECONDS = 3.0
#: Waits before the second and the third attempt.
BACKOFF_SECONDS = (5, 30, 120)


@dataclass(frozen=True)
class Ended:
    """How a step ended: the steps to ring now, and the one to ring after ``delay`` seconds."""

    ring: list[int]
    again: int | None = None
    delay: int = 0


@dataclass
class _Verdict:
    status: Status
    error: dict[str, Any] | None = None


def execute(step_id: int) -> Ended:
    """Claim the step and see it through; nothing happens when another worker has it."""
    step = claims.claim(step_id)
    if step is None:
        return Ended([])
    reporter = Reporter(step)
    try:
        verdict = _run(step, reporter)
        reporter.flush(force=True)
        return _finish(step, reporter, verdict)
    except LeaseLost:
        logger.warning("step %s of run %s: the lease was lost", step.position, step.run.number)
        return Ended([])


def _run(step: RunStep, reporter: Reporter) -> _Verdict:
    """Everything that can go wrong here ends as a verdict; only a lost lease passes through."""
    if step.attempt > 1:
        reporter.say("info", _attempt_text(step))
    try:
        entry, spec, writable = _order(step, reporter)
        spec["private_dir"] = connections.make_private_dir()
        box = connections.box(spec["private_dir"], writable=writable, spec=spec)
        child = connections.pool().spawn(entry, spec, box)
    except DatanikaError as error:
        return _Verdict(Status.FAILED, error.as_event())
    try:
        return _watch(step, child, reporter)
    finally:
        child.close()


def _attempt_text(step: RunStep) -> str:
    text = f"Attempt {step.attempt} of {step.max_attempts}"
    return f"{text}: resumed after its worker was lost." if step.times_lost else f"{text}."


def _order(step: RunStep, reporter: Reporter) -> tuple[str, dict[str, Any], tuple[Path, ...]]:
    """The entry point, its spec and the directories it may write to."""
    files = connections.files_root(step.organization)
    if step.kind == StepKind.PIPELINE:
        pipeline = step.pipeline
        if pipeline is None or pipeline.is_deleted:
            raise UserError("The pipeline has been deleted.", remedy="Restore it from the trash.")
        work = pipelines.work_dir(pipeline)
        work.mkdir(parents=True, exist_ok=True)
        spec = pipelines.build_spec(
            pipeline, load_id=_load_id(step), options=options_for(step), attempt=step.attempt
        )
        return pipelines.ENTRY, spec, (files, work)
    warehouse = step.connection
    if warehouse is None or warehouse.is_deleted:
        raise UserError("The warehouse connection has been deleted.", remedy="Restore it.")
    names = _buildable(step, reporter)
    spec = transforms.build_spec(warehouse, names, full_refresh=step.run.full_refresh)
    return transforms.ENTRY, spec, (files, transforms.cache_dir(warehouse))


def _load_id(step: RunStep) -> str:
    """The same for every attempt: the destination's ledger knows by it what is committed already."""
    return f"{int(step.queued_at.timestamp())}.{step.pk}"


def _buildable(step: RunStep, reporter: Reporter) -> list[str]:
    """The transformations whose upstreams are whole; the others are reported as skipped."""
    steps = RunStep.all_organizations.filter(run=step.run, position__in=step.upstream)
    broken = broken_nodes(list(steps))
    blocked = blocked_nodes(step, broken)
    for key in sorted(blocked):
        name = key.partition(":")[2]
        reporter.take(
            {
                "event": "result",
                "kind": "model",
                "name": name,
                "status": "skipped",
                "message": "Something it reads from did not succeed.",
            }
        )
    return [key.partition(":")[2] for key in step.nodes if key not in blocked]


def _watch(step: RunStep, child: Child, reporter: Reporter) -> _Verdict:
    """Read events until the child ends; meanwhile keep the lease, look for cancel and for the time limit."""
    started = time.monotonic()
    looked = renewed = started
    while not child.finished:
        for event in child.read_events(LOOK_SECONDS):
            reporter.take(event)
        reporter.flush()
        now = time.monotonic()
        if now - renewed > settings.LEASE_SECONDS / 3:
            renewed = now
            if not claims.renew(step):
                child.kill()
                raise LeaseLost
        if now - looked > CANCEL_LOOK_SECONDS:
            looked = now
            if _is_cancelled(step):
                return _stop(child, reporter)
        if now - started > settings.STEP_TIMEOUT_SECONDS:
            _stop(child, reporter)
            return _Verdict(Status.FAILED, _timed_out().as_event())
    if reporter.summary is not None and reporter.error is None:
        return _Verdict(Status.SUCCEEDED)
    if _is_cancelled(step):
        return _Verdict(Status.CANCELLED)
    return _Verdict(Status.FAILED, reporter.error)


def _is_cancelled(step: RunStep) -> bool:
    rows = Run.all_organizations.filter(pk=step.run_id, cancel_requested_at__isnull=False)
    return rows.exists()


def _stop(child: Child, reporter: Reporter) -> _Verdict:
    """Ask, wait for the driver to cancel its query on the server, then end the whole process group."""
    child.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    while not child.finished and time.monotonic() < deadline:
        for event in child.read_events(LOOK_SECONDS):
            if event.get("event") == "log":
                reporter.take(event)
    child.kill()
    return _Verdict(Status.CANCELLED)


def _timed_out() -> UserError:
    error = UserError(
        f"The step ran longer than {settings.STEP_TIMEOUT_SECONDS // 60} minutes and was stopped.",
        remedy="Load less at once, or ask the operator for a higher limit.",
    )
    error.code = "step_timed_out"
    return error


def _finish(step: RunStep, reporter: Reporter, verdict: _Verdict) -> Ended:
    error = verdict.error or {}
    if error.get("transient") and step.attempt < step.max_attempts:
        return _again(step, error)
    with transaction.atomic():
        mine = RunStep.all_organizations.filter(pk=step.pk, lease_token=step.lease_token)
        written = mine.update(
            status=verdict.status,
            finished_at=timezone.now(),
            lease_token=None,
            lease_expires_at=None,
            has_warnings=reporter.has_warnings,
            summary=reporter.outcome,
            progress={},
            error=error.get("message", ""),
            error_code=error.get("code", ""),
            error_remedy=error.get("remedy", ""),
            error_detail=error.get("detail", ""),
        )
        if not written:
            raise LeaseLost
        _say_end(step, verdict)
        ready = advance(step.run_id)
    # A place has become free, here and in this organization: whoever waits for one is told.
    return Ended(sorted({*ready, *_waiting(step)}))


def _say_end(step: RunStep, verdict: _Verdict) -> None:
    took = (timezone.now() - (step.started_at or timezone.now())).total_seconds()
    if verdict.status == Status.SUCCEEDED:
        log.note(step.run, "ok", f"{step.name} succeeded in {took:.1f} s.", step.name)
    elif verdict.status == Status.CANCELLED:
        log.note(step.run, "warn", f"{step.name} was stopped.", step.name)
    else:
        error = verdict.error or {}
        text = " ".join(filter(None, [error.get("message", "Failed."), error.get("remedy", "")]))
        log.note(step.run, "error", text, step.name)
        if error.get("detail"):
            log.note(step.run, "debug", error["detail"], step.name)


def _again(step: RunStep, error: dict[str, Any]) -> Ended:
    """Back into the queue after a wait; the step keeps its place in the run."""
    wait = BACKOFF_SECONDS[min(step.attempt, len(BACKOFF_SECONDS)) - 1]
    with transaction.atomic():
        mine = RunStep.all_organizations.filter(pk=step.pk, lease_token=step.lease_token)
        if not mine.update(
            status=Status.QUEUED,
            attempt=step.attempt + 1,
            not_before=timezone.now() + timedelta(seconds=wait),
            lease_token=None,
            lease_expires_at=None,
            waiting_for=f"the next attempt, {wait} s after: {error['message']}"[:300],
        ):
            raise LeaseLost
        text = (
            f"Attempt {step.attempt} failed: {error['message']} The next one follows in {wait} s."
        )
        log.note(step.run, "warn", text, step.name)
    return Ended(_waiting(step), again=step.pk, delay=wait)


def _waiting(step: RunStep) -> list[int]:
    """Who is told that a place is free: this organization's, and the oldest of all for this worker's slot."""
    own = claims.waiting_steps(step.organization_id, most=50)
    return sorted({*own, *claims.waiting_steps(most=settings.WORKER_SLOTS * 2)})
