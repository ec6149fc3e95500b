"""The tries at the steps of a run: who had them, how each ended, and what the step has used."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from common.ui.formats import format_bytes, format_duration
from orchestration.models import Run, RunStep, RunStepAttempt

#: Rows of the page; the API has them all.
SHOWN = 100
LOST = "lost"


@dataclass(frozen=True)
class AttemptView:
    """One try. ``used`` stands with the last try of a step: memory and processor time are counted by step."""

    step: RunStep
    attempt: RunStepAttempt
    status: str
    word: str
    used: str


def attempts_of(run: Run, steps: Sequence[RunStep]) -> dict[int, list[RunStepAttempt]]:
    """By step id, the first try first."""
    found: dict[int, list[RunStepAttempt]] = defaultdict(list)
    rows = RunStepAttempt.objects.for_organization(run.organization).filter(step__in=steps)
    for row in rows.order_by("step", "number"):
        found[row.step_id].append(row)
    return found


def attempt_views(run: Run, steps: Sequence[RunStep]) -> list[AttemptView]:
    """What is worth a table: steps that were tried more than once, or whose use is known."""
    by_step = attempts_of(run, steps)
    views = [
        AttemptView(
            step=step,
            attempt=attempt,
            status="failed" if attempt.status == LOST else str(attempt.status),
            word=_("Worker lost") if attempt.status == LOST else "",
            used=_used(step) if attempt is by_step[step.pk][-1] else "",
        )
        for step in steps
        for attempt in by_step.get(step.pk, [])
    ]
    telling = any(view.attempt.number > 1 or view.used or view.word for view in views)
    return views[:SHOWN] if telling else []


def _used(step: RunStep) -> str:
    parts = []
    if step.peak_memory_mb is not None:
        parts.append(_("%s of memory") % format_bytes(step.peak_memory_mb * 1_000_000))
    if step.cpu_seconds is not None:
        parts.append(_("%s of processor time") % format_duration(step.cpu_seconds))
    return ", ".join(parts)
