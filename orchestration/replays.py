"""A run again as it was: what its capsule kept is executed, in place of what people have made of it since."""

from collections.abc import Mapping
from typing import Any

from common.errors import UserError
from orchestration.graph import graph_of
from orchestration.models import Run, RunStep

_ENDS = frozenset({"source", "destination"})


def kept_nodes(run: Run) -> dict[str, Any]:
    """What the run's steps executed, by key; ``UserError`` when that is not kept or not there any more."""
    steps = RunStep.objects.for_organization(run.organization).filter(run=run)
    keys = {key for nodes in steps.values_list("nodes", flat=True) for key in nodes}
    kept = run.capsule.get("nodes") or {}
    if not keys <= kept.keys():
        raise UserError(
            f"What run #{run.number} executed is no longer kept.",
            remedy="Run it again with today's configuration.",
        )
    if gone := sorted(keys - graph_of(run.organization).nodes.keys()):
        names = ", ".join(key.partition(":")[2] for key in gone[:3])
        raise UserError(
            f"{names} is not there any more."
            if len(gone) == 1
            else f"{names} are not there any more.",
            remedy="Restore it from the trash, or run it again with today's configuration.",
        )
    return {key: kept[key] for key in keys}


def kept_load(step: RunStep) -> Mapping[str, Any] | None:
    """The definition that a step loads when its run repeats another as it was; None when it is today's.

    What a pipeline loads from and to cannot be changed, so those are today's in any case.
    """
    for data in _kept(step).values():
        return {key: value for key, value in data.items() if key not in _ENDS}
    return None


def kept_builds(step: RunStep) -> dict[str, Mapping[str, Any]]:
    """The transformations of a step by name, as they were; empty when they are today's."""
    return {key.partition(":")[2]: data for key, data in _kept(step).items()}


def _kept(step: RunStep) -> dict[str, Any]:
    if not step.run.as_it_was:
        return {}
    return {key: step.run.capsule["nodes"][key] for key in step.nodes}
