"""Settings that a page does not show are kept by it."""

import pytest
from django.urls import reverse

from conftest_site import Person
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline, PipelineDraft, Verify, WriteDisposition
from pipelines.tests.factories import make_pipeline, make_shop, make_warehouse
from pipelines.tests.test_definition_settings import WHOLE
from pipelines.wizard import Draft
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def test_a_table_s_form_keeps_what_it_does_not_show(
    organization: Organization, editor: Person
) -> None:
    settings = {"total": {"transform": "hash"}}
    resource = {"name": "orders", "column_settings": settings, "verify": "counts"}
    pipeline = make_pipeline(organization, editor, resources=[resource])
    url = reverse("pipelines:resource-update", args=[organization.slug, pipeline.slug, 0])
    data = {"write_disposition": "append", "version": "1", "columns": ["id", "status", "total"]}
    assert editor.client.post(url, data).status_code == 302
    found = services.definition_of(Pipeline.all_organizations.get()).resources[0]
    assert (found.column_settings, found.verify) == (settings, Verify.COUNTS)
    assert found.write_disposition is WriteDisposition.APPEND


def test_a_whole_pipeline_s_pages_and_its_duplicate(
    organization: Organization, editor: Person
) -> None:
    pipeline = services.create_pipeline(
        organization=organization,
        actor=editor.actor,
        source=make_shop(organization),
        destination=make_warehouse(organization),
        definition=PipelineDefinition.parse(WHOLE),
    )
    page = editor.client.get(
        reverse("pipelines:pipeline-detail", args=[organization.slug, pipeline.slug])
    ).content.decode()
    assert "status has a value" in page
    assert "(id is between 1 and 9 or (email is like %@x.org))" in page
    assert "Merge on id, shop, every version kept" in page
    editor.client.post(
        reverse("pipelines:pipeline-duplicate", args=[organization.slug, pipeline.slug])
    )
    draft = Draft.load(PipelineDraft.objects.for_organization(organization).get())
    draft.row.data["dataset"] = "raw_copy"
    draft.row.save()
    copied = draft.definition().as_dict()
    assert copied == {**WHOLE, "name": "Copy of Shop", "dataset": "raw_copy"}
    review = editor.client.get(draft.url("review")).content.decode()
    for words in (
        "Only tables whose names match ord*, customers.",
        "Not the tables whose names match *_tmp.",
        "id hashed as order_id",
        "phone masked",
        "updated_at as changed",
        "15 minutes before that again",
    ):
        assert words in review, words
