"""Where a page sends people to put right what failed."""

from urllib.parse import urlsplit

import psycopg
import pytest

from conftest_site import Person
from connections import services as connections
from connections.models import Connection, UseAs
from orchestration.attention import attention_of
from orchestration.engine import executor
from orchestration.explanations.steps import explain_step
from orchestration.models import RunStep, Status
from orchestration.tests import factories as make
from orchestration.tests.pages import get
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def _uncompiled(stand: Connection, error: str) -> RunStep:
    run = make.make_run(stand.organization, "transformation:stg_orders")
    step: RunStep = make.steps(run)[0]
    RunStep.all_organizations.filter(pk=step.pk).update(
        status="failed", error=error, error_code="compile_failed"
    )
    step.refresh_from_db()
    return step


def _labels(step: RunStep) -> list[str]:
    return [link.label for link in explain_step(step).links]


def test_what_does_not_compile_is_one_click_away(stand: Connection) -> None:
    assert _labels(_uncompiled(stand, "stg_orders: no macro of that name")) == ["Open stg_orders"]
    assert _labels(_uncompiled(stand, "The project could not be read")) == ["Open stg_orders"]


def test_another_transformation_that_stops_all_is_the_one_to_open(stand: Connection) -> None:
    make.make_transformation(stand.organization, "mart", stand, "select 1")
    assert _labels(_uncompiled(stand, "mart: boom")) == ["Open mart"]


def _server(organization: Organization, name: str, url: str, password: str) -> Connection:
    parts = urlsplit(url)
    values = {
        "host": parts.hostname,
        "port": parts.port,
        "database": parts.path[1:],
        "user": parts.username,
        "sslmode": "disable",
        "password": password,
    }
    return connections.create_connection(
        organization=organization,
        actor=make.OPERATOR,
        name=name,
        connector="postgres",
        values=values,
        use_as=UseAs.BOTH,
    )


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("source", "the connection Shop, its source"),
        ("destination", "the connection Lake, its destination"),
    ],
)
def test_of_two_servers_the_one_that_refused_is_named_and_linked(
    organization: Organization,
    editor: Person,
    client_urls: str,
    postgres_url: str,
    wrong: str,
    where: str,
) -> None:
    """Both ends are the same real server; one of them is asked with a password that it does not know."""
    password = urlsplit(postgres_url).password or ""
    given = {"source": password, "destination": password, wrong: "not it"}
    shop = _server(organization, "Shop", postgres_url, given["source"])
    lake = _server(organization, "Lake", postgres_url, given["destination"])
    with psycopg.connect(postgres_url) as server:
        server.execute("CREATE TABLE orders (id integer PRIMARY KEY)")
    make.make_pipeline(organization, "Orders", lake, source=shop)
    run = make.make_run(organization, "pipeline:orders")
    executor.execute(make.steps(run)[0].pk)
    (step,) = make.steps(run)
    assert (step.status, step.error_signature) == (Status.FAILED, "sqlstate:28P01"), step.error
    explained = explain_step(step)
    assert explained.where == where
    refused = shop if wrong == "source" else lake
    link = f"{client_urls}/connections/{refused.slug}/"
    assert [(one.label, one.url) for one in explained.links] == [
        (f"Fix connection {refused.name}", link)
    ]
    page = get(editor.client, f"{client_urls}/runs/{run.number}/")
    assert where in page
    # So does what needs attention.
    (item,) = attention_of(organization, can_edit=True).items
    assert (item.action, item.action_url) == (f"Fix connection {refused.name}", link)
