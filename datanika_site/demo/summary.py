"""The table at the end of the demo: step, rows, time."""

from collections.abc import Iterator
from datetime import timedelta

from orchestration.models import Run, RunStep, RunStepResult

_WORDS = {
    "succeeded": "ok",
    "warned": "warned",
    "failed": "FAILED",
    "skipped": "skipped",
    "cancelled": "cancelled",
}


def summary_lines(run: Run) -> Iterator[str]:
    """Text lines: every step with its tables, models and tests."""
    yield ""
    yield f"{'step':44} {'status':10} {'rows':>10} {'time':>9}"
    yield "-" * 76
    steps = RunStep.objects.for_organization(run.organization).filter(run=run)
    for step in steps:
        yield _line(step.name, step.status, None, _seconds(step.took))
        rows = RunStepResult.objects.for_organization(run.organization).filter(step=step)
        for result in rows:
            yield _line(
                f"  {_label(result)}", result.status, result.rows_loaded, _seconds(result.took)
            )
    yield "-" * 76
    yield _line(f"run #{run.number}", run.status, run.rows_loaded, _seconds(run.took))


def _seconds(took: timedelta | None) -> float | None:
    return took.total_seconds() if took else None


def _label(result: RunStepResult) -> str:
    if result.kind == "table":
        return f"table {result.target or result.name}"
    failures = result.details.get("failures")
    counted = f" ({failures:,} rows)" if failures else ""
    return f"{result.kind} {result.name}{counted}"


def _line(name: str, status: str, rows: int | None, seconds: float | None) -> str:
    shown = f"{rows:,}" if rows is not None else ""
    took = f"{seconds:.1f} s" if seconds is not None else ""
    return f"{name[:44]:44} {_WORDS.get(status, status):10} {shown:>10} {took:>9}"
