"""Keeps how each pipeline stands, when a run ends: pages then ask one row instead of all runs."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from orchestration.explanations import Place, explain
from orchestration.models import Run, RunStep, RunStepResult, Standing, Status, Tone

_WRITTEN = (
    "status",
    "tone",
    "run_number",
    "ended_at",
    "succeeded_at",
    "failures",
    "error",
    "error_code",
    "error_end",
    "rejected_rows",
    "rejected_table",
    "rejected_reason",
)


def keep(*, run: Run, **_: Any) -> None:
    """Receiver of ``run_ended``: in the transaction that ended the run, in four queries."""
    rows = RunStep.objects.for_organization(run.organization).filter(
        run=run, pipeline__isnull=False, started_at__isnull=False, finished_at__isnull=False
    )
    # What was skipped or cancelled says nothing about itself: it stands as it stood.
    rows = rows.exclude(status__in=[Status.SKIPPED, Status.CANCELLED])
    # In the order of their keys: two runs that end at once must not wait for each other.
    steps = sorted(rows, key=lambda step: step.pipeline_id or 0)
    if not steps:
        return
    known = Standing.objects.for_organization(run.organization)
    before = {row.pipeline_id: row for row in known.filter(pipeline__in=_ids(steps))}
    # Of a run that is looked at late, what others have overtaken says nothing any more.
    steps = [step for step in steps if not _is_overtaken(step, before.get(step.pipeline_id or 0))]
    rejected = _rejected(run, steps)
    Standing.all_organizations.bulk_create(
        [_standing(run, step, before.get(step.pipeline_id or 0), rejected) for step in steps],
        update_conflicts=True,
        unique_fields=["pipeline"],
        update_fields=_WRITTEN,
        batch_size=500,
    )


def _is_overtaken(step: RunStep, before: Standing | None) -> bool:
    if before is None or step.finished_at is None:
        return False
    return before.ended_at > step.finished_at


def _ids(steps: Iterable[RunStep]) -> list[int]:
    return [step.pipeline_id for step in steps if step.pipeline_id is not None]


def _rejected(run: Run, steps: Iterable[RunStep]) -> dict[int, list[RunStepResult]]:
    rows = RunStepResult.objects.for_organization(run.organization).filter(
        step__in=[step.pk for step in steps if step.status == Status.SUCCEEDED],
        rows_rejected__gt=0,
    )
    found: dict[int, list[RunStepResult]] = defaultdict(list)
    for row in rows.order_by("pk"):
        found[row.step_id].append(row)
    return found


def _standing(
    run: Run,
    step: RunStep,
    before: Standing | None,
    rejected: dict[int, list[RunStepResult]],
) -> Standing:
    failed, succeeded = step.status == Status.FAILED, step.status == Status.SUCCEEDED
    refused = rejected.get(step.pk, [])
    tone = Tone.BAD if failed else Tone.WARN if step.has_warnings or refused else Tone.GOOD
    assert step.finished_at is not None
    assert step.pipeline_id is not None
    succeeded_before = before.succeeded_at if before else None
    return Standing(
        organization_id=run.organization_id,
        pipeline_id=step.pipeline_id,
        status=step.status,
        tone=tone,
        run_number=run.number,
        ended_at=step.finished_at,
        succeeded_at=step.finished_at if succeeded else succeeded_before,
        failures=(before.failures if before else 0) + 1 if failed else 0,
        error=step.error,
        error_code=step.error_code,
        error_end=_end_to_mend(step) if failed else "",
        rejected_rows=sum(row.rows_rejected or 0 for row in refused),
        # One table's rows, or all of them where several have some.
        rejected_table=refused[0].target if len(refused) == 1 else "",
        rejected_reason=_reason(refused[0]) if refused else "",
    )


def _end_to_mend(step: RunStep) -> str:
    found = explain(step.error_code, step.error_signature, step.kind)
    is_mended_there = found is not None and Place.CONNECTION in found.places
    return str(step.summary.get("end", "")) if is_mended_there else ""


def _reason(row: RunStepResult) -> str:
    """Why rows of a table were refused: the reason of the first column that had some."""
    refusals = row.details.get("rejects") or []
    if not refusals:
        return row.name
    first = refusals[0]
    return f"{row.name}.{first.get('column') or '?'} {first.get('reason') or ''}".strip()
