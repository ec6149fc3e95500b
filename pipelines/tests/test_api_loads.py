"""Settings of loads, cursors, rejected rows and estimates through the API."""

from typing import Any

import pytest
from django.urls import reverse

from conftest_site import Person
from pipelines import runner, services
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from pipelines.tests.answers import Destination
from pipelines.tests.factories import definition, make_csv, make_pipeline, make_shop, make_warehouse
from pipelines.tests.test_definition_settings import WHOLE
from tenants.models import Organization

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def pipeline(organization: Organization, editor: Person) -> Pipeline:
    return make_pipeline(organization, editor)


@pytest.fixture
def destination(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setattr(runner, "MODULE", "pipelines.tests.child_entries")
    return Destination(organization)


def page(pipeline: Pipeline, name: str, *arguments: str) -> str:
    slugs = [pipeline.organization.slug, pipeline.slug, *arguments]
    return reverse(f"api-pipeline-{name}", args=slugs)


def test_every_setting_comes_back(organization: Organization, editor: Person) -> None:
    make_shop(organization)
    make_warehouse(organization)
    root = reverse("api-pipeline-list", args=[organization.slug])
    whole: dict[str, Any] = {**WHOLE, "source": "shop", "destination": "warehouse"}
    created = editor.client.post(root, whole, JSON)
    assert created.status_code == 201, created.content
    body = created.json()
    assert {key: body[key] for key in WHOLE} == WHOLE
    one = f"{root}shop/"
    same = editor.client.put(one, {key: body[key] for key in whole}, JSON).json()
    assert {key: same[key] for key in WHOLE} == WHOLE
    changed = editor.client.patch(one, {"verify": "counts", "exclude": []}, JSON).json()
    assert (changed["verify"], changed["exclude"]) == ("counts", [])
    assert changed["resources"] == WHOLE["resources"]
    wrong = editor.client.patch(one, {"schema_contract": {"columns": "x"}}, JSON)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "schema_contract.columns")


def test_cursors(
    pipeline: Pipeline, editor: Person, viewer: Person, destination: Destination
) -> None:
    committed = {"column": "updated_at", "value": "7", "committed_at": "2024-02-01T00:00:00Z"}
    destination.answers(state={"resources": {"orders": {**committed, "edit": 0}}})
    (listed,) = viewer.client.get(page(pipeline, "state")).json()
    assert (listed["resource"], listed["value"], listed["is_pending"]) == ("orders", "7", False)
    one = page(pipeline, "resource-state", "orders")
    assert viewer.client.get(one).json() == listed
    assert viewer.client.put(one, {"value": "3"}, JSON).status_code == 403
    # The page was looked at before a run moved on: nothing was recorded here yet.
    conflict = editor.client.put(one, {"value": "3", "expected": "7"}, JSON)
    assert conflict.status_code == 409
    done = editor.client.put(one, {"value": "3"}, JSON).json()
    assert (done["value"], done["edit"], done["is_pending"]) == ("3", 1, True)
    assert viewer.client.get(one).json()["committed_value"] == "7"
    done = editor.client.put(one, {"value": None, "expected": "3"}, JSON).json()
    assert (done["value"], done["edit"]) == (None, 2)
    for body in ({}, {"value": ""}, {"value": "x" * 256}):
        assert editor.client.put(one, body, JSON).status_code == 422
    other = page(pipeline, "resource-state", "customers")
    assert editor.client.put(other, {"value": "3"}, JSON).status_code == 404


def test_the_cursor_of_a_file_has_a_path(organization: Organization, editor: Person) -> None:
    daily = {"name": "weather/*.csv", "write_disposition": "append", "cursor_column": "day"}
    pipeline = services.create_pipeline(
        organization=organization,
        actor=editor.actor,
        source=make_csv(organization),
        destination=make_warehouse(organization),
        definition=PipelineDefinition.parse(definition(mode="files", resources=[daily])),
    )
    one = page(pipeline, "resource-state", "weather/*.csv")
    assert editor.client.put(one, {"value": "2024-01-01"}, JSON).json()["edit"] == 1


def test_rejected_rows(
    pipeline: Pipeline, editor: Person, viewer: Person, destination: Destination
) -> None:
    row = {"reject_id": "r1", "table_name": "orders", "reason": "no number"}
    found = {"rows": [row], "next": "r1", "tables": [{"table_name": "orders", "count": 3}]}
    destination.answers(rejects=found, discard_rejects={"discarded": 1})
    listing, discard = page(pipeline, "rejects"), page(pipeline, "rejects-discard")
    assert viewer.client.get(listing).status_code == 403
    assert editor.client.get(listing, {"table": "orders", "limit": "1"}).json() == found
    assert destination.asked["spec"]["limit"] == 1
    assert editor.client.get(listing, {"limit": "201"}).status_code == 422
    assert viewer.client.post(discard, {"ids": ["r1"]}, JSON).status_code == 403
    assert editor.client.post(discard, {"ids": ["r1"]}, JSON).json() == {"discarded": 1}
    assert editor.client.post(discard, {"ids": []}, JSON).status_code == 422


def test_an_estimate(
    pipeline: Pipeline, editor: Person, viewer: Person, destination: Destination
) -> None:
    counted = {"name": "orders", "target": "orders", "source_rows": None, "range_rows": 2}
    destination.answers(estimate={"resources": [counted]})
    url = page(pipeline, "estimate")
    assert viewer.client.post(url, {}, JSON).status_code == 403
    asked = {"tables": ["orders"], "cursor_from": "1", "cursor_to": "9"}
    assert editor.client.post(url, asked, JSON).json() == [counted]
    bounds = destination.asked["spec"]["options"]["cursor_range"]
    assert bounds == {"from": "1", "to": "9"}
    wrong = editor.client.post(url, {"tables": ["x"]}, JSON)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "tables")
    assert wrong.json()["code"] == "invalid_load_options"
