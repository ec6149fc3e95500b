"""What the services refuse, and what they leave in the audit log."""

from dataclasses import replace

import pytest

from audit.models import AuditEvent
from common.errors import Conflict, PermissionDenied
from conftest_site import Person
from connections.models import DatasetTable
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.errors import InvalidPipeline
from pipelines.models import Pipeline
from pipelines.selectors import changes_of
from pipelines.tests.factories import definition, make_csv, make_pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def test_create_describes_itself_and_declares_its_table(
    organization: Organization, editor: Person
) -> None:
    pipeline = make_pipeline(organization, editor)
    assert pipeline.slug == "shop-orders"
    described = services.definition_of(pipeline)
    assert described == PipelineDefinition.parse(definition())
    table = DatasetTable.objects.for_organization(organization).get()
    assert (str(table), table.loaded_by) == ("raw_shop.orders", "shop-orders")


def test_a_schema_belongs_to_one_pipeline(organization: Organization, editor: Person) -> None:
    first = make_pipeline(organization, editor)
    with pytest.raises(InvalidPipeline, match="loads into the schema") as caught:
        services.create_pipeline(
            organization=organization,
            actor=editor.actor,
            source=first.source,
            destination=first.destination,
            definition=PipelineDefinition.parse(definition(name="Another")),
        )
    assert caught.value.field == "dataset"
    services.delete_pipeline(pipeline=first, actor=editor.actor)
    second = services.create_pipeline(
        organization=organization,
        actor=editor.actor,
        source=first.source,
        destination=first.destination,
        definition=PipelineDefinition.parse(definition(name="New")),
    )
    assert second.slug == "new-pipeline"
    with pytest.raises(InvalidPipeline, match="by now"):
        services.restore_pipeline(pipeline=first, actor=editor.actor)


def test_what_the_data_hang_on_cannot_change(organization: Organization, editor: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    now = services.definition_of(pipeline)
    with pytest.raises(InvalidPipeline) as caught:
        services.update_pipeline(
            pipeline=pipeline, actor=editor.actor, definition=replace(now, dataset="raw_other")
        )
    assert caught.value.field == "dataset"
    with pytest.raises(InvalidPipeline, match="source of a pipeline cannot change"):
        services.check_ends(pipeline, {"source": "another"})


def test_an_update_keeps_the_newer_version(organization: Organization, editor: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    renamed = replace(services.definition_of(pipeline), name="Orders")
    services.update_pipeline(
        pipeline=pipeline, actor=editor.actor, definition=renamed, expected_version=1
    )
    with pytest.raises(Conflict, match="version 2"):
        services.update_pipeline(
            pipeline=pipeline, actor=editor.actor, definition=renamed, expected_version=1
        )
    newest = changes_of(pipeline)[0]
    assert newest.word == "Changed"
    kinds = {(line.kind, line.text) for line in newest.lines}
    assert {("del", "name: Shop orders"), ("add", "name: Orders")} <= kinds


def test_the_ends_have_to_fit(organization: Organization, editor: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    weather = make_csv(organization)
    other = PipelineDefinition.parse(definition(name="Other", dataset="raw_other"))
    for source, destination, field in (
        (pipeline.destination, pipeline.destination, "source"),
        (pipeline.source, pipeline.source, "destination"),
        (weather, pipeline.destination, "mode"),
    ):
        with pytest.raises(InvalidPipeline) as caught:
            services.check_endpoints(source, destination, other)
        assert caught.value.field == field


def test_viewers_change_nothing(organization: Organization, editor: Person, viewer: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    actor = viewer.actor
    now = services.definition_of(pipeline)
    for attempt in (
        lambda: services.update_pipeline(pipeline=pipeline, actor=actor, definition=now),
        lambda: services.set_paused(pipeline=pipeline, actor=actor, paused=True),
        lambda: services.delete_pipeline(pipeline=pipeline, actor=actor),
        lambda: services.start_draft(
            organization=organization, actor=actor, user=viewer.user, data={}
        ),
    ):
        with pytest.raises(PermissionDenied):
            attempt()


def test_every_change_is_audited(organization: Organization, editor: Person) -> None:
    pipeline = make_pipeline(organization, editor)
    services.set_paused(pipeline=pipeline, actor=editor.actor, paused=True)
    services.set_paused(pipeline=pipeline, actor=editor.actor, paused=False)
    services.delete_pipeline(pipeline=pipeline, actor=editor.actor)
    services.restore_pipeline(pipeline=pipeline, actor=editor.actor)
    rows = AuditEvent.objects.for_organization(organization).filter(target_type="pipeline")
    actions = ["created", "paused", "resumed", "deleted", "restored"]
    assert [row.action for row in rows.order_by("pk")] == [f"pipeline.{one}" for one in actions]
    assert Pipeline.objects.for_organization(organization).get() == pipeline
