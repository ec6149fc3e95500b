"""What a run came to, node by node: what failed and why, and what succeeded."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestration.models import Run, RunStep, RunStepResult, Status, StepKind


@dataclass(frozen=True)
class Failure:
    """One node that failed; ``key`` is ``pipeline:<slug>`` or ``transformation:<name>``."""

    key: str
    name: str
    error: str
    remedy: str


@dataclass
class Outcomes:
    failed: dict[str, Failure] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)


def outcomes_of(run: Run) -> Outcomes:
    """Of an ended run. Skipped and cancelled nodes are in neither part: they say nothing about themselves."""
    rows = RunStep.objects.for_organization(run.organization).filter(run=run)
    steps = list(
        rows.filter(status__in=[Status.FAILED, Status.SUCCEEDED])
        .select_related("pipeline")
        .order_by("position")
    )
    found = Outcomes()
    for step in steps:
        if step.kind == StepKind.PIPELINE:
            _take_pipeline(found, step)
    transforms = {step.pk: step for step in steps if step.kind == StepKind.TRANSFORM}
    if transforms:
        results = RunStepResult.objects.for_organization(run.organization)
        wanted = results.filter(step__in=transforms).exclude(kind="table").order_by("pk")
        by_step: dict[int, list[RunStepResult]] = {}
        for result in wanted.defer("started_at", "finished_at"):
            by_step.setdefault(result.step_id, []).append(result)
        for pk, step in transforms.items():
            _take_build(found, step, by_step.get(pk, []))
    found.succeeded -= set(found.failed)
    return found


def _take_pipeline(found: Outcomes, step: RunStep) -> None:
    key = f"pipeline:{step.pipeline.slug}" if step.pipeline else next(iter(step.nodes), "")
    if step.status == Status.SUCCEEDED:
        found.succeeded.add(key)
        return
    name = step.pipeline.name if step.pipeline else step.name
    found.failed[key] = Failure(key, name, step.error, step.error_remedy)


def _take_build(found: Outcomes, step: RunStep, results: Iterable[RunStepResult]) -> None:
    """A build's models and their tests; one that died before it said anything failed in all of its nodes."""
    failed: dict[str, str] = {}
    good: set[str] = set()
    for result in results:
        name = str(result.details.get("model", "")) if result.kind == "test" else result.name
        if result.status == "failed" and name:
            words = result.message or step.error
            failed.setdefault(name, f"{result.name}: {words}" if result.kind == "test" else words)
        elif result.kind != "test" and result.status == "succeeded":
            good.add(name)
    if step.status == Status.FAILED and not failed:
        failed = {key.partition(":")[2]: step.error for key in step.nodes} or {
            step.name: step.error
        }
        good.clear()
    for name, error in failed.items():
        key = f"transformation:{name}"
        found.failed[key] = Failure(key, name, error, step.error_remedy)
    found.succeeded |= {f"transformation:{name}" for name in good}
