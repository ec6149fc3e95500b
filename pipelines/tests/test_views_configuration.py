"""The configuration of a pipeline as a form: its defaults, its patterns with what they match, and who saves last."""

import re
from typing import Any

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from conftest_site import Person
from connections.runner import files_root
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from pipelines.tests.factories import make_csv, make_database, make_pipeline
from pipelines.tests.test_views_filters import text_of
from tenants.models import Organization

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def url(pipeline: Pipeline) -> str:
    return reverse("pipelines:pipeline-update", args=[pipeline.organization.slug, pipeline.slug])


def form(**changes: Any) -> dict[str, Any]:
    """As a browser sends it when nothing was touched."""
    return {
        "name": "Shop",
        "description": "",
        "include": "",
        "exclude": "",
        "write_disposition": "replace",
        "merge_strategy": "upsert",
        "contract_tables": "evolve",
        "contract_columns": "evolve",
        "contract_data_type": "evolve",
        "verify": "none",
        "version": "1",
        **changes,
    }


def definition_of(pipeline: Pipeline) -> PipelineDefinition:
    return services.definition_of(Pipeline.all_organizations.get(pk=pipeline.pk))


def test_every_default_is_shown_and_saved(
    organization: Organization, editor: Person, viewer: Person
) -> None:
    pipeline = make_database(organization, editor)
    before = definition_of(pipeline)
    changes = form(
        include="ord*\n\n customers \nord*",
        exclude="*_tmp",
        write_disposition="merge",
        merge_strategy="scd2",
        contract_columns="freeze",
        contract_data_type="discard_row",
        verify="sums",
    )
    assert viewer.client.post(url(pipeline), changes).status_code == 403
    assert editor.client.post(url(pipeline), changes).status_code == 302
    found = definition_of(pipeline).as_dict()
    assert found == before.as_dict() | {
        "description": "",
        "include": ["ord*", "customers"],
        "exclude": ["*_tmp"],
        "write_disposition": "merge",
        "merge_strategy": "scd2",
        "schema_contract": {"columns": "freeze", "data_type": "discard_row"},
        "verify": "sums",
    }
    event = AuditEvent.all_organizations.filter(action="pipeline.updated").get()
    assert {"include", "schema_contract", "verify"} <= set(event.changes)
    page = editor.client.get(url(pipeline)).content.decode()
    shown = form(**{key: value for key, value in changes.items() if key != "include"})
    assert "ord*\ncustomers</textarea>" in page
    for name in ("merge_strategy", "verify"):
        chosen = rf'<input[^>]* name="{name}" value="{shown[name]}"[^>]* checked>'
        assert re.search(chosen, page), name
    assert '<option value="freeze" selected>' in page
    assert "Chosen tables" in page
    # What a merge does is not asked where nothing is merged, so it is forgotten.
    appends = changes | {"write_disposition": "append", "version": "2"}
    assert editor.client.post(url(pipeline), appends).status_code == 302
    assert definition_of(pipeline).merge_strategy == "upsert"
    assert "As YAML" in viewer.client.get(url(pipeline)).content.decode()
    assert "Save configuration" not in viewer.client.get(url(pipeline)).content.decode()


def test_the_second_of_two_writers_is_told(organization: Organization, editor: Person) -> None:
    pipeline = make_database(organization, editor)
    assert editor.client.post(url(pipeline), form(include="ord*")).status_code == 302
    late = editor.client.post(url(pipeline), form(include="cust*"))
    assert late.status_code == 422
    page = late.content.decode()
    assert "was changed since you opened it (version 2)" in page
    assert "cust*</textarea>" in page, "the input is kept"
    assert list(definition_of(pipeline).include) == ["ord*"]


def test_the_patterns_say_what_they_match(
    organization: Organization, editor: Person, viewer: Person
) -> None:
    pipeline = make_database(organization, editor)
    assert 'hx-trigger="load, input' in editor.client.get(url(pipeline)).content.decode()

    def count(**changes: str) -> str:
        data = form(action="count", version="", name="", **changes)
        response = editor.client.post(url(pipeline), data, headers=HTMX)
        assert response.status_code == 200
        assert b"<html" not in response.content
        return text_of(response.content.decode())

    assert count() == "2 of 2 tables : customers, orders"
    assert count(include="ord*\ngone") == "1 of 2 tables : orders Not in the source: gone"
    assert count(exclude="ord*") == "1 of 2 tables : customers"
    assert count(include="x*") == "No table matches"
    assert viewer.client.post(url(pipeline), form(action="count")).status_code == 403
    # Without script a button asks, and nothing is called wrong.
    page = editor.client.post(url(pipeline), form(action="count", name="", include="cust*"))
    assert page.status_code == 200
    assert "1 of 2 tables" in text_of(page.content.decode())
    assert 'aria-invalid="true"' not in page.content.decode()
    assert definition_of(pipeline).include == ()

    other = make_database(organization, editor, name="Other", dataset="raw_other")
    (files_root(organization) / "shop.sqlite").unlink()
    response = editor.client.post(url(other), form(action="count"), headers=HTMX)
    assert "The source did not show its tables" in response.content.decode()


def test_only_what_has_a_meaning_is_asked(organization: Organization, editor: Person) -> None:
    single = make_pipeline(organization, editor)
    page = editor.client.get(url(single)).content.decode()
    assert 'name="include"' not in page
    assert 'name="verify"' not in page
    assert "How the table is read and written is set at the table." in page
    files = services.create_pipeline(
        organization=organization,
        actor=editor.actor,
        source=make_csv(organization),
        destination=single.destination,
        definition=PipelineDefinition.parse(
            {
                "name": "Weather",
                "dataset": "raw_weather",
                "mode": "files",
                "resources": [{"name": "weather/*.csv"}],
            }
        ),
    )
    page = editor.client.get(url(files)).content.decode()
    assert 'name="include"' not in page
    assert 'name="verify"' in page
    # A merge needs keys, which the file has none of: the form says so and keeps what was chosen.
    refused = editor.client.post(url(files), form(name="Weather", write_disposition="merge"))
    assert refused.status_code == 422
    assert "key" in text_of(refused.content.decode())
    assert definition_of(files).write_disposition == "replace"
