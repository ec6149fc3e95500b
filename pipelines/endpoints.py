"""Whether a source and a destination can take a definition."""

from typing import Any

from connections.models import Connection
from pipelines.definition import PipelineDefinition
from pipelines.errors import InvalidPipeline
from pipelines.models import Mode, Pipeline


def check_endpoints(
    source: Connection,
    destination: Connection,
    definition: PipelineDefinition,
    pipeline: Pipeline | None = None,
) -> None:
    """``InvalidPipeline`` when these ends cannot take the definition; ``pipeline`` is not its own rival."""
    if not (source.is_source and source.type.capabilities.source):
        raise InvalidPipeline(
            f"“{source}” cannot be a source.",
            field="source",
            remedy="Choose another connection, or allow it to be one.",
        )
    if not (destination.is_destination and destination.type.capabilities.destination):
        raise InvalidPipeline(
            f"“{destination}” cannot be a destination.",
            field="destination",
            remedy="Choose another connection, or allow it to be one.",
        )
    modes = modes_of(source)
    if definition.mode not in modes:
        raise InvalidPipeline(
            f"The mode {definition.mode} does not fit “{source}”.",
            field="mode",
            remedy=f"Use {' or '.join(modes)}.",
        )
    _check_dispositions(destination, definition)
    rows = Pipeline.objects.for_organization(destination.organization)
    rows = rows.filter(destination=destination, dataset=definition.dataset)
    other = rows.exclude(pk=pipeline.pk).first() if pipeline else rows.first()
    if other:
        raise InvalidPipeline(
            f"“{other}” loads into the schema {definition.dataset!r} already.",
            field="dataset",
            remedy="Choose another schema; two pipelines would overwrite each other's tables.",
        )


def modes_of(source: Connection) -> tuple[Mode, ...]:
    """What can be loaded from a source of this type."""
    able = source.type.capabilities
    if able.files:
        return (Mode.FILES,)
    tables = (Mode.SINGLE_TABLE, Mode.FULL_DATABASE)
    return (*tables, Mode.QUERY) if able.query else tables


def check_ends(pipeline: Pipeline, ends: dict[str, Any]) -> None:
    """``InvalidPipeline`` when ``source`` or ``destination`` are others than the pipeline's."""
    for name, connection in (("source", pipeline.source), ("destination", pipeline.destination)):
        if ends.get(name, connection.slug) != connection.slug:
            raise InvalidPipeline(
                f"The {name} of a pipeline cannot change; it is {connection.slug!r}.",
                field=name,
                remedy="Duplicate the pipeline to load from or into another connection.",
            )


def what_is_read(definition: PipelineDefinition) -> dict[str, Any]:
    """What it takes of its source: which tables, rows and columns, and which values as they are."""
    tables = {
        one.name: (
            one.query,
            one.is_selected,
            set(one.columns),
            {
                name: kept["transform"]
                for name, kept in one.column_settings.items()
                if kept.get("transform")
            },
            one.filters,
        )
        for one in definition.resources
    }
    whole = (definition.source_schema, set(definition.include), set(definition.exclude))
    return {"": whole, **tables}


def _check_dispositions(destination: Connection, definition: PipelineDefinition) -> None:
    """The default counts for the tables that nobody names, and wherever a resource leaves it out."""
    allowed = destination.type.capabilities.write_dispositions
    wanted = {
        f"resources[{i}].write_disposition" if r.write_disposition else "write_disposition": (
            r.write_disposition or definition.write_disposition
        )
        for i, r in enumerate(definition.resources)
    }
    if definition.mode is Mode.FULL_DATABASE:
        wanted["write_disposition"] = definition.write_disposition
    for field, disposition in wanted.items():
        if disposition not in allowed:
            raise InvalidPipeline(
                f"{destination.type.label} cannot {disposition}.",
                field=field,
                remedy=f"Use {', '.join(sorted(allowed))}.",
            )
