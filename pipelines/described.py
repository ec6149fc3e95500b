"""Pipelines as they would be described: parsing the JSON or YAML of one gives the same again."""

from collections.abc import Iterable
from typing import Any

from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import (
    MergeStrategy,
    Mode,
    Pipeline,
    PipelineResource,
    RowOrder,
    Verify,
    WriteDisposition,
)


def definition_of(
    pipeline: Pipeline, resources: list[PipelineResource] | None = None
) -> PipelineDefinition:
    """The definition; ``resources`` are its rows where the caller has them already."""
    rows = resources_of(pipeline) if resources is None else resources
    return PipelineDefinition(
        name=pipeline.name,
        dataset=pipeline.dataset,
        mode=Mode(pipeline.mode),
        description=pipeline.description,
        tags=tuple(pipeline.tags),
        source_schema=pipeline.source_schema,
        include=tuple(pipeline.include),
        exclude=tuple(pipeline.exclude),
        write_disposition=WriteDisposition(pipeline.write_disposition),
        merge_strategy=MergeStrategy(pipeline.merge_strategy),
        schema_contract=pipeline.schema_contract,
        verify=Verify(pipeline.verify),
        resources=tuple(_resource(row) for row in rows),
    )


def resources_of(pipeline: Pipeline) -> list[PipelineResource]:
    rows = PipelineResource.objects.for_organization(pipeline.organization)
    return list(rows.filter(pipeline=pipeline))


def snapshot(pipeline: Pipeline) -> dict[str, Any]:
    """The pipeline as plain data: for the audit log, the run capsule and the page."""
    return snapshots([pipeline])[pipeline.pk]


def snapshots(pipelines: Iterable[Pipeline]) -> dict[int, dict[str, Any]]:
    """By id, of pipelines of one organization, in one query."""
    found = {one.pk: one for one in pipelines}
    rows: dict[int, list[PipelineResource]] = {pk: [] for pk in found}
    if found:
        organization = next(iter(found.values())).organization
        of_all = PipelineResource.objects.for_organization(organization)
        for row in of_all.filter(pipeline__in=found):
            rows[row.pipeline_id].append(row)
    return {
        pk: {
            **definition_of(one, rows[pk]).as_dict(),
            "source": one.source.slug,
            "destination": one.destination.slug,
        }
        for pk, one in found.items()
    }


def _resource(row: PipelineResource) -> ResourceDefinition:
    return ResourceDefinition(
        name=row.name,
        target=row.target,
        query=row.query,
        is_selected=row.is_selected,
        write_disposition=WriteDisposition(row.write_disposition) if row.write_disposition else "",
        merge_strategy=MergeStrategy(row.merge_strategy) if row.merge_strategy else "",
        primary_key=tuple(row.primary_key),
        cursor_column=row.cursor_column,
        cursor_initial=row.cursor_initial,
        cursor_lookback=row.cursor_lookback,
        row_order=RowOrder(row.row_order) if row.row_order else "",
        columns=tuple(row.columns),
        column_settings=row.column_settings,
        filters=tuple(row.filters),
        schema_contract=row.schema_contract,
        verify=Verify(row.verify) if row.verify else "",
    )
