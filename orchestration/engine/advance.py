"""What follows when a step ends: what can start now, what is skipped, and when the run is over."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from common.graphs import downstream_of, reach
from orchestration.engine import log
from orchestration.engine.claims import is_ready
from orchestration.models import (
    FINAL_STATUSES,
    Run,
    RunStep,
    RunStepResult,
    Status,
    StepKind,
)
from orchestration.signals import run_ended

#: Of a dbt node's result: what it feeds cannot be built.
_BROKEN = frozenset({"failed", "skipped"})


@transaction.atomic
def advance(run_id: int) -> list[int]:
    """Settle the run after a change; the ids of steps that can start now.

    Steps of one run that end at the same moment take turns on the run's row, so the last one sees all others ended.
    """
    run = Run.all_organizations.select_for_update().get(pk=run_id)
    if not run.is_active:
        return []
    if run.cancel_requested_at is not None:
        # A step that went back into the queue while the run was being cancelled.
        RunStep.all_organizations.filter(run=run, status=Status.QUEUED).update(
            status=Status.CANCELLED, finished_at=timezone.now(), waiting_for=""
        )
    while True:
        steps = list(RunStep.all_organizations.filter(run=run))
        skipped = [step for step in steps if _skip_if_hopeless(run, step, steps)]
        if not skipped:
            break
    if all(step.status in FINAL_STATUSES for step in steps):
        _finish(run, steps)
        return []
    for step in steps:
        step.run = run
    return [step.pk for step in steps if is_ready(step)]


def broken_nodes(steps: list[RunStep]) -> set[str]:
    """Keys of nodes that ended without what their downstream needs."""
    broken: set[str] = set()
    for step in steps:
        if step.status not in FINAL_STATUSES:
            continue
        # A build that succeeded may have left nodes out whose upstream had failed.
        if step.kind == StepKind.TRANSFORM and step.status in {Status.SUCCEEDED, Status.FAILED}:
            broken |= _broken_transformations(step)
        elif step.status != Status.SUCCEEDED:
            broken |= set(step.nodes)
    return broken


def blocked_nodes(step: RunStep, broken: set[str]) -> set[str]:
    """Keys of this step's nodes that stand downstream of a broken one, through this step too."""
    edges = [(up, key) for key, ups in step.nodes.items() for up in ups]
    return reach(broken, downstream_of(edges)) & set(step.nodes)


def _broken_transformations(step: RunStep) -> set[str]:
    rows = RunStepResult.all_organizations.filter(step=step, kind__in=["model", "test"])
    seen: dict[str, bool] = {}
    for row in rows:
        name = row.details.get("model") if row.kind == "test" else row.name
        seen[name] = seen.get(name, False) or row.status in _BROKEN
    # Without results the child died early: nothing of it can be relied on.
    silent = step.status == Status.FAILED
    return {key for key in step.nodes if seen.get(key.partition(":")[2], silent)}


def _skip_if_hopeless(run: Run, step: RunStep, steps: list[RunStep]) -> bool:
    if step.status != Status.QUEUED:
        return False
    upstream = [other for other in steps if other.position in step.upstream]
    if any(other.status not in FINAL_STATUSES for other in upstream):
        return False
    broken = broken_nodes(upstream)
    if blocked_nodes(step, broken) != set(step.nodes):
        return False
    names = ", ".join(sorted(key.partition(":")[2] for key in broken)[:3])
    RunStep.all_organizations.filter(pk=step.pk).update(
        status=Status.SKIPPED,
        finished_at=timezone.now(),
        waiting_for="",
        error=f"Skipped: {names} did not succeed.",
    )
    log.note(run, "warn", f"{step.name} is skipped: {names} did not succeed.")
    return True


def _finish(run: Run, steps: list[RunStep]) -> None:
    statuses = {step.status for step in steps}
    failed = [step for step in steps if step.status == Status.FAILED]
    if failed:
        run.status = Status.FAILED
        run.error, run.error_remedy = failed[0].error, failed[0].error_remedy
    elif run.cancel_requested_at is not None and Status.CANCELLED in statuses:
        run.status = Status.CANCELLED
    else:
        run.status = Status.SUCCEEDED
    run.has_warnings = any(step.has_warnings for step in steps)
    run.finished_at = timezone.now()
    run.rows_loaded = sum(_rows(step.summary) for step in steps)
    run.save(
        update_fields=[
            "status",
            "error",
            "error_remedy",
            "has_warnings",
            "finished_at",
            "rows_loaded",
        ]
    )
    took = (run.finished_at - (run.started_at or run.requested_at)).total_seconds()
    words = {
        Status.SUCCEEDED: ("ok", "succeeded"),
        Status.FAILED: ("error", "failed"),
        Status.CANCELLED: ("warn", f"was cancelled by {run.cancelled_by}"),
    }
    level, word = words[Status(run.status)]
    log.note(run, level, f"Run #{run.number} {word} after {took:.1f} s.")
    run_ended.send(sender=Run, run=run)


def _rows(summary: dict[str, Any]) -> int:
    return int(summary.get("rows_loaded") or 0)
