"""A shop to look at: one pipeline that failed, one that loaded, one transformation, one schedule."""

import pytest

from conftest_site import Person
from connections.models import Connection
from orchestration import services
from orchestration.models import Run, Schedule
from orchestration.tests import factories as make
from orchestration.tests.backfilling import MERGED, Committing, Filling
from pipelines.tests.loaded import make_loaded
from tenants.models import Organization


@pytest.fixture
def client_urls(organization: Organization) -> str:
    return f"/o/{organization.slug}"


@pytest.fixture
def stand(organization: Organization) -> Connection:
    """The warehouse of everything below."""
    warehouse = make.make_connection(organization)
    make.make_pipeline(organization, "Orders", warehouse)
    make.make_pipeline(organization, "Users", warehouse)
    sql = "select * from {{ source('raw_orders', 'orders') }}"
    make.make_transformation(organization, "stg_orders", warehouse, sql, tags=("nightly",))
    return warehouse


@pytest.fixture
def failed_run(organization: Organization, stand: Connection) -> Run:
    run = make.make_run(organization, "pipeline:orders")
    make.finish(make.steps(run)[0], [make.failed()])
    run.refresh_from_db()
    return run


@pytest.fixture
def good_run(organization: Organization, stand: Connection) -> Run:
    run = make.make_run(organization, "pipeline:users")
    counted = make.table("users", rows_read=14, rows_loaded=9, rows_rejected=3, rows_filtered=2)
    make.finish(make.steps(run)[0], [counted, make.done(9)])
    run.refresh_from_db()
    return run


@pytest.fixture
def schedule(organization: Organization, stand: Connection, editor: Person) -> Schedule:
    return services.create_schedule(
        organization=organization,
        actor=editor.actor,
        name="Nightly",
        expression="0 6 * * 1-5",
        time_zone="Europe/Berlin",
        target="pipeline:orders",
    )


@pytest.fixture
def filling(
    organization: Organization,
    editor: Person,
    django_capture_on_commit_callbacks: Committing,
    monkeypatch: pytest.MonkeyPatch,
) -> Filling:
    """A shop for backfills, as if it had been loaded."""
    # The bell alone: what it would wake is done by ``Filling.work``.
    monkeypatch.setattr("orchestration.services.backfills.ring", lambda steps: None)
    monkeypatch.setattr("orchestration.tasks.ring", lambda steps, **_: None)
    shop = make_loaded(organization, editor, MERGED)
    shop.pipeline.cursors = {"orders": {"column": "updated_at", "value": "2024-01-04"}}
    shop.pipeline.save(update_fields=["cursors"])
    return Filling(shop, django_capture_on_commit_callbacks)
