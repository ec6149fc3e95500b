"""Every change to pipelines."""

from typing import Any

from django.db import transaction
from django.utils.text import slugify

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import Conflict
from common.scoping import unique_slug
from connections import services as connections
from connections.models import Connection
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.errors import InvalidPipeline
from pipelines.models import (
    Mode,
    Pipeline,
    PipelineDraft,
    PipelineResource,
    WriteDisposition,
)
from tenants.actors import Actor
from tenants.models import Organization, User


@transaction.atomic
def create_pipeline(
    *,
    organization: Organization,
    actor: Actor,
    source: Connection,
    destination: Connection,
    definition: PipelineDefinition,
) -> Pipeline:
    """A new pipeline with its resources. Raises ``InvalidPipeline`` naming the field."""
    actor.require(Permission.EDIT)
    definition = definition.checked()
    check_endpoints(source, destination, definition)
    pipeline = Pipeline(
        organization=organization,
        slug=pipeline_slug(organization, definition.name),
        source=source,
        destination=destination,
    )
    _apply(pipeline, definition)
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.PIPELINE_CREATED,
        target=pipeline,
        changes=audit.difference({}, snapshot(pipeline)),
    )
    return pipeline


@transaction.atomic
def update_pipeline(
    *,
    pipeline: Pipeline,
    actor: Actor,
    definition: PipelineDefinition,
    expected_version: int | None = None,
) -> Pipeline:
    """Change everything but the endpoints, the mode and the dataset, which the loaded data hang on.

    ``expected_version`` is the version the caller looked at; ``Conflict`` when it is no longer the newest.
    """
    actor.require(Permission.EDIT)
    definition = definition.checked()
    # Two writers take turns here, so that neither bases a version on what the other replaces.
    locked = Pipeline.objects.for_organization(pipeline.organization).select_for_update()
    pipeline = locked.get(pk=pipeline.pk)
    if expected_version not in {None, pipeline.version}:
        raise Conflict(
            f"“{pipeline}” was changed since you opened it (version {pipeline.version}).",
            remedy="Open it again in another tab, and make your changes there.",
        )
    if definition.dataset != pipeline.dataset or definition.mode != pipeline.mode:
        raise InvalidPipeline(
            "The mode and the destination schema of a pipeline cannot change.",
            field="mode" if definition.mode != pipeline.mode else "dataset",
            remedy="Create a new pipeline for another schema; the loaded data stay where they are.",
        )
    check_endpoints(pipeline.source, pipeline.destination, definition, pipeline)
    before = snapshot(pipeline)
    pipeline.version += 1
    _apply(pipeline, definition)
    audit.record(
        organization=pipeline.organization,
        actor=actor,
        action=AuditAction.PIPELINE_UPDATED,
        target=pipeline,
        changes=audit.difference(before, snapshot(pipeline)),
    )
    return pipeline


@transaction.atomic
def set_paused(*, pipeline: Pipeline, actor: Actor, paused: bool) -> Pipeline:
    """A paused pipeline is skipped by schedules and by runs of the whole graph."""
    actor.require(Permission.EDIT)
    pipeline.is_paused, pipeline.paused_reason = paused, ""
    pipeline.save(update_fields=["is_paused", "paused_reason"])
    action = AuditAction.PIPELINE_PAUSED if paused else AuditAction.PIPELINE_RESUMED
    audit.record(organization=pipeline.organization, actor=actor, action=action, target=pipeline)
    return pipeline


@transaction.atomic
def delete_pipeline(*, pipeline: Pipeline, actor: Actor) -> None:
    """Put it in the trash. The loaded tables stay where they are."""
    actor.require(Permission.EDIT)
    pipeline.put_in_trash()
    audit.record(
        organization=pipeline.organization,
        actor=actor,
        action=AuditAction.PIPELINE_DELETED,
        target=pipeline,
    )


@transaction.atomic
def restore_pipeline(*, pipeline: Pipeline, actor: Actor) -> Pipeline:
    actor.require(Permission.EDIT)
    living = Pipeline.objects.for_organization(pipeline.organization)
    if living.filter(destination=pipeline.destination, dataset=pipeline.dataset).exists():
        raise InvalidPipeline(
            f"Another pipeline loads into {pipeline.dataset!r} by now.",
            field="dataset",
            remedy="Delete that one first.",
        )
    pipeline.slug = unique_slug(pipeline.slug, living, fallback="pipeline")
    pipeline.deleted_at = None
    pipeline.save(update_fields=["deleted_at", "slug"])
    audit.record(
        organization=pipeline.organization,
        actor=actor,
        action=AuditAction.PIPELINE_RESTORED,
        target=pipeline,
    )
    return pipeline


@transaction.atomic
def start_draft(
    *, organization: Organization, actor: Actor, user: User, data: dict[str, Any]
) -> PipelineDraft:
    """Begin the wizard. A draft is its author's own, so nothing of it is in the audit log."""
    actor.require(Permission.EDIT)
    draft = PipelineDraft(organization=organization, created_by=user, data=data)
    draft.save()
    return draft


@transaction.atomic
def save_draft(*, draft: PipelineDraft, actor: Actor, changes: dict[str, Any]) -> PipelineDraft:
    """Keep what one step of the wizard came to; a value of None forgets the key."""
    actor.require(Permission.EDIT)
    data = {**draft.data, **changes}
    draft.data = {key: value for key, value in data.items() if value is not None}
    draft.save()
    return draft


def discard_draft(*, draft: PipelineDraft, actor: Actor) -> None:
    actor.require(Permission.EDIT)
    draft.delete()


@transaction.atomic
def create_from_draft(
    *,
    draft: PipelineDraft,
    actor: Actor,
    source: Connection,
    destination: Connection,
    definition: PipelineDefinition,
) -> Pipeline:
    """The pipeline in place of its draft."""
    pipeline = create_pipeline(
        organization=draft.organization,
        actor=actor,
        source=source,
        destination=destination,
        definition=definition,
    )
    draft.delete()
    return pipeline


def pipeline_slug(organization: Organization, name: str) -> str:
    """The slug a new pipeline of that name gets."""
    living = Pipeline.objects.for_organization(organization)
    # The page of new pipelines has that address.
    name = "new pipeline" if slugify(name) == "new" else name
    return unique_slug(name, living, fallback="pipeline")


def definition_of(
    pipeline: Pipeline, resources: list[PipelineResource] | None = None
) -> PipelineDefinition:
    """The pipeline as it would be described: parsing its JSON or YAML gives the same again.

    ``resources`` are its rows where the caller has them already.
    """
    rows = resources_of(pipeline) if resources is None else resources
    return PipelineDefinition(
        name=pipeline.name,
        dataset=pipeline.dataset,
        mode=Mode(pipeline.mode),
        description=pipeline.description,
        source_schema=pipeline.source_schema,
        write_disposition=WriteDisposition(pipeline.write_disposition),
        resources=tuple(_as_definition(row) for row in rows),
    )


def _as_definition(row: PipelineResource) -> ResourceDefinition:
    return ResourceDefinition(
        name=row.name,
        target=row.target,
        is_selected=row.is_selected,
        write_disposition=WriteDisposition(row.write_disposition),
        primary_key=tuple(row.primary_key),
        cursor_column=row.cursor_column,
        cursor_initial=row.cursor_initial,
        columns=tuple(row.columns),
        filters=tuple(row.filters),
    )


def resources_of(pipeline: Pipeline) -> list[PipelineResource]:
    rows = PipelineResource.objects.for_organization(pipeline.organization)
    return list(rows.filter(pipeline=pipeline))


def snapshot(pipeline: Pipeline) -> dict[str, Any]:
    """The pipeline as plain data: for the audit log, the run capsule and the page."""
    return {
        **definition_of(pipeline).as_dict(),
        "source": pipeline.source.slug,
        "destination": pipeline.destination.slug,
    }


def check_endpoints(
    source: Connection,
    destination: Connection,
    definition: PipelineDefinition,
    pipeline: Pipeline | None = None,
) -> None:
    """``InvalidPipeline`` when these ends cannot take the definition; ``pipeline`` is not its own rival."""
    if not (source.is_source and source.type.capabilities.source):
        raise InvalidPipeline(f"“{source}” cannot be a source.", field="source")
    if not (destination.is_destination and destination.type.capabilities.destination):
        raise InvalidPipeline(f"“{destination}” cannot be a destination.", field="destination")
    if source.type.capabilities.files != (definition.mode is Mode.FILES):
        allowed = "files" if source.type.capabilities.files else "single_table or full_database"
        raise InvalidPipeline(
            f"The mode {definition.mode} does not fit “{source}”.",
            field="mode",
            remedy=f"Use {allowed}.",
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


def check_ends(pipeline: Pipeline, ends: dict[str, Any]) -> None:
    """``InvalidPipeline`` when ``source`` or ``destination`` are others than the pipeline's."""
    for name, connection in (("source", pipeline.source), ("destination", pipeline.destination)):
        if ends.get(name, connection.slug) != connection.slug:
            raise InvalidPipeline(
                f"The {name} of a pipeline cannot change; it is {connection.slug!r}.",
                field=name,
                remedy="Duplicate the pipeline to load from or into another connection.",
            )


def _check_dispositions(destination: Connection, definition: PipelineDefinition) -> None:
    allowed = destination.type.capabilities.write_dispositions
    wanted = {f"resources[{i}]": r.write_disposition for i, r in enumerate(definition.resources)}
    if definition.mode is Mode.FULL_DATABASE:
        wanted[""] = definition.write_disposition
    for where, disposition in wanted.items():
        if disposition not in allowed:
            raise InvalidPipeline(
                f"{destination.type.label} cannot {disposition}.",
                field=f"{where}.write_disposition".lstrip("."),
                remedy=f"Use {', '.join(sorted(allowed))}.",
            )


def _apply(pipeline: Pipeline, definition: PipelineDefinition) -> None:
    for name in ("name", "description", "dataset", "mode", "source_schema", "write_disposition"):
        setattr(pipeline, name, getattr(definition, name))
    pipeline.save()
    rows = PipelineResource.objects.for_organization(pipeline.organization)
    rows.filter(pipeline=pipeline).delete()
    for position, resource in enumerate(definition.resources):
        _save_resource(pipeline, position, resource)
    connections.declare_tables(
        connection=pipeline.destination,
        schema=pipeline.dataset,
        names=[r.target for r in definition.resources if r.is_selected],
        loaded_by=pipeline.slug,
    )


def _save_resource(pipeline: Pipeline, position: int, resource: ResourceDefinition) -> None:
    PipelineResource(
        organization=pipeline.organization,
        pipeline=pipeline,
        position=position,
        name=resource.name,
        target=resource.target,
        is_selected=resource.is_selected,
        write_disposition=resource.write_disposition,
        primary_key=list(resource.primary_key),
        cursor_column=resource.cursor_column,
        cursor_initial=resource.cursor_initial,
        columns=list(resource.columns),
        filters=list(resource.filters),
    ).save()
