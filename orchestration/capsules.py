"""A run's whole capsule: what it was asked to do, and what its steps used and found when they were executed.

The first part is written with the run, the second by each step at its end; here they are put together.
"""

from collections.abc import Iterable
from typing import Any

from orchestration.models import Run, RunStep, RunStepResult, StepKind

#: Of a summary → of a capsule, by what the step wrote to.
_HASHES = {"schema_hash": "dlt_schemas", "manifest_hash": "dbt_projects"}


def capsule_of(run: Run) -> dict[str, Any]:
    """The run's capsule with what its steps added: connections as they were used, and the hashes of dlt and dbt.

    ``connections`` has settings, and of secrets fingerprints only. ``dlt_schemas`` has a hash for each pipeline,
    ``dbt_projects`` one for each warehouse. A capsule that retention emptied stays empty.
    """
    if "nodes" not in run.capsule:
        return dict(run.capsule)
    found = dict(run.capsule)
    connections = dict(found.get("connections") or {})
    for name, summary in _summaries(run):
        connections |= summary.get("connections") or {}
        for kept, part in _HASHES.items():
            if value := summary.get(kept):
                found[part] = {**found.get(part, {}), name: value}
    return found | ({"connections": connections} if connections else {})


def with_cursors(run: Run, capsule: dict[str, Any]) -> dict[str, Any]:
    """The capsule with where each cursor stood before and after: of tables that have one."""
    if "nodes" not in capsule:
        return capsule
    rows = RunStepResult.objects.for_organization(run.organization).filter(
        step__run=run, kind="table"
    )
    cursors = {
        f"{slug}.{name}": {key: cursor.get(key) for key in ("column", "before", "after")}
        for slug, name, details in rows.order_by("pk").values_list(
            "step__pipeline__slug", "name", "details"
        )
        if (cursor := details.get("cursor"))
    }
    return capsule | ({"cursors": cursors} if cursors else {})


def _summaries(run: Run) -> Iterable[tuple[str, dict[str, Any]]]:
    """Of each step, in order: the pipeline or the warehouse, and what it summed up."""
    rows = RunStep.objects.for_organization(run.organization).filter(run=run)
    fields = ("kind", "nodes", "connection__slug", "summary")
    for kind, nodes, warehouse, summary in rows.order_by("position").values_list(*fields):
        if kind == StepKind.PIPELINE:
            yield next(iter(nodes), "").partition(":")[2], summary
        else:
            yield warehouse or "", summary
