"""What a run was asked for: checked, kept, said, repeated, and given to the engine."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from audit.models import AuditEvent
from common.errors import UserError
from conftest_site import Person
from connections.models import Connection
from orchestration import services
from orchestration.engine import executor
from orchestration.engine.reporter import Reporter
from orchestration.engine.watch import Verdict
from orchestration.models import Run, RunLogLine, RunStep, Status
from orchestration.tests import factories as make
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from tenants.models import Organization
from tenants.selectors import limits_of

pytestmark = pytest.mark.django_db

RANGE: dict[str, Any] = {"tables": ["orders"], "cursor_from": "10", "cursor_to": "20"}
AS_JSON = {
    "full_refresh": False,
    "resources": ["orders"],
    "cursor_range": {"from": "10", "to": "20"},
    "replay_rejects": False,
}


@pytest.fixture
def ranged(organization: Organization, stand: Connection) -> Pipeline:
    """The pipeline orders with a cursor on id."""
    pipeline = Pipeline.objects.for_organization(organization).get(slug="orders")
    data = pipelines.definition_of(pipeline).as_dict()
    data["resources"][0] |= {"write_disposition": "append", "cursor_column": "id"}
    return pipelines.update_pipeline(
        pipeline=pipeline, actor=make.OPERATOR, definition=PipelineDefinition.parse(data)
    )


def request(organization: Organization, target: str = "pipeline:orders", **asked: Any) -> Run:
    return services.request_run(
        organization=organization, actor=make.OPERATOR, target=target, **asked
    )


def spec_of(run: Run, name: str = "orders") -> dict[str, Any]:
    """What the child of the step would be given."""
    step = make.take(make.step_named(run, name))
    _entry, spec, _writable = executor._order(step, Reporter(step), limits_of(step.organization))
    return spec


def test_they_are_kept_said_and_given_to_the_engine(
    organization: Organization, ranged: Pipeline
) -> None:
    run = request(organization, **RANGE)
    assert run.options == run.capsule["options"] == AS_JSON
    assert run.title == "Orders (only orders, from 10 up to 20 again)"
    lines = RunLogLine.objects.for_organization(organization).filter(run=run)
    assert "Asked for: only orders, from 10 up to 20 again." in lines[0].text
    event = AuditEvent.objects.for_organization(organization).get(action="run.requested")
    assert event.changes["options"] == [None, AS_JSON]
    spec = spec_of(run)
    assert spec["options"] == AS_JSON
    step = make.steps(run)[0]
    assert spec["load_id"] == f"{int(step.queued_at.timestamp())}.{step.pk}"


def test_a_usual_run_keeps_nothing(organization: Organization, ranged: Pipeline) -> None:
    run = request(organization)
    assert (run.options, run.title) == ({}, "Orders")
    assert spec_of(run)["options"]["resources"] == []
    event = AuditEvent.objects.for_organization(organization).get(action="run.requested")
    assert "options" not in event.changes


def test_every_attempt_has_the_same_load_id(organization: Organization, ranged: Pipeline) -> None:
    run = request(organization)
    first = spec_of(run)
    step = make.steps(run)[0]
    error = {**make.failed(), "transient": True}
    reporter = make.report(step, error)
    executor._close(step, reporter, Verdict(Status.FAILED, error))
    RunStep.all_organizations.filter(run=run).update(not_before=None)
    second = spec_of(run)
    assert (first["load_id"], first["attempt"]) == (second["load_id"], second["attempt"] - 1)


def test_again_means_the_same_again(organization: Organization, ranged: Pipeline) -> None:
    run = request(organization, **RANGE)
    make.finish(make.steps(run)[0], [make.failed()])
    run.refresh_from_db()
    for from_failure in (False, True):
        again = services.retry_run(run=run, actor=make.OPERATOR, from_failure=from_failure)
        assert again.options == AS_JSON
        assert again.title == run.title
    full = request(organization, full_refresh=True)
    services.cancel_run(run=full, actor=make.OPERATOR)
    full.refresh_from_db()
    again = services.retry_run(run=full, actor=make.OPERATOR)
    assert (again.full_refresh, again.options["full_refresh"], again.title) == (
        True,
        True,
        "Orders",
    )
    # What can no longer be asked is refused, not left out.
    data = pipelines.definition_of(ranged).as_dict()
    data["resources"][0] |= {"cursor_column": ""}
    pipelines.update_pipeline(
        pipeline=ranged, actor=make.OPERATOR, definition=PipelineDefinition.parse(data)
    )
    with pytest.raises(UserError, match="no cursor"):
        services.retry_run(run=run, actor=make.OPERATOR)


def test_only_the_target_is_asked(organization: Organization, ranged: Pipeline) -> None:
    services.add_dependency(
        organization=organization,
        actor=make.OPERATOR,
        upstream="pipeline:orders",
        downstream="pipeline:users",
    )
    run = request(organization, select="orders+", **RANGE)
    assert spec_of(run)["options"] == AS_JSON
    RunStep.all_organizations.filter(run=run).update(status="succeeded")
    other = make.step_named(run, "users")
    RunStep.all_organizations.filter(pk=other.pk).update(status="queued", is_ready=True)
    assert spec_of(run, "users")["options"]["resources"] == []
    old = request(organization, full_refresh=True, target="dag")
    assert old.options["full_refresh"]


@pytest.mark.parametrize(
    ("target", "asked", "field"),
    [
        ("dag", {"tables": ["orders"]}, "tables"),
        ("dag", {"replay_rejects": True}, "replay_rejects"),
        ("transformation:stg_orders", {"cursor_from": "1", "cursor_to": "2"}, "cursor_from"),
        ("pipeline:orders", {"tables": ["nothing"]}, "tables"),
        ("pipeline:users", {"cursor_from": "1", "cursor_to": "2"}, "cursor_from"),
    ],
)
def test_what_cannot_be_asked(
    organization: Organization, ranged: Pipeline, target: str, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(UserError) as wrong:
        request(organization, target, **asked)
    assert (wrong.value.field, wrong.value.code) == (field, "invalid_load_options")
    assert wrong.value.remedy
    assert not Run.all_organizations.exists()


def test_through_the_api(organization: Organization, ranged: Pipeline, editor: Person) -> None:
    url = f"/api/v1/organizations/{organization.slug}/runs/"
    data = json.dumps({"target": "pipeline:orders", **RANGE})
    started = editor.client.post(url, data, content_type="application/json")
    assert started.status_code == 201, started.content
    assert started.json()["options"] == AS_JSON
    assert editor.client.get(f"{url}1/").json()["options"] == AS_JSON
    wrong = json.dumps({"target": "pipeline:orders", "tables": ["x"]})
    refused = editor.client.post(url, wrong, content_type="application/json")
    assert (refused.status_code, refused.json()["field"]) == (422, "tables")


def test_through_the_command(organization: Organization, ranged: Pipeline) -> None:
    out = StringIO()
    options = ["--table", "orders", "--from", "10", "--to", "20"]
    call_command("run_pipeline", f"{organization.slug}/orders", *options, stdout=out)
    assert Run.all_organizations.get().options == AS_JSON
    assert "only orders, from 10 up to 20 again" in out.getvalue()
    call_command(
        "run_pipeline", f"{organization.slug}/orders", "--replay-rejects", stdout=StringIO()
    )
    assert Run.all_organizations.get(number=2).options["replay_rejects"]
