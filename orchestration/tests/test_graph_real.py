"""Rules with dbt itself, and two people who draw at once on PostgreSQL."""

from pathlib import Path

import pytest

from conftest_site import Person
from datanika_site.tests.installation import Installation
from datanika_site.tests.scenario import Shop, make_shop
from orchestration import services
from orchestration.models import Status
from tenants.models import Organization
from transforms.models import Transformation

TWO_EDGES = """
import threading
from django.db import connection
from connections import services as connections
from orchestration import services
from orchestration.errors import CyclicDependency
from orchestration.models import Dependency
from orchestration.tests import factories as make
from tenants.models import Organization

organization = Organization(name="Acme", slug="acme")
organization.save()
warehouse = make.make_connection(organization)
for name in ("One", "Two", "Three"):
    make.make_pipeline(organization, name, warehouse)
barrier = threading.Barrier(3)
refused = []

def draw(upstream, downstream):
    barrier.wait()
    try:
        services.add_dependency(
            organization=organization, actor=make.OPERATOR, upstream=upstream, downstream=downstream
        )
    except CyclicDependency as error:
        refused.append(error.message)
    finally:
        connection.close()

names = ["pipeline:one", "pipeline:two", "pipeline:three"]
for _round in range(5):
    Dependency.all_organizations.all().delete()
    refused.clear()
    pairs = list(zip(names, names[1:] + names[:1]))
    threads = [threading.Thread(target=draw, args=pair) for pair in pairs]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert Dependency.all_organizations.count() == 2, refused
    assert len(refused) == 1 and "circle" in refused[0], refused
print("no circle")
"""


def test_three_at_once_cannot_close_a_circle_together(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    site = Installation.distributed(tmp_path / "data", postgres_url, redis_url)
    site.manage("migrate", "--verbosity", "0")
    assert site.python(TWO_EDGES).splitlines()[-1] == "no circle"


@pytest.mark.django_db(transaction=True)
def test_dbt_builds_a_node_behind_a_failure_when_its_rule_says_so(
    organization: Organization, owner: Person
) -> None:
    shop: Shop = make_shop(organization, owner.actor)
    shop.transformation("good", "select 1 as id")
    shop.transformation("bad", "select no_such_column as id from {{ ref('good') }}")
    summary = "select id from {{ ref('good') }} -- {{ ref('bad') }}"
    shop.transformation("summary", summary)
    shop.transformation("behind", "select id from {{ ref('summary') }}")

    plain = shop.run(select="good bad summary behind")
    assert plain.status == Status.FAILED
    assert {name: row.status for name, row in shop.results(plain).items()} == {
        "good": "succeeded", "bad": "failed", "summary": "skipped", "behind": "skipped",
    }  # fmt: skip

    runs = []
    for rule in ("any_succeeded", "all_finished"):
        services.set_rule(
            organization=organization, actor=owner.actor, key="transformation:summary", rule=rule
        )
        run = shop.run(select="good bad summary behind")
        runs.append(run)
        assert run.status == Status.FAILED
        assert {name: row.status for name, row in shop.results(run).items()} == {
            "good": "succeeded", "bad": "failed", "summary": "succeeded", "behind": "succeeded",
        }  # fmt: skip
    assert Transformation.all_organizations.get(name="behind").build_status == "succeeded"

    again = services.retry_run(run=runs[-1], actor=owner.actor, from_failure=True)
    assert {key for step in shop.steps(again) for key in step.nodes} == {
        "transformation:bad", "transformation:summary", "transformation:behind",
    }  # fmt: skip
