"""Executes one claimed step in a child process, and writes how it ended while the lease is still ours."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from common import scope
from common.children.child import Child
from common.errors import DatanikaError, UserError
from common.signatures import LENGTH
from connections import runner as connections
from connections.models import Connection
from orchestration.engine import claims, clock, log
from orchestration.engine.advance import advance, blocked_nodes, broken_nodes, why_blocked
from orchestration.engine.freshness import check_windows, note_success
from orchestration.engine.limits import Meter
from orchestration.engine.reporter import LeaseLost, Reporter
from orchestration.engine.watch import Verdict, Watch, patiently
from orchestration.explanations import fingerprint_of
from orchestration.models import RunStep, RunStepAttempt, Status, StepKind
from orchestration.options import options_for
from orchestration.replays import kept_builds, kept_load
from pipelines import runner as pipelines
from tenants.selectors import StepLimits, limits_of
from transforms import runner as transforms

logger = logging.getLogger("datanika.runs")

#: Waits before the second and the third attempt.
BACKOFF_SECONDS = (5, 30, 120)


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Ended:
    """How a step ended: the steps that became ready, and the one to ring after ``delay`` seconds."""

    ring: list[int]
    again: int | None = None
    delay: int = 0


def execute(step_id: int) -> Ended:
    """Claim the step and see it through; nothing happens when another worker has it."""
    step = claims.claim(step_id)
    return Ended([]) if step is None else carry_out(step)


def carry_out(step: RunStep, must_stop: Callable[[], bool] = _never) -> Ended:
    """See a claimed step through. ``must_stop`` tells when the worker has to hand it back."""
    with scope.within(step.organization_id):
        return _carry_out(step, must_stop)


def _carry_out(step: RunStep, must_stop: Callable[[], bool]) -> Ended:
    reporter = Reporter(step)
    try:
        verdict = _run(step, reporter, must_stop)
        until = time.monotonic() + settings.LEASE_SECONDS
        return patiently(lambda: _close(step, reporter, verdict), until=until)
    except LeaseLost:
        logger.warning("step %s of run %s: the lease was lost", step.position, step.run.number)
        return Ended([])


def _close(step: RunStep, reporter: Reporter, verdict: Verdict) -> Ended:
    """What the child said last and how it ended, in one transaction."""
    with reporter.nothing_lost(), transaction.atomic():
        if verdict.handed_back or _is_tried_again(step, verdict):
            reporter.flush(force=True)
            return _hand_back(step) if verdict.handed_back else _again(step, verdict.error or {})
        _say_end(step, reporter, verdict)
        reporter.flush(force=True)
        return _finish(step, reporter, verdict)


def _is_tried_again(step: RunStep, verdict: Verdict) -> bool:
    return bool((verdict.error or {}).get("transient")) and step.attempt < step.max_attempts


def _run(step: RunStep, reporter: Reporter, must_stop: Callable[[], bool]) -> Verdict:
    """Everything that can go wrong here ends as a verdict; only a lost lease passes through."""
    try:
        if step.attempt > 1:
            reporter.say("info", _attempt_text(step))
        limits = limits_of(step.organization)
        entry, spec, writable = _order(step, reporter, limits)
        spec["private_dir"] = connections.make_private_dir()
        box = connections.box(spec["private_dir"], writable=writable, spec=spec, limits=limits)
        child = connections.pool().spawn(entry, spec, box)
    except DatanikaError as error:
        return Verdict(Status.FAILED, error.as_event())
    except OSError as error:
        return Verdict(Status.FAILED, _disk_refused(error).as_event())
    directories = [Path(spec["private_dir"]), *writable[1:]]
    try:
        return Watch(step, child, reporter, Meter(child, limits, directories), must_stop).to_end()
    except LeaseLost:
        raise
    except Exception as error:
        logger.exception("step %s of run %s", step.position, step.run.number)
        return Verdict(Status.FAILED, _internal(error).as_event())
    finally:
        child.close()
        _measure(step, child)


def _disk_refused(error: OSError) -> DatanikaError:
    failure = DatanikaError(
        f"The disk of the worker refused it: {error.strerror or error}.",
        remedy="Ask the operator for room on the worker's disk, then run it again.",
    )
    failure.code = "worker_disk"
    return failure


def _internal(error: Exception) -> DatanikaError:
    failure = DatanikaError(
        f"Datanika itself failed while it watched the step ({type(error).__name__}).",
        remedy="Run it again; the worker's log has the details for the operator.",
    )
    failure.code = "internal_error"
    return failure


def _measure(step: RunStep, child: Child) -> None:
    step.peak_memory_mb, step.cpu_seconds = child.peak_memory_mb, child.cpu_seconds


def _attempt_text(step: RunStep) -> str:
    text = f"Attempt {step.attempt} of {step.max_attempts}"
    return f"{text}: resumed after its worker was lost." if step.times_lost else f"{text}."


def _order(
    step: RunStep, reporter: Reporter, limits: StepLimits
) -> tuple[str, dict[str, Any], tuple[Path, ...]]:
    """The entry point, its spec and the directories it may write to; the organization's files come first."""
    check_windows(step)
    files = connections.files_root(step.organization)
    if step.kind == StepKind.PIPELINE:
        pipeline = step.pipeline
        if pipeline is None or pipeline.is_deleted:
            raise UserError("The pipeline has been deleted.", remedy="Restore it from the trash.")
        work = pipelines.work_dir(pipeline)
        work.mkdir(parents=True, exist_ok=True)
        spec = pipelines.build_spec(
            pipeline,
            load_id=_load_id(step),
            options=options_for(step),
            attempt=step.attempt,
            kept=kept_load(step),
        )
        spec["limits"]["memory_mb"] = limits.memory_mb // 4
        reporter.connections = _used(pipeline.source, pipeline.destination)
        return pipelines.ENTRY, spec, (files, work)
    warehouse = step.connection
    if warehouse is None or warehouse.is_deleted:
        raise UserError("The warehouse connection has been deleted.", remedy="Restore it.")
    names = _buildable(step, reporter)
    spec = transforms.build_spec(
        warehouse, names, full_refresh=step.run.full_refresh, kept=kept_builds(step)
    )
    spec |= {"load_id": _load_id(step), "attempt": step.attempt}
    reporter.connections = _used(warehouse)
    return transforms.ENTRY, spec, (files, transforms.cache_dir(warehouse))


def _used(*found: Connection) -> dict[str, Any]:
    return {connection.slug: connection.as_used() for connection in found}


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
        why = why_blocked(step, key, broken | blocked)
        reporter.take(
            {
                "event": "result",
                "kind": "model",
                "name": name,
                "status": "skipped",
                "message": f"{why[0].upper()}{why[1:]}.",
            }
        )
    return [key.partition(":")[2] for key in step.nodes if key not in blocked]


def _finish(step: RunStep, reporter: Reporter, verdict: Verdict) -> Ended:
    """The end of the step and what follows from it; raises ``LeaseLost`` when it is another's by now."""
    error = verdict.error or {}
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
        error_signature=error.get("signature", "")[:LENGTH],
        fingerprint=fingerprint_of(error),
        peak_memory_mb=step.peak_memory_mb,
        cpu_seconds=step.cpu_seconds,
    )
    if not written:
        raise LeaseLost
    _end_attempt(step, verdict.status, error)
    step.status = verdict.status
    note_success(step)
    return Ended(advance(step.run_id, step))


def _end_attempt(step: RunStep, status: str, error: dict[str, Any]) -> None:
    rows = RunStepAttempt.all_organizations.filter(step=step, number=step.attempt)
    rows.update(
        status=status,
        finished_at=timezone.now(),
        error=error.get("message", ""),
        error_code=error.get("code", ""),
    )


def _hand_back(step: RunStep) -> Ended:
    """Into the queue again, for another worker: this one ends. It counts as no attempt."""
    with transaction.atomic():
        mine = RunStep.all_organizations.filter(pk=step.pk, lease_token=step.lease_token)
        if not mine.update(
            status=Status.QUEUED,
            attempt=step.attempt + 1,
            max_attempts=step.max_attempts + 1,
            lease_token=None,
            lease_expires_at=None,
            progress={},
        ):
            raise LeaseLost
        _end_attempt(step, "returned", {})
        text = f"The worker {step.worker} is being stopped; another one goes on with the step."
        log.note(step.run, "warn", text, step.name)
    return Ended([step.pk])


def _say_end(step: RunStep, reporter: Reporter, verdict: Verdict) -> None:
    took = (timezone.now() - (step.started_at or timezone.now())).total_seconds()
    if verdict.status == Status.SUCCEEDED:
        reporter.say("ok", f"{step.name} succeeded in {took:.1f} s.")
    elif verdict.status == Status.CANCELLED:
        reporter.say("warn", f"{step.name} was stopped.")
    else:
        error = verdict.error or {}
        text = " ".join(filter(None, [error.get("message", "Failed."), error.get("remedy", "")]))
        reporter.say("error", text)
        if error.get("detail"):
            reporter.say("debug", error["detail"])


def _again(step: RunStep, error: dict[str, Any]) -> Ended:
    """Back into the queue after a wait; the step keeps its place in the run."""
    wait = BACKOFF_SECONDS[min(step.attempt, len(BACKOFF_SECONDS)) - 1]
    with transaction.atomic():
        mine = RunStep.all_organizations.filter(pk=step.pk, lease_token=step.lease_token)
        if not mine.update(
            status=Status.QUEUED,
            attempt=step.attempt + 1,
            not_before=clock.now() + timedelta(seconds=wait),
            lease_token=None,
            lease_expires_at=None,
            waiting_for=f"the next attempt, {wait} s after: {error['message']}"[:300],
        ):
            raise LeaseLost
        _end_attempt(step, Status.FAILED, error)
        text = (
            f"Attempt {step.attempt} failed: {error['message']} The next one follows in {wait} s."
        )
        log.note(step.run, "warn", text, step.name)
    return Ended([], again=step.pk, delay=wait)
