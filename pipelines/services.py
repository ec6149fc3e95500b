"""Every change to pipelines."""

from typing import Any

from django.db import transaction
from django.dispatch import Signal
from django.utils.text import slugify

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import Conflict
from common.scoping import unique_slug
from connections import services as connections
from connections.models import Connection
from pipelines.cursors import set_cursor
from pipelines.definition import PipelineDefinition
from pipelines.described import definition_of, resources_of, snapshot, snapshots
from pipelines.endpoints import check_endpoints, check_ends, modes_of, what_is_read
from pipelines.errors import InvalidPipeline
from pipelines.models import Pipeline, PipelineDraft, PipelineResource
from pipelines.rejects import discard_rejects
from tenants.actors import Actor
from tenants.models import Organization, User

#: The door of this app: reads of one pipeline are here too, so that other apps need no other module.
__all__ = [
    "check_endpoints",
    "check_ends",
    "create_from_draft",
    "create_pipeline",
    "definition_of",
    "delete_pipeline",
    "discard_draft",
    "discard_rejects",
    "modes_of",
    "pipeline_deleted",
    "pipeline_restored",
    "pipeline_slug",
    "resources_of",
    "restore_pipeline",
    "save_draft",
    "set_cursor",
    "set_paused",
    "snapshot",
    "snapshots",
    "start_draft",
    "update_pipeline",
]

#: Sent in the transaction that takes one out of the trash: an app above may refuse it.
pipeline_restored = Signal()
#: Sent in the transaction that puts one into it, with ``pipeline`` and ``actor``.
pipeline_deleted = Signal()


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

    What it reads of its source is for those who may use that connection.
    ``expected_version`` is the version the caller looked at; ``Conflict`` when it is no longer the newest.
    """
    actor.require(Permission.EDIT, on=pipeline)
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
    _check_reading(pipeline, definition, actor)
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
    actor.require(Permission.EDIT, on=pipeline)
    pipeline.is_paused, pipeline.paused_reason = paused, ""
    pipeline.save(update_fields=["is_paused", "paused_reason"])
    action = AuditAction.PIPELINE_PAUSED if paused else AuditAction.PIPELINE_RESUMED
    audit.record(organization=pipeline.organization, actor=actor, action=action, target=pipeline)
    return pipeline


@transaction.atomic
def delete_pipeline(*, pipeline: Pipeline, actor: Actor) -> None:
    """Put it in the trash. The loaded tables stay where they are."""
    actor.require(Permission.EDIT, on=pipeline)
    pipeline.put_in_trash()
    audit.record(
        organization=pipeline.organization,
        actor=actor,
        action=AuditAction.PIPELINE_DELETED,
        target=pipeline,
    )
    pipeline_deleted.send(sender=Pipeline, pipeline=pipeline, actor=actor)


@transaction.atomic
def restore_pipeline(*, pipeline: Pipeline, actor: Actor) -> Pipeline:
    actor.require(Permission.EDIT, on=pipeline)
    for connection in (pipeline.source, pipeline.destination):
        connections.check_not_deleted(connection)
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
    pipeline_restored.send(sender=Pipeline, organization=pipeline.organization)
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


def _check_reading(pipeline: Pipeline, definition: PipelineDefinition, actor: Actor) -> None:
    """Who was given one pipeline does not thereby read all that its source holds."""
    # A pattern of files reaches every file of the organization.
    of_files = pipeline.source.type.capabilities.files
    needed = (Permission.EDIT, None) if of_files else (Permission.RUN, pipeline.source)
    if actor.can(*needed):
        return
    if what_is_read(definition) != what_is_read(definition_of(pipeline)):
        raise InvalidPipeline(
            "What this pipeline reads is changed by those who may use its source.",
            field="resources",
            remedy="Ask an editor of the organization to change it."
            if of_files
            else f"Ask an owner or admin to let you use the connection “{pipeline.source}”.",
        )


def _apply(pipeline: Pipeline, definition: PipelineDefinition) -> None:
    values = definition.as_dict()
    resources = values.pop("resources")
    for name, value in values.items():
        setattr(pipeline, name, value)
    pipeline.save()
    rows = PipelineResource.objects.for_organization(pipeline.organization)
    rows.filter(pipeline=pipeline).delete()
    for position, resource in enumerate(resources):
        PipelineResource(
            organization=pipeline.organization, pipeline=pipeline, position=position, **resource
        ).save()
    connections.declare_tables(
        connection=pipeline.destination,
        schema=pipeline.dataset,
        names=[r.target for r in definition.resources if r.is_selected],
        loaded_by=pipeline.slug,
    )
