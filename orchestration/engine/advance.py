"""What follows when a step ends: what can start now, what is skipped, and when the run is over."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestration.engine import log, rules
from orchestration.engine.aftermath import follow
from orchestration.models import (
    ACTIVE_STATUSES,
    FINAL_STATUSES,
    Run,
    RunStep,
    RunStepResult,
    Status,
    StepKind,
)

#: Of a dbt node's result: what it feeds cannot be built.
_BROKEN = frozenset({"failed", "skipped"})


def advance(run_id: int, ended: RunStep | None = None) -> list[int]:
    """Settle the run after a change, and the runs that come after it; the ids of steps that can start now.

    ``ended`` is the step whose end is the change: only what stands behind it is looked at. Without it everything
    queued is. Steps of one run that end at the same moment take turns on the run's row, so the last one sees all
    others ended.
    """
    with transaction.atomic(savepoint=False):
        run = Run.all_organizations.select_for_update().get(pk=run_id)
        if not run.is_active:
            return []
        if run.cancel_requested_at is not None:
            # A step that went back into the queue while the run was being cancelled.
            cancel_queued(run)
        elif not _may_begin(run):
            return []
        ready = _settle(run, None if ended is None else set(ended.downstream))
        steps = RunStep.all_organizations.filter(run=run)
        if steps.filter(status__in=ACTIVE_STATUSES).exists():
            return ready
        _finish(run, list(steps.order_by("position")))
        for other_id in _runs_after(run):
            ready += advance(other_id)
        return ready


def cancel_queued(run: Run) -> None:
    """End the steps of a run that is being cancelled and that nobody executes."""
    RunStep.all_organizations.filter(run=run, status=Status.QUEUED).update(
        status=Status.CANCELLED, finished_at=timezone.now(), waiting_for="", is_ready=False
    )


def _may_begin(run: Run) -> bool:
    return run.after is None or run.after.status in FINAL_STATUSES


def _runs_after(run: Run) -> list[int]:
    rows = Run.all_organizations.filter(after=run, status__in=ACTIVE_STATUSES)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _settle(run: Run, positions: set[int] | None) -> list[int]:
    """Make ready or skip the queued steps at these positions (None: all), and what follows from a skip."""
    ready: list[int] = []
    while positions is None or positions:
        rows = RunStep.all_organizations.filter(run=run, status=Status.QUEUED, is_ready=False)
        waiting = list(rows if positions is None else rows.filter(position__in=positions))
        wanted = {position for step in waiting for position in step.upstream}
        found = RunStep.all_organizations.filter(run=run, position__in=wanted)
        by_position = {step.position: step for step in found}
        positions = set()
        for step in waiting:
            upstream = [by_position[position] for position in step.upstream]
            if any(other.status not in FINAL_STATUSES for other in upstream):
                continue
            if _skip_if_hopeless(run, step, upstream):
                positions.update(step.downstream)
            else:
                ready.append(step.pk)
    RunStep.all_organizations.filter(pk__in=ready, status=Status.QUEUED).update(is_ready=True)
    return ready


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
    """Keys of this step's nodes that do not run, now that what they wait for has ended."""
    return rules.blocked(step.nodes, rules_of(step), broken)


def rules_of(step: RunStep) -> dict[str, rules.Rule]:
    """The rules of its nodes, as they were when the run was requested."""
    return {key: rules.Conditions.of(kept).rule for key, kept in step.conditions.items()}


def why_blocked(step: RunStep, key: str, broken: set[str]) -> str:
    """Why one of its blocked nodes does not run, in words."""
    bad = {up.partition(":")[2] for up in step.nodes[key] if up in broken}
    return rules.why_not(rules_of(step).get(key, rules.Rule.ALL_SUCCEEDED), bad)


def _broken_transformations(step: RunStep) -> set[str]:
    rows = RunStepResult.all_organizations.filter(step=step, kind__in=["model", "test"])
    seen: dict[str, bool] = {}
    for row in rows:
        name = row.details.get("model") if row.kind == "test" else row.name
        seen[name] = seen.get(name, False) or row.status in _BROKEN
    # Without results the child died early: nothing of it can be relied on.
    silent = step.status == Status.FAILED
    return {key for key in step.nodes if seen.get(key.partition(":")[2], silent)}


def _skip_if_hopeless(run: Run, step: RunStep, upstream: list[RunStep]) -> bool:
    broken = broken_nodes(upstream)
    blocked = blocked_nodes(step, broken)
    if blocked != set(step.nodes):
        return False
    # Of several, the first that waits for something outside of the step tells it.
    first = min(key for key in blocked if broken & set(step.nodes[key]))
    why = why_blocked(step, first, broken)
    RunStep.all_organizations.filter(pk=step.pk).update(
        status=Status.SKIPPED,
        finished_at=timezone.now(),
        waiting_for="",
        error=f"Skipped: {why}.",
    )
    log.note(run, "warn", f"{step.name} is skipped: {why}.")
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
    follow(run)


def _rows(summary: dict[str, Any]) -> int:
    return int(summary.get("rows_loaded") or 0)
