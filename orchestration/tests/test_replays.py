"""A run again as it was, with real loads and a real dbt: what people changed since then plays no part."""

from dataclasses import replace
from typing import Any

import duckdb
import pytest

from common.errors import UserError
from conftest_site import Person
from datanika_site.tests.scenario import Shop, make_shop
from orchestration import services
from orchestration.models import Run, Status
from pipelines import services as pipelines
from pipelines.described import definition_of
from transforms import services as transforms

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(owner: Person) -> Shop:
    assert owner.membership is not None
    return make_shop(owner.membership.organization, owner.actor)


def built(shop: Shop, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(shop.files / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute(query).fetchall()


def again(shop: Shop, run: Run) -> Run:
    return shop.work(services.retry_run(run=run, actor=shop.actor, as_it_was=True))


def test_sql_and_settings_of_then_are_executed(shop: Shop) -> None:
    number = shop.transformation("number", "select 1 as value")
    first = shop.run()
    assert first.status == Status.SUCCEEDED

    changed = replace(transforms.definition_of(number), sql="select 2 as other")
    transforms.update_transformation(transformation=number, actor=shop.actor, definition=changed)
    settings = definition_of(shop.pipeline)
    narrowed = replace(settings.resources[0], filters=({"column": "id", "op": "eq", "value": -1},))
    pipelines.update_pipeline(
        pipeline=shop.pipeline,
        actor=shop.actor,
        definition=replace(settings, resources=(narrowed,)),
    )
    repeated = again(shop, first)
    assert repeated.rows_loaded > 0  # from its cursor on
    assert repeated.status == Status.SUCCEEDED
    assert repeated.as_it_was
    assert built(shop, "SELECT value FROM analytics.number") == [(1,)]
    assert repeated.capsule["nodes"] == first.capsule["nodes"]
    assert "as it was in run #1" in shop.log(repeated)
    # Today's is what it became.
    assert shop.run("pipeline:orders").rows_loaded == 0
    shop.run()
    assert built(shop, "SELECT other FROM analytics.number") == [(2,)]


def test_what_is_gone_is_named(shop: Shop) -> None:
    number = shop.transformation("number", "select 1 as value")
    run = shop.run()
    transforms.delete_transformation(transformation=number, actor=shop.actor)
    with pytest.raises(UserError, match="number is not there any more"):
        services.retry_run(run=run, actor=shop.actor, as_it_was=True)
    run.capsule = {"note": "emptied"}
    run.save(update_fields=["capsule"])
    with pytest.raises(UserError, match="no longer kept"):
        services.retry_run(run=run, actor=shop.actor, as_it_was=True)
    assert Run.all_organizations.count() == 1
