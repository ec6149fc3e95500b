"""Rules, freshness windows and circles on rows: services, runs, and going on from a failure."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from common.errors import PermissionDenied, UserError
from conftest_site import Person
from connections.models import Connection
from orchestration import services
from orchestration.engine import executor
from orchestration.engine.freshness import check_windows
from orchestration.engine.reporter import Reporter
from orchestration.engine.watch import Verdict
from orchestration.errors import CyclicDependency, UpstreamStale
from orchestration.graph import graph_of
from orchestration.models import Dependency, Node, Run, Status
from orchestration.preview import preview_of
from orchestration.tests import factories as make
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms import services as transforms
from transforms.models import BuildStatus, Transformation

pytestmark = pytest.mark.django_db

BOTH = "select * from {{ ref('left') }} union all select * from {{ ref('right') }}"


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    """left and right, each behind a pipeline of its own, and both that reads the two."""
    warehouse = make.make_connection(organization)
    for side in ("left", "right"):
        make.make_pipeline(organization, f"Load {side}", warehouse, dataset=f"raw_{side}")
        sql = f"select * from {{{{ source('raw_{side}', 'orders') }}}}"
        make.make_transformation(organization, side, warehouse, sql)
    make.make_transformation(organization, "both", warehouse, BOTH)
    return warehouse


def rule(organization: Organization, key: str, value: str) -> None:
    services.set_rule(organization=organization, actor=make.OPERATOR, key=key, rule=value)


def depend(organization: Organization, upstream: str, downstream: str, **more: int) -> Dependency:
    return services.add_dependency(
        organization=organization,
        actor=make.OPERATOR,
        upstream=upstream,
        downstream=downstream,
        max_age_seconds=more.get("max_age_seconds"),
    )


def started(organization: Organization, *failing: str) -> Run:
    """A run of everything whose named pipelines failed."""
    run = make.make_run(organization)
    for side in ("left", "right"):
        events = [make.failed()] if side in failing else []
        make.finish(make.step_named(run, f"load-{side}"), events)
    return run


def status_of(run: Run, name: str) -> str:
    return str(make.step_named(run, name).status)


@pytest.mark.parametrize(
    ("value", "failing", "expected"),
    [
        ("all_succeeded", ("left",), Status.SKIPPED),
        ("any_succeeded", ("left",), Status.QUEUED),
        ("any_succeeded", ("left", "right"), Status.SKIPPED),
        ("all_finished", ("left", "right"), Status.QUEUED),
    ],
)
def test_a_node_runs_by_its_rule(
    organization: Organization,
    warehouse: Connection,
    value: str,
    failing: tuple[str, ...],
    expected: str,
) -> None:
    make.make_pipeline(organization, "Publish", warehouse, dataset="published")
    for side in ("left", "right"):
        depend(organization, f"pipeline:load-{side}", "pipeline:publish")
    rule(organization, "pipeline:publish", value)
    run = make.make_run(organization, select="load-left load-right publish")
    # What is edited later does not change a run that was requested.
    rule(organization, "pipeline:publish", "all_succeeded")
    for side in ("left", "right"):
        make.finish(
            make.step_named(run, f"load-{side}"), [make.failed()] if side in failing else []
        )
    step = make.step_named(run, "publish")
    assert step.status == expected
    if expected == Status.SKIPPED:
        several = value == "any_succeeded"
        assert ("none of" if several else "did not succeed") in step.error
    else:
        assert step.is_ready


def test_a_transformation_with_another_rule_is_built_from_what_is_there(
    organization: Organization, warehouse: Connection
) -> None:
    rule(organization, "transformation:both", "any_succeeded")
    run = started(organization, "left")
    # left and right are one dbt call into this file; both waits for it in one of its own.
    call = make.take(make.step_named(run, "left"))
    assert set(call.nodes) == {"transformation:left", "transformation:right"}
    reporter = Reporter(call)
    assert executor._buildable(call, reporter) == ["right"]
    for event in (make.model("right"), make.done(0)):
        reporter.take(event)
    reporter.flush(force=True)
    executor._close(call, reporter, Verdict(Status.SUCCEEDED))
    last = make.step_named(run, "both")
    assert last.nodes == {"transformation:both": ["transformation:left", "transformation:right"]}
    assert last.status == Status.QUEUED
    assert executor._buildable(last, Reporter(last)) == ["both"]


def test_a_window_is_asked_only_of_an_upstream_outside_of_the_run(
    organization: Organization, warehouse: Connection
) -> None:
    depend(organization, "pipeline:load-left", "transformation:left", max_age_seconds=3600)
    alone = make.make_run(organization, "transformation:left")
    (step,) = make.steps(alone)
    with pytest.raises(UpstreamStale) as caught:
        check_windows(step)
    assert caught.value.message == (
        "“Load left” has not succeeded yet; “left” needs a success of the last 1 hour."
    )
    assert "+left" in caught.value.remedy
    step = make.take(step)
    verdict = executor._run(step, Reporter(step), lambda: False)
    assert verdict.status == Status.FAILED
    assert verdict.error is not None
    assert verdict.error["code"] == "upstream_stale"
    assert not verdict.error["transient"]
    executor._close(step, Reporter(step), verdict)

    whole = make.make_run(organization, select="+left")
    make.finish(make.step_named(whole, "load-left"))
    check_windows(make.step_named(whole, "left"))
    # Now it has succeeded, so the node alone is built too, for an hour.
    again = make.steps(make.make_run(organization, "transformation:left"))[0]
    check_windows(again)
    Node.all_organizations.filter(pipeline__slug="load-left").update(
        succeeded_at=timezone.now() - timedelta(hours=26, minutes=5)
    )
    with pytest.raises(UpstreamStale, match="last succeeded 26 hours ago"):
        check_windows(again)


def test_a_load_of_a_part_is_no_success_of_the_whole(
    organization: Organization, warehouse: Connection
) -> None:
    depend(organization, "pipeline:load-left", "transformation:left", max_age_seconds=3600)
    run = make.make_run(organization, "pipeline:load-left")
    run.options = {"resources": ["orders"]}
    run.save(update_fields=["options"])
    make.finish(make.steps(run)[0])
    assert Node.all_organizations.get(pipeline__slug="load-left").succeeded_at is None


def test_failed_tests_are_no_success(organization: Organization, warehouse: Connection) -> None:
    depend(organization, "transformation:left", "transformation:both", max_age_seconds=3600)
    row = Transformation.all_organizations.get(name="left")
    transforms.update_transformation(
        transformation=row,
        actor=make.OPERATOR,
        definition=transforms.TransformationDefinition(
            name="left", sql=row.sql, tests=({"column": "id", "kind": "unique"},)
        ),
    )
    failing = {
        "event": "result",
        "kind": "test",
        "name": "unique_left_id",
        "status": "failed",
        "model": "left",
        "column": "id",
        "test_kind": "unique",
        "failures": 3,
    }
    run = make.make_run(organization, "transformation:left")
    make.finish(make.steps(run)[0], [make.model("left"), failing, make.failed("A test failed.")])
    row.refresh_from_db()
    assert row.build_status == BuildStatus.TESTS_FAILED
    assert row.build_message == "Failed tests: unique (id)"
    assert Node.all_organizations.get(transformation=row).succeeded_at is None
    run = make.make_run(organization, "transformation:left")
    make.finish(
        make.steps(run)[0], [make.model("left"), failing | {"status": "succeeded"}, make.done()]
    )
    row.refresh_from_db()
    assert row.build_status == BuildStatus.SUCCEEDED
    assert Node.all_organizations.get(transformation=row).succeeded_at is not None


def test_a_new_window_begins_with_what_earlier_runs_tell(
    organization: Organization, warehouse: Connection
) -> None:
    make.finish(make.steps(make.make_run(organization, "pipeline:load-left"))[0])
    Node.all_organizations.update(succeeded_at=None)
    edge = depend(organization, "pipeline:load-left", "transformation:left", max_age_seconds=3600)
    assert edge.upstream.succeeded_at is not None
    check_windows(make.steps(make.make_run(organization, "transformation:left"))[0])


def test_changes_are_audited_and_need_an_editor(
    organization: Organization, warehouse: Connection, editor: Person, viewer: Person
) -> None:
    edge = services.add_dependency(
        organization=organization,
        actor=editor.actor,
        upstream="pipeline:load-left",
        downstream="pipeline:load-right",
        max_age_seconds=7200,
        rule="any_succeeded",
    )
    services.update_dependency(dependency=edge, actor=editor.actor, max_age_seconds=None)
    services.update_dependency(dependency=edge, actor=editor.actor, max_age_seconds=None)
    services.remove_dependency(dependency=edge, actor=editor.actor)
    events = AuditEvent.objects.for_organization(organization).filter(
        action__in=[
            "dependency.added",
            "dependency.updated",
            "dependency.removed",
            "node.rule_changed",
        ]
    )
    assert [(e.action, e.changes) for e in events.order_by("pk")] == [
        ("dependency.added", {"max_age_seconds": [None, 7200]}),
        ("node.rule_changed", {"rule": ["all_succeeded", "any_succeeded"]}),
        ("dependency.updated", {"max_age_seconds": [7200, None]}),
        ("dependency.removed", {}),
    ]
    with pytest.raises(PermissionDenied):
        services.set_rule(
            organization=organization,
            actor=viewer.actor,
            key="pipeline:load-left",
            rule="all_finished",
        )
    for seconds in (59, 400 * 86_400):
        with pytest.raises(UserError, match="between one minute and 366 days") as caught:
            depend(
                organization, "pipeline:load-left", "pipeline:load-right", max_age_seconds=seconds
            )
        assert caught.value.field == "max_age_seconds"


def test_circles_are_refused_wherever_they_close(
    organization: Organization, warehouse: Connection
) -> None:
    with pytest.raises(CyclicDependency) as caught:
        depend(organization, "transformation:both", "pipeline:load-left")
    assert caught.value.message == (
        "This would be a circle: “Load left” (pipeline) → “left” → “both” → “Load left” (pipeline)."
    )
    # An edge by hand first, then the SQL that would lead back through it.
    make.make_pipeline(organization, "Publish", warehouse, dataset="published")
    depend(organization, "transformation:both", "pipeline:publish")
    left = Transformation.all_organizations.get(name="left")
    with pytest.raises(UserError, match=r"circle: .*“Publish” \(pipeline\)") as refused:
        transforms.update_transformation(
            transformation=left,
            actor=make.OPERATOR,
            definition=transforms.TransformationDefinition(
                name="left", sql="select * from {{ source('published', 'orders') }}"
            ),
        )
    assert refused.value.field == "sql"


def test_again_from_failure_does_what_failed_and_what_stands_behind_it(
    organization: Organization, warehouse: Connection
) -> None:
    rule(organization, "transformation:both", "any_succeeded")
    run = started(organization, "left")
    call = make.take(make.step_named(run, "left"))
    reporter = Reporter(call)
    executor._buildable(call, reporter)
    for event in (make.model("right"), make.done(0)):
        reporter.take(event)
    reporter.flush(force=True)
    executor._close(call, reporter, Verdict(Status.SUCCEEDED))
    make.finish(make.step_named(run, "both"), [make.model("both"), make.done(0)])
    run.refresh_from_db()
    assert run.status == Status.FAILED
    again = services.retry_run(run=run, actor=make.OPERATOR, from_failure=True)
    assert {key for step in make.steps(again) for key in step.nodes} == {
        "pipeline:load-left",
        "transformation:left",
        "transformation:both",
    }
    # right has succeeded before: both is built again, even should left fail once more.
    make.finish(make.step_named(again, "load-left"), [make.failed()])
    assert status_of(again, "left") == Status.SKIPPED
    assert status_of(again, "both") == Status.QUEUED


def test_tags_of_pipelines_select_them(organization: Organization, warehouse: Connection) -> None:
    Pipeline.all_organizations.filter(slug="load-left").update(tags=["nightly", "shop"])
    run = make.make_run(organization, select="tag:nightly+1")
    assert {key for step in make.steps(run) for key in step.nodes} == {
        "pipeline:load-left",
        "transformation:left",
    }


def test_a_preview_tells_what_would_run(organization: Organization, warehouse: Connection) -> None:
    Pipeline.all_organizations.filter(slug="load-right").update(is_paused=True)
    depend(organization, "pipeline:load-right", "transformation:right", max_age_seconds=3600)
    rule(organization, "transformation:both", "all_finished")
    found = preview_of(organization, "transformation:both", "+both")
    assert [[node.name for node in step.nodes] for step in found.steps] == [
        ["load-left"],
        ["right"],
        ["left"],
        ["both"],
    ]
    assert found.steps[-1].rule == "all_finished"
    assert [node.title for node in found.paused] == ["Load right"]
    assert [error.code for error in found.stale] == ["upstream_stale"]
    assert not Run.all_organizations.exists()


def test_what_sql_reads_is_parsed_once(
    organization: Organization, warehouse: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(sql: str) -> None:
        raise AssertionError("parsed again")

    edges = graph_of(organization).inferred
    monkeypatch.setattr("transforms.selectors._parsed", refuse)
    assert graph_of(organization).inferred == edges
    assert ("transformation:left", "transformation:both") in edges
    monkeypatch.undo()
    # Written past the services: what is noted does not fit any more, so it is not believed.
    Transformation.all_organizations.filter(name="both").update(sql="select 1 as id")
    assert ("transformation:left", "transformation:both") not in graph_of(organization).inferred
