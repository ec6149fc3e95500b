"""How tables changed their shape, read out of what runs reported."""

from datetime import timedelta
from typing import Any

import pytest

from conftest_site import Person
from connections.models import Connection
from orchestration.models import RunStepResult
from orchestration.schema_changes import schema_changes
from orchestration.tests import factories as make
from pipelines.models import Pipeline
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def change(column: str, treatment: str = "evolved") -> dict[str, str]:
    return {
        "change": "column_added",
        "column": column,
        "before": "",
        "after": "text",
        "treatment": treatment,
    }


def run_with(organization: Organization, target: str, *changes: dict[str, str]) -> None:
    result: dict[str, Any] = {**make.table(), "schema_changes": list(changes)}
    run = make.make_run(organization, target)
    make.finish(make.steps(run)[0], [result, make.done()])


def test_the_newest_first_and_of_one_pipeline(
    organization: Organization, stand: Connection, viewer: Person, stranger: Person
) -> None:
    run_with(organization, "pipeline:orders", change("a"), change("b", "left out"))
    run_with(organization, "pipeline:orders")
    run_with(organization, "pipeline:users", change("z"))
    run_with(organization, "pipeline:orders", change("c"))
    orders = Pipeline.objects.for_organization(organization).get(slug="orders")
    found = schema_changes(orders)
    assert [(one.run, one.column, one.treatment) for one in found] == [
        (4, "c", "evolved"),
        (1, "a", "evolved"),
        (1, "b", "left out"),
    ]
    assert (found[0].table, found[0].resource, found[0].at) == (
        "orders",
        "orders",
        make.START + timedelta(seconds=3),
    )
    assert len(schema_changes(orders, limit=2)) == 2

    url = f"/api/v1/organizations/{organization.slug}/pipelines/orders/schema-changes/"
    listed = viewer.client.get(url, {"limit": "1"}).json()
    assert [(row["run"], row["column"], row["change"]) for row in listed] == [
        (4, "c", "column_added")
    ]
    assert viewer.client.get(url, {"limit": "0"}).status_code == 422
    assert stranger.client.get(url).status_code == 404


def test_what_a_load_says_about_a_table_is_kept(
    organization: Organization, stand: Connection
) -> None:
    said: dict[str, Any] = {
        "conversions": [{"column": "total", "text": "kept as text", "count": 2}],
        "rejects": [{"column": "id", "reason": "no number", "count": 1}],
        "verification": {"level": "counts", "status": "differed", "checks": []},
        "schema_changes": [],
        "lane": "duck",
        "bytes": 12,
        "seconds": {"read": 0.1, "commit": 0.2},
    }
    run = make.make_run(organization, "pipeline:orders")
    make.finish(make.steps(run)[0], [{**make.table(), **said}, make.done()])
    result = RunStepResult.objects.for_organization(organization).get()
    assert {key: result.details[key] for key in said} == said
    run.refresh_from_db()
    assert run.has_warnings, "what was loaded differs from its source"
