"""Runs on real systems: SQLite through dlt into DuckDB, through dbt into marts, with everything recorded."""

import threading
import time

import duckdb
import psycopg
import pytest
from django.db import connections as databases

from audit.models import AuditEvent
from conftest_site import Person
from connections import services as connections
from connections.models import DatasetTable
from datanika_site.demo.data import postgres_values
from datanika_site.tests.scenario import ORDERS, Shop, make_shop, write_orders
from orchestration import services as orchestration
from orchestration.engine import executor
from orchestration.engine.claims import waiting_steps
from orchestration.models import Run, Status
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, Pipeline, WriteDisposition
from tenants.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

STAGING = "select id, customer, cast(amount as decimal(10, 2)) as amount from {{ source('raw_shop', 'orders') }}"
TOTALS = "select count(*) as orders, sum(amount) as amount from {{ ref('stg_orders') }}"
NOT_NULL = {"column": "customer", "kind": "not_null", "severity": "warn"}


@pytest.fixture
def shop(organization: Organization, owner: Person) -> Shop:
    return make_shop(organization, owner.actor)


def rows_in(shop: Shop, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(shop.files / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute(query).fetchall()


def test_the_whole_path_from_database_to_mart(shop: Shop, owner: Person) -> None:
    shop.transformation("stg_orders", STAGING, tests=(NOT_NULL,))
    shop.transformation("totals", TOTALS, materialization="table")

    run = shop.run()

    assert run.status == Status.SUCCEEDED, shop.log(run)
    assert run.has_warnings
    assert [step.name for step in shop.steps(run)] == ["Orders", "2 transformations"]
    loaded = rows_in(shop, "select id, customer, amount from raw_shop.orders order by id")
    assert loaded == [(row[0], row[1], row[2]) for row in ORDERS]
    assert [(n, str(a)) for n, a in rows_in(shop, "select * from analytics.totals")] == [
        (3, "32.15")
    ]
    orders = shop.results(run)["orders"]
    assert (orders.rows_read, orders.rows_loaded, orders.rows_filtered) == (3, 3, 0)
    assert shop.results(run)["totals"].rows_loaded == 1
    table = DatasetTable.objects.for_organization(shop.organization).get(name="orders")
    assert table.loaded_at is not None
    assert "amount" in {column["name"] for column in table.columns}

    # Every page that shows what came of it.
    for page in (
        "",
        "runs/",
        f"runs/{run.number}/",
        f"runs/{run.number}/configuration/",
        f"runs/{run.number}/log/?after=0",
        "pipelines/orders/",
        "transformations/stg_orders/",
        "lineage/?node=transformation:totals",
        "audit/",
    ):
        response = owner.client.get(f"/o/acme/{page}")
        assert response.status_code == 200, page
        assert b"style=" not in response.content, page

    # The next run takes what is new, and the audit log knows who asked for both.
    write_orders(shop.files / "shop.sqlite", [(4, "Dan", "1.00", "2026-01-04")])
    again = shop.run()
    assert again.status == Status.SUCCEEDED, shop.log(again)
    assert rows_in(shop, "select orders from analytics.totals") == [(4,)]
    shop.pipeline.refresh_from_db()
    assert shop.pipeline.cursors["orders"]["value"].startswith("2026-01-04")
    asked = AuditEvent.objects.for_organization(shop.organization).filter(action="run.requested")
    assert {event.actor_label for event in asked} == {"Olga"}
    assert asked.count() == 2


def test_a_failed_load_skips_only_what_stands_behind_it(shop: Shop) -> None:
    shop.transformation("stg_orders", STAGING)
    shop.transformation("constant", "select 1 as one", materialization="table")
    (shop.files / "shop.sqlite").unlink()

    run = shop.run()

    assert run.status == Status.FAILED
    assert "shop.sqlite" in run.error
    statuses = {step.name: step.status for step in shop.steps(run)}
    assert statuses["Orders"] == Status.FAILED
    assert shop.results(run)["constant"].status == "succeeded"
    assert rows_in(shop, "select one from analytics.constant") == [(1,)]
    assert "Traceback" not in shop.log(run)

    # Put right, only what failed and what stands behind it runs again.
    write_orders(shop.files / "shop.sqlite", ORDERS)
    again = orchestration.retry_run(run=run, actor=shop.actor, from_failure=True)
    assert shop.work(again).status == Status.SUCCEEDED, shop.log(again)
    assert set(shop.results(again)) == {"orders", "stg_orders"}


def test_sql_that_does_not_compile_names_the_line(shop: Shop) -> None:
    shop.transformation(
        "broken", "select\n  nothing_like_this\nfrom {{ source('raw_shop', 'orders') }}"
    )
    run = shop.run()
    assert run.status == Status.FAILED
    assert "broken" in run.error
    assert str(shop.files) not in shop.log(run)


def test_a_failing_test_fails_the_run_and_keeps_its_rows(shop: Shop) -> None:
    failing = {**NOT_NULL, "severity": "error"}
    shop.transformation("stg_orders", STAGING, tests=(failing,))
    shop.transformation("totals", TOTALS, materialization="table")
    run = shop.run()
    assert run.status == Status.FAILED
    results = shop.results(run)
    assert results["totals"].status == "skipped"
    test = next(row for row in results.values() if row.kind == "test")
    assert test.details["failures"] == 1


def test_a_missing_cursor_column_is_named_before_anything_is_written(shop: Shop) -> None:
    definition = PipelineDefinition(
        name="Orders",
        dataset="raw_shop",
        mode=Mode.SINGLE_TABLE,
        source_schema="main",
        resources=(
            ResourceDefinition(
                name="orders",
                target="orders",
                write_disposition=WriteDisposition.APPEND,
                cursor_column="changed_at",
            ),
        ),
    )
    pipelines.update_pipeline(pipeline=shop.pipeline, actor=shop.actor, definition=definition)
    run = shop.run("pipeline:orders")
    assert run.status == Status.FAILED
    assert "changed_at" in run.error
    assert not (shop.files / "warehouse.duckdb").exists()


def test_secrets_reach_no_log_and_no_error(shop: Shop, postgres_url: str) -> None:
    values = postgres_values(postgres_url) | {"password": "canary-s3cret-password"}
    shop.pipeline.source = connections.create_connection(
        organization=shop.organization,
        actor=shop.actor,
        name="Elsewhere",
        connector="postgres",
        values=values,
        use_as="source",
    )
    shop.pipeline.source_schema = "public"
    shop.pipeline.save()
    run = shop.run("pipeline:orders")
    assert run.status == Status.FAILED
    step = shop.steps(run)[0]
    said = f"{shop.log(run)} {run.error} {run.capsule} {step.error} {step.error_detail}"
    assert "canary-s3cret-password" not in said


def test_cancel_ends_the_query_on_the_server(shop: Shop, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE VIEW slow AS SELECT 1 AS id, pg_sleep(600)::text AS x")
        pipeline = _postgres_pipeline(shop, postgres_url, "slow")
        run = orchestration.request_run(
            organization=shop.organization, actor=shop.actor, target=f"pipeline:{pipeline.slug}"
        )
        ended = _work_and_cancel(shop, run, server)
        assert ended.status == Status.CANCELLED
        assert ended.cancelled_by == "Olga"
        assert _sleeping(server) == 0


def _work_and_cancel(shop: Shop, run: Run, server: psycopg.Connection) -> Run:
    """Execute in a thread, as a worker does, and cancel once the query is seen on the server."""

    def work() -> None:
        for step_id in waiting_steps(shop.organization.pk):
            executor.execute(step_id)
        databases.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    deadline = time.monotonic() + 60
    while not _sleeping(server) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _sleeping(server) == 1
    orchestration.cancel_run(run=run, actor=shop.actor)
    worker.join(30)
    run.refresh_from_db()
    return run


def _sleeping(server: psycopg.Connection) -> int:
    found = server.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE state = 'active' AND query ILIKE '%slow%' AND pid <> pg_backend_pid()"
    ).fetchone()
    return int(found[0]) if found else 0


def _postgres_pipeline(shop: Shop, url: str, table: str) -> Pipeline:
    source = connections.create_connection(
        organization=shop.organization,
        actor=shop.actor,
        name="Server",
        connector="postgres",
        values=postgres_values(url),
        use_as="source",
    )
    return pipelines.create_pipeline(
        organization=shop.organization,
        actor=shop.actor,
        source=source,
        destination=shop.warehouse,
        definition=PipelineDefinition(
            name="From the server",
            dataset="raw_server",
            mode=Mode.SINGLE_TABLE,
            source_schema="public",
            resources=(ResourceDefinition(name=table, target=table),),
        ),
    )
