"""The door to the engine: a pipeline becomes a spec, and what the child reports becomes rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from common.crypto import derived_key
from connections import services as connections
from connections.runner import call, policy
from pipelines.definition import PipelineDefinition, ResourceDefinition, canonical_lookback
from pipelines.described import definition_of
from pipelines.models import Mode, Pipeline
from pipelines.options import USUAL, InvalidLoadOptions, LoadOptions, check_options

__all__ = [
    "ENTRY",
    "USUAL",
    "InvalidLoadOptions",
    "LoadOptions",
    "build_spec",
    "check_options",
    "discard_rejects",
    "estimate",
    "list_rejects",
    "read_state",
    "record_result",
    "work_dir",
]

MODULE = "pipelines.engine.main"
ENTRY = f"{MODULE}:load"


def work_dir(pipeline: Pipeline) -> Path:
    """Where a load may keep files between its attempts; disposable between runs."""
    root = Path(settings.DATA_DIR) / "work" / str(pipeline.organization_id)
    return root / f"pipeline-{pipeline.pk}"


def build_spec(
    pipeline: Pipeline,
    *,
    load_id: str,
    options: LoadOptions = USUAL,
    attempt: int = 1,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything the child needs, secrets included (docs/architecture.md, Entry points).

    ``load_id`` is unique to the run's step, and the same for its retries. ``kept`` is a definition of an earlier
    time (``PipelineDefinition.as_dict``) in place of today's.
    """
    definition = definition_of(pipeline)
    if kept is not None:
        definition = PipelineDefinition.parse(dict(kept))
    return {
        **policy(pipeline.organization),
        "source": pipeline.source.as_endpoint(),
        "destination": pipeline.destination.as_endpoint(),
        "dataset": pipeline.dataset,
        "pipeline": {"id": pipeline.pk, "slug": pipeline.slug, "name": pipeline.name},
        "load_id": load_id,
        "mode": str(definition.mode),
        "source_schema": definition.source_schema,
        "include": list(definition.include),
        "exclude": list(definition.exclude),
        "defaults": {
            "write_disposition": str(definition.write_disposition),
            "merge_strategy": str(definition.merge_strategy),
            "schema_contract": definition.schema_contract,
            "verify": str(definition.verify),
        },
        "resources": [
            _resource_spec(definition, resource)
            for resource in definition.resources
            if resource.is_selected or definition.mode is Mode.FULL_DATABASE
        ],
        "options": options.as_json(),
        "cursors": _cursors(pipeline, definition),
        # Masked in every event like a secret (common.redaction).
        "hash_key": derived_key("column hashing", str(pipeline.organization_id)),
        "work_dir": str(work_dir(pipeline)),
        "attempt": attempt,
        "limits": {"memory_mb": settings.STEP_MEMORY_MB // 4, "threads": 2},
    }


def _resource_spec(definition: PipelineDefinition, resource: ResourceDefinition) -> dict[str, Any]:
    """With the pipeline's settings where the resource has none, so that the engine finds them in one place."""
    filled = definition.filled(resource).as_dict()
    cursor = {
        "column": resource.cursor_column,
        "initial": resource.cursor_initial or None,
        "lookback": canonical_lookback(resource.cursor_lookback),
        "row_order": filled["row_order"],
    }
    return {
        "schema": "" if definition.mode is Mode.QUERY else definition.source_schema,
        "name": resource.name,
        "target": resource.target,
        "query": resource.query,
        "selected": resource.is_selected,
        "write_disposition": filled["write_disposition"],
        "merge_strategy": filled["merge_strategy"],
        "primary_key": filled["primary_key"],
        "cursor": cursor if resource.cursor_column else None,
        "columns": filled["columns"] or None,
        "column_settings": filled["column_settings"],
        "filters": filled["filters"],
        "schema_contract": filled["schema_contract"],
        "verify": filled["verify"],
    }


def _cursors(pipeline: Pipeline, definition: PipelineDefinition) -> dict[str, Any]:
    """What people set: of the cursors that exist today, those that were ever set by hand."""
    columns = {one.name: one.cursor_column for one in definition.resources if one.cursor_column}
    return {
        name: {"column": entry["column"], "value": entry.get("value"), "edit": entry["edit"]}
        for name, entry in pipeline.cursors.items()
        if entry.get("edit") and entry.get("column") == columns.get(name)
    }


@transaction.atomic(savepoint=False)
def record_result(pipeline: Pipeline, result: dict[str, Any]) -> None:
    """Keep what one table's ``result`` says about the warehouse and the cursor."""
    if result.get("status") != "succeeded":
        return
    # Locked before the table's row, in the order in which a change of the pipeline takes them.
    row = Pipeline.all_organizations.select_for_update().get(pk=pipeline.pk)
    connections.record_loaded_table(
        connection=pipeline.destination,
        schema=pipeline.dataset,
        name=result["target"],
        loaded_by=pipeline.slug,
        columns=result.get("columns") or [],
    )
    cursor = result.get("cursor")
    if cursor and cursor.get("after") is not None:
        _record_cursor(row, result["name"], cursor)
    pipeline.cursors = row.cursors


def _record_cursor(row: Pipeline, label: str, cursor: dict[str, Any]) -> None:
    """``row`` is as of now: while the run went on, somebody may have set this cursor or another."""
    name = label.removeprefix(f"{row.source_schema}.") if row.source_schema else label
    edit = int(cursor.get("edit") or 0)
    if row.cursors.get(name, {}).get("edit", 0) > edit:
        return  # Set by hand since the run began: the next run begins there, not here.
    entry = {"column": cursor["column"], "value": cursor["after"], "edit": edit}
    row.cursors[name] = entry
    row.save(update_fields=["cursors"])


def read_state(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """The cursors that the destination's ledger has, by resource: ``column``, ``value``, ``committed_at``, ``edit``."""
    state: dict[str, dict[str, Any]] = _ask(pipeline, "state")["resources"]
    return state


def estimate(pipeline: Pipeline, options: LoadOptions = USUAL) -> list[dict[str, Any]]:
    """How much a run with these options would touch, one mapping a resource (docs/architecture.md)."""
    check_options(pipeline, options)
    resources: list[dict[str, Any]] = _ask(pipeline, "estimate", options)["resources"]
    return resources


def list_rejects(
    pipeline: Pipeline, *, table: str = "", after: str = "", limit: int = 50
) -> dict[str, Any]:
    """A page of the rows that were refused: ``rows``, ``next`` (or None) and ``tables`` with their counts."""
    return _ask(pipeline, "rejects", table=table, after=after, limit=limit)


def discard_rejects(pipeline: Pipeline, ids: list[str]) -> int:
    """Delete refused rows; how many there were. ``pipelines.services.discard_rejects`` is for people."""
    return int(_ask(pipeline, "discard_rejects", ids=ids)["discarded"])


def _ask(
    pipeline: Pipeline, operation: str, options: LoadOptions = USUAL, **more: Any
) -> dict[str, Any]:
    spec = build_spec(pipeline, load_id="", options=options) | more
    work = work_dir(pipeline)
    work.mkdir(parents=True, exist_ok=True)
    events = call(pipeline.organization, f"{MODULE}:{operation}", spec, writable=(work,))
    value: dict[str, Any] = next(e["value"] for e in events if e["event"] == "data")
    return value
