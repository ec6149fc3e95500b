"""What the child is given: complete, and with nothing of another organization."""

import json
from dataclasses import replace

import pytest

from audit.models import AuditEvent
from common.crypto import derived_key
from common.errors import PermissionDenied, UserError
from common.redaction import MASK, Redactor, secrets_in
from conftest_site import Person
from pipelines import runner, services
from pipelines.definition import PipelineDefinition
from pipelines.errors import InvalidPipeline
from pipelines.models import Pipeline
from pipelines.runner import LoadOptions
from pipelines.tests.answers import Destination
from pipelines.tests.factories import definition, make_csv, make_pipeline, make_shop, make_warehouse
from pipelines.tests.test_definition_settings import SQL, WHOLE
from tenants.models import Organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline(organization: Organization, editor: Person) -> Pipeline:
    return make_pipeline(organization, editor)


@pytest.fixture
def destination(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setattr(runner, "MODULE", "pipelines.tests.child_entries")
    return Destination(organization)


def test_every_setting_reaches_the_engine(organization: Organization, editor: Person) -> None:
    pipeline = services.create_pipeline(
        organization=organization,
        actor=editor.actor,
        source=make_shop(organization),
        destination=make_warehouse(organization),
        definition=PipelineDefinition.parse(WHOLE),
    )
    assert services.definition_of(pipeline).as_dict() == WHOLE
    spec = runner.build_spec(pipeline, load_id="1700000000.5", attempt=2)
    given = WHOLE["resources"][0]
    assert spec["load_id"] == "1700000000.5"
    assert spec["attempt"] == 2
    for key in ("include", "exclude", "source_schema", "mode", "dataset"):
        assert spec[key] == WHOLE[key]
    assert spec["defaults"] == {
        key: WHOLE[key]
        for key in ("write_disposition", "merge_strategy", "schema_contract", "verify")
    }
    orders, customers = spec["resources"]
    same = ("primary_key", "columns", "column_settings", "filters", "merge_strategy", "verify")
    assert {key: orders[key] for key in same} == {key: given[key] for key in same}
    assert orders["cursor"] == {
        "column": "updated_at",
        "initial": "2024-01-01",
        "lookback": "15 minutes",
        "row_order": "desc",
    }
    # What a resource does not say, the pipeline said.
    assert (customers["write_disposition"], customers["merge_strategy"]) == (
        "merge",
        "delete_insert",
    )
    assert customers["schema_contract"] == WHOLE["schema_contract"]
    assert (customers["cursor"], customers["columns"], customers["selected"]) == (None, None, True)
    assert spec["options"] == LoadOptions().as_json()
    json.dumps(spec)


def test_a_query_has_no_schema(organization: Organization, editor: Person) -> None:
    resource = {"name": "totals", "query": SQL}
    pipeline = make_pipeline(organization, editor, mode="query", resources=[resource])
    (given,) = runner.build_spec(pipeline, load_id="1.1")["resources"]
    assert (given["schema"], given["name"], given["query"]) == ("", "totals", SQL)


def test_the_hash_key_is_the_organizations_own_and_masked(
    pipeline: Pipeline, organization: Organization, stranger: Person
) -> None:
    spec = runner.build_spec(pipeline, load_id="1.1")
    key = spec["hash_key"]
    assert len(key) == 64
    assert runner.build_spec(pipeline, load_id="2.2")["hash_key"] == key
    assert stranger.membership is not None
    assert derived_key("column hashing", str(stranger.membership.organization_id)) != key
    assert derived_key("something else", str(organization.pk)) != key
    masked = Redactor(secrets_in(spec)).event({"event": "log", "text": f"with {key}"})
    assert masked["text"] == f"with {MASK}"


def test_what_is_asked_beside_a_load(
    pipeline: Pipeline, editor: Person, viewer: Person, destination: Destination
) -> None:
    counted = {"name": "orders", "target": "orders", "source_rows": 4, "exact": True}
    page = {"rows": [{"reject_id": "r1"}], "next": None, "tables": []}
    destination.answers(
        estimate={"resources": [counted]}, rejects=page, discard_rejects={"discarded": 1}
    )
    assert runner.estimate(pipeline, LoadOptions.of(tables=["orders"])) == [counted]
    assert destination.asked["spec"]["options"]["resources"] == ["orders"]
    assert runner.list_rejects(pipeline, table="orders", after="r0", limit=5) == page
    asked = destination.asked["spec"]
    assert (asked["table"], asked["after"], asked["limit"]) == ("orders", "r0", 5)
    with pytest.raises(PermissionDenied):
        services.discard_rejects(pipeline=pipeline, actor=viewer.actor, ids=["r1"])
    with pytest.raises(UserError, match="Between 1 and") as empty:
        services.discard_rejects(pipeline=pipeline, actor=editor.actor, ids=[])
    assert empty.value.field == "ids"
    assert destination.asked["operation"] == "rejects"
    ids = ["r1", "r2", "r1"]
    assert services.discard_rejects(pipeline=pipeline, actor=editor.actor, ids=ids) == 1
    assert destination.asked["spec"]["ids"] == ["r1", "r2"]
    event = AuditEvent.objects.for_organization(pipeline.organization).first()
    assert event is not None
    assert (event.action, event.changes) == (
        "pipeline.rejects_discarded",
        {"rejects": [2, 1]},
    )


def test_an_estimate_is_not_asked_for_what_cannot_be(
    pipeline: Pipeline, destination: Destination
) -> None:
    with pytest.raises(UserError) as wrong:
        runner.estimate(pipeline, LoadOptions.of(tables=["nothing"]))
    assert wrong.value.field == "tables"
    assert not destination.was_asked


def test_only_sources_of_sql_take_queries(organization: Organization, editor: Person) -> None:
    warehouse = make_warehouse(organization)
    query = {"name": "totals", "query": SQL}
    wanted = PipelineDefinition.parse(definition(mode="query", resources=[query]))
    services.check_endpoints(make_shop(organization), warehouse, wanted)
    with pytest.raises(InvalidPipeline, match="Use files") as wrong:
        services.check_endpoints(make_csv(organization), warehouse, wanted)
    assert wrong.value.field == "mode"


def test_a_destination_writes_only_in_its_ways(
    organization: Organization, editor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, warehouse = make_shop(organization), make_warehouse(organization)
    less = replace(warehouse.type.capabilities, write_dispositions=frozenset({"append"}))
    monkeypatch.setattr(type(warehouse.type), "capabilities", less)
    whole = {"mode": "full_database", "write_disposition": "append"}
    for changes, field in (
        ({"resources": [{"name": "orders"}]}, "write_disposition"),
        ({**whole, "write_disposition": "replace", "resources": []}, "write_disposition"),
        (
            {**whole, "resources": [{"name": "o", "write_disposition": "replace"}]},
            "resources[0].write_disposition",
        ),
    ):
        wanted = PipelineDefinition.parse(definition(**changes))
        with pytest.raises(InvalidPipeline, match="Use append") as wrong:
            services.check_endpoints(shop, warehouse, wanted)
        assert wrong.value.field == field
    wanted = PipelineDefinition.parse(definition(**whole, resources=[{"name": "o"}]))
    services.check_endpoints(shop, warehouse, wanted)
