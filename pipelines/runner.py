"""The door to the engine: a pipeline becomes a spec, and what the child reports becomes rows."""

from pathlib import Path
from typing import Any

from django.conf import settings

from connections import services as connections
from connections.runner import policy
from pipelines.models import Mode, Pipeline
from pipelines.services import resources_of

ENTRY = "pipelines.engine.main:load"


def work_dir(pipeline: Pipeline) -> Path:
    """Where dlt keeps its packages between attempts; disposable between runs."""
    root = Path(settings.DATA_DIR) / "work" / str(pipeline.organization_id)
    return root / f"pipeline-{pipeline.pk}"


def build_spec(
    pipeline: Pipeline, *, full_refresh: bool = False, attempt: int = 1
) -> dict[str, Any]:
    """Everything the child needs, secrets included (docs/architecture.md, Entry points)."""
    resources = [
        resource.as_spec(pipeline.source_schema) | {"selected": resource.is_selected}
        for resource in resources_of(pipeline)
        if resource.is_selected or pipeline.mode == Mode.FULL_DATABASE
    ]
    return {
        **policy(pipeline.organization),
        "source": pipeline.source.as_endpoint(),
        "destination": pipeline.destination.as_endpoint(),
        "dataset": pipeline.dataset,
        "pipeline": {"id": pipeline.pk, "slug": pipeline.slug, "name": pipeline.name},
        "mode": pipeline.mode,
        "source_schema": pipeline.source_schema,
        "resources": resources,
        "defaults": {"write_disposition": pipeline.write_disposition},
        "full_refresh": full_refresh,
        "work_dir": str(work_dir(pipeline)),
        "attempt": attempt,
        "limits": {"memory_mb": settings.STEP_MEMORY_MB // 4, "threads": 2},
    }


def record_result(pipeline: Pipeline, result: dict[str, Any]) -> None:
    """Keep what one table's ``result`` says about the warehouse and the cursor."""
    if result.get("status") != "succeeded":
        return
    connections.record_loaded_table(
        connection=pipeline.destination,
        schema=pipeline.dataset,
        name=result["target"],
        loaded_by=pipeline.slug,
        columns=result.get("columns") or [],
    )
    cursor = result.get("cursor")
    if cursor and cursor.get("after") is not None:
        pipeline.cursors[result["name"]] = {"column": cursor["column"], "value": cursor["after"]}
        Pipeline.all_organizations.filter(pk=pipeline.pk).update(cursors=pipeline.cursors)
