"""Claims, advancing, cancelling and repeating, on rows."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from common.errors import UserError
from connections.models import Connection
from orchestration import services
from orchestration.engine import claims, executor
from orchestration.engine.reporter import LeaseLost, Reporter
from orchestration.engine.sweep import sweep
from orchestration.engine.watch import Verdict, is_cancelled
from orchestration.errors import CyclicDependency, PipelinePaused, RunNotActive, RunStillActive
from orchestration.models import Run, RunLogLine, RunStep, RunStepResult, Status
from orchestration.tests import factories as make
from pipelines import services as pipelines
from tenants.models import Organization

pytestmark = pytest.mark.django_db

BUILT = [make.model("stg_orders"), make.model("fct"), make.model("dim_users")]


@pytest.fixture
def warehouse(organization: Organization) -> Connection:
    return make.make_connection(organization)


@pytest.fixture
def shop(organization: Organization, warehouse: Connection) -> Organization:
    """Two pipelines, a chain behind each of them, and one transformation that reads both ends.

    orders → stg_orders → fct, users → dim_users, each chain in the same warehouse.
    """
    make.make_pipeline(organization, "Orders", warehouse)
    make.make_pipeline(organization, "Users", warehouse)
    sql = "select * from {{ source('raw_orders', 'orders') }}"
    make.make_transformation(organization, "stg_orders", warehouse, sql)
    make.make_transformation(
        organization, "fct", warehouse, "select * from {{ ref('stg_orders') }}", tags=("nightly",)
    )
    sql = "select * from {{ source('raw_users', 'orders') }}"
    make.make_transformation(organization, "dim_users", warehouse, sql)
    return organization


def refreshed(run: Run) -> Run:
    run.refresh_from_db()
    return run


def test_a_run_goes_through_its_steps(shop: Organization) -> None:
    run = make.make_run(shop)
    assert run.number == 1
    # A DuckDB file has one writer, so its transformations are one dbt call.
    assert set(make.statuses(run)) == {"Orders", "Users", "3 transformations"}
    build = make.step_named(run, "fct")
    assert claims.claim(build.pk) is None  # its upstream has not ended
    rung = make.finish(make.step_named(run, "orders"), [make.table(), make.done(10)])
    assert build.pk not in rung
    assert refreshed(run).status == Status.RUNNING
    assert build.pk in make.finish(make.step_named(run, "users"))
    make.finish(build, [*BUILT, make.done(0)])
    assert refreshed(run).status == Status.SUCCEEDED
    assert run.rows_loaded == 20
    assert run.finished_at is not None


def test_what_stands_only_behind_a_failure_is_skipped(shop: Organization) -> None:
    run = make.make_run(shop, select="+fct")
    make.finish(make.step_named(run, "orders"), [make.failed()])
    build = make.step_named(run, "fct")
    assert build.status == Status.SKIPPED
    assert build.error == "Skipped: orders did not succeed."
    assert refreshed(run).status == Status.FAILED
    assert run.error == "The server refused the password."


def half_failed(shop: Organization) -> Run:
    """A run whose pipeline orders failed: of the one build only dim_users could be built."""
    run = make.make_run(shop)
    make.finish(make.step_named(run, "orders"), [make.failed()])
    make.finish(make.step_named(run, "users"))
    build = make.take(make.step_named(run, "fct"))
    reporter = Reporter(build)
    assert executor._buildable(build, reporter) == ["dim_users"]
    for event in (make.model("dim_users"), make.done(0)):
        reporter.take(event)
    reporter.flush(force=True)
    executor._close(build, reporter, Verdict(Status.SUCCEEDED))
    return refreshed(run)


def test_a_failure_skips_only_what_stands_behind_it(shop: Organization) -> None:
    run = half_failed(shop)
    assert run.status == Status.FAILED
    results = RunStepResult.all_organizations.filter(step__run=run, kind="model")
    assert dict(results.values_list("name", "status")) == {
        "stg_orders": "skipped",
        "fct": "skipped",
        "dim_users": "succeeded",
    }


def test_a_partly_failed_build_blocks_only_what_reads_its_broken_half(
    shop: Organization, warehouse: Connection
) -> None:
    """fct fails inside the build: a pipeline behind stg_orders goes on, one behind fct is skipped."""
    for name, upstream in (("After good", "stg_orders"), ("After bad", "fct")):
        pipeline = make.make_pipeline(shop, name, warehouse, dataset=f"back_{upstream}")
        services.add_dependency(
            organization=shop,
            actor=make.OPERATOR,
            upstream=f"transformation:{upstream}",
            downstream=f"pipeline:{pipeline.slug}",
        )
    run = make.make_run(shop, select="orders+")
    make.finish(make.step_named(run, "orders"))
    results = [make.model("stg_orders"), make.model("fct", "failed"), make.failed("fct failed.")]
    make.finish(make.step_named(run, "fct"), results)
    assert make.statuses(run)["After bad"] == Status.SKIPPED
    assert make.statuses(run)["After good"] == Status.QUEUED
    make.finish(make.step_named(run, "after-good"))
    assert refreshed(run).status == Status.FAILED


def test_only_one_worker_gets_a_step(shop: Organization) -> None:
    step = make.step_named(make.make_run(shop, "pipeline:orders"), "orders")
    assert claims.claim(step.pk) is not None
    assert claims.claim(step.pk) is None


def test_a_single_writer_and_the_organizations_places_are_waited_for(
    shop: Organization, warehouse: Connection
) -> None:
    first, second = make.make_run(shop, "pipeline:orders"), make.make_run(shop, "pipeline:users")
    step, waiting = make.steps(first)[0], make.steps(second)[0]
    make.take(step)
    assert claims.claim(waiting.pk) is None
    waiting.refresh_from_db()
    assert "Warehouse" in waiting.waiting_for
    assert "#1" in waiting.waiting_for

    warehouse.max_concurrent_runs = 5
    warehouse.save(update_fields=["max_concurrent_runs"])
    shop.max_concurrent_runs = 1
    shop.save(update_fields=["max_concurrent_runs"])
    assert claims.claim(waiting.pk) is None
    waiting.refresh_from_db()
    assert "the one place of" in waiting.waiting_for

    shop.max_concurrent_runs = 2
    shop.save(update_fields=["max_concurrent_runs"])
    assert claims.claim(waiting.pk) is not None


def test_the_same_pipeline_waits_for_its_other_run(shop: Organization) -> None:
    first, second = make.make_run(shop, "pipeline:orders"), make.make_run(shop, "pipeline:orders")
    make.take(make.steps(first)[0])
    assert claims.claim(make.steps(second)[0].pk) is None
    assert "same pipeline" in make.steps(second)[0].waiting_for


def test_a_worker_that_lost_its_lease_writes_nothing(shop: Organization) -> None:
    run = make.make_run(shop, "pipeline:orders")
    step = make.take(make.steps(run)[0])
    RunStep.all_organizations.filter(pk=step.pk).update(lease_token=uuid.uuid4())
    reporter = Reporter(step)
    lines = RunLogLine.all_organizations.filter(run=run).count()
    reporter.take(make.table())
    reporter.say("info", "late")
    with pytest.raises(LeaseLost):
        reporter.flush(force=True)
    with pytest.raises(LeaseLost):
        executor._close(step, reporter, Verdict(Status.SUCCEEDED))
    assert not claims.renew(step)
    assert RunLogLine.all_organizations.filter(run=run).count() == lines
    assert not RunStepResult.all_organizations.filter(step=step).exists()
    assert make.steps(run)[0].status == Status.RUNNING


def test_a_lost_worker_is_replaced_until_it_was_lost_too_often(shop: Organization) -> None:
    run = make.make_run(shop, "pipeline:orders")
    for attempt in (1, 2, 3):
        step = make.take(make.steps(run)[0])
        assert step.attempt == attempt
        RunStep.all_organizations.filter(pk=step.pk).update(
            lease_expires_at=timezone.now() - timedelta(seconds=1)
        )
        rung = sweep()
        assert (step.pk in rung) == (attempt < 3)
    assert refreshed(run).status == Status.FAILED
    assert make.steps(run)[0].times_lost == 3
    assert "lost 3 times" in run.error


def test_a_transient_error_waits_and_tries_again(shop: Organization) -> None:
    run = make.make_run(shop, "pipeline:orders")
    step = make.take(make.steps(run)[0])
    error = {**make.failed("Too busy.", "temporarily_unavailable"), "transient": True}
    reporter = make.report(step, error)
    ended = executor._close(step, reporter, Verdict(Status.FAILED, reporter.error))
    assert ended.again == step.pk
    again = make.steps(run)[0]
    assert (again.status, again.attempt) == (Status.QUEUED, 2)
    assert claims.claim(step.pk) is None  # not before its time


def test_cancelling_ends_what_waits_and_asks_what_runs(shop: Organization) -> None:
    run = make.make_run(shop)
    running = make.take(make.step_named(run, "orders"))
    services.cancel_run(run=run, actor=make.OPERATOR)
    assert make.statuses(run)["Users"] == Status.CANCELLED
    assert refreshed(run).status == Status.RUNNING
    assert is_cancelled(running)
    verdict = Verdict(Status.CANCELLED)
    executor._close(running, Reporter(running), verdict)
    assert refreshed(run).status == Status.CANCELLED
    with pytest.raises(RunNotActive):
        services.cancel_run(run=run, actor=make.OPERATOR)


def test_again_from_failure_takes_what_failed_and_what_was_skipped(shop: Organization) -> None:
    active = make.make_run(shop, "pipeline:users")
    with pytest.raises(RunStillActive):
        services.retry_run(run=active, actor=make.OPERATOR)
    services.cancel_run(run=active, actor=make.OPERATOR)
    run = half_failed(shop)
    again = services.retry_run(run=run, actor=make.OPERATOR, from_failure=True)
    assert {key for step in make.steps(again) for key in step.nodes} == {
        "pipeline:orders",
        "transformation:stg_orders",
        "transformation:fct",
    }
    assert again.retry_of == run
    whole = services.retry_run(run=run, actor=make.OPERATOR)
    assert len(make.steps(whole)) == 3


def test_what_a_partial_build_left_out_blocks_what_reads_it(
    shop: Organization, warehouse: Connection
) -> None:
    make.make_pipeline(shop, "Back", warehouse)
    services.add_dependency(
        organization=shop,
        actor=make.OPERATOR,
        upstream="transformation:fct",
        downstream="pipeline:back",
    )
    assert make.statuses(half_failed(shop))["Back"] == Status.SKIPPED


def test_nothing_to_repeat_says_so(shop: Organization) -> None:
    run = make.make_run(shop, "pipeline:orders")
    make.finish(make.steps(run)[0])
    with pytest.raises(UserError, match="Nothing of this run failed"):
        services.retry_run(run=refreshed(run), actor=make.OPERATOR, from_failure=True)


def test_the_same_idempotency_key_is_the_same_run(shop: Organization) -> None:
    runs = [
        services.request_run(
            organization=shop, actor=make.OPERATOR, target="pipeline:orders", idempotency_key="k"
        )
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert Run.all_organizations.count() == 1


def test_paused_pipelines_are_left_out_of_the_graph(shop: Organization) -> None:
    from orchestration.graph import find_thing
    from pipelines.models import Pipeline

    pipeline = find_thing(shop, "pipeline:orders")
    assert isinstance(pipeline, Pipeline)
    pipelines.set_paused(pipeline=pipeline, actor=make.OPERATOR, paused=True)
    assert "Orders" not in make.statuses(make.make_run(shop))
    with pytest.raises(PipelinePaused):
        make.make_run(shop, "pipeline:orders")


def test_a_drawn_circle_is_refused_with_its_path(shop: Organization) -> None:
    with pytest.raises(CyclicDependency) as caught:
        services.add_dependency(
            organization=shop,
            actor=make.OPERATOR,
            upstream="transformation:fct",
            downstream="pipeline:orders",
        )
    assert set(caught.value.path) == {
        "pipeline:orders",
        "transformation:stg_orders",
        "transformation:fct",
    }
