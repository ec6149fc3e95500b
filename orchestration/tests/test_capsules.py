"""What a run's capsule holds, with real loads and a real dbt: connections, secrets by fingerprints, hashes, cursors."""

import json
from typing import Any

import pytest

from conftest_site import Person
from connections import services as connections
from connections.fingerprints import fingerprints_of
from connections.models import Connection
from datanika_site.tests.scenario import Shop, make_shop, write_orders
from orchestration import services
from orchestration.capsules import capsule_of, with_cursors
from orchestration.models import Run, Status
from orchestration.run_changes import changes_since, last_success
from orchestration.tests import factories as make
from orchestration.tests.pages import get
from tenants.models import Organization

pytestmark = pytest.mark.django_db

PASSWORD, OTHER = "first-Pa55word-of-all", "second-Pa55word"


@pytest.fixture
def shop(owner: Person) -> Shop:
    assert owner.membership is not None
    return make_shop(owner.membership.organization, owner.actor)


def _server(organization: Organization, name: str, password: str = PASSWORD) -> Connection:
    values = {
        "host": "db.example.com",
        "port": 5432,
        "database": "shop",
        "user": "reader",
        "sslmode": "require",
        "password": password,
    }
    return connections.create_connection(
        organization=organization,
        actor=make.OPERATOR,
        name=name,
        connector="postgres",
        values=values,
    )


def _change(connection: Connection, **changes: Any) -> None:
    values = {**connection.config, "password": "", **changes}
    connections.update_connection(
        connection=connection, actor=make.OPERATOR, name=connection.name, values=values
    )


@pytest.fixture
def source(organization: Organization) -> Connection:
    """A server that a pipeline reads from."""
    found = _server(organization, "Shop server")
    make.make_pipeline(organization, "Sales", make.make_connection(organization), source=found)
    return found


def _run(organization: Organization, *, good: bool) -> Run:
    run = make.make_run(organization, "pipeline:sales")
    make.finish(make.steps(run)[0], [make.table(), make.done() if good else make.failed()])
    run.refresh_from_db()
    return run


def test_a_changed_password_is_told_without_knowing_it(
    organization: Organization, editor: Person, client_urls: str, source: Connection
) -> None:
    _run(organization, good=True)
    _change(source, password=OTHER)
    run = _run(organization, good=False)
    comparison = changes_since(run, last_success(run))
    assert comparison is not None
    assert comparison.summary == "Connection shop-server: password changed"
    page = get(editor.client, f"{client_urls}/runs/{run.number}/")
    assert "Connection shop-server: password changed." in page
    configuration = get(editor.client, f"{client_urls}/runs/{run.number}/configuration/")
    assert "<dt>password</dt><dd>changed</dd>" in configuration
    answer = editor.client.get(
        f"/api/v1/organizations/{organization.slug}/runs/{run.number}/"
    ).json()
    kept = answer["capsule"]["connections"]["shop-server"]
    assert kept["config"]["host"] == "db.example.com"
    assert set(kept["secrets"]) == {"password"}
    for text in (page, configuration, json.dumps(answer), json.dumps(run.capsule)):
        assert PASSWORD not in text
        assert OTHER not in text


def test_changed_settings_are_told_with_both_values(
    organization: Organization, source: Connection
) -> None:
    _run(organization, good=True)
    _change(source, host="new.example.com", password=PASSWORD)
    run = _run(organization, good=False)
    comparison = changes_since(run, last_success(run))
    assert comparison is not None
    (group,) = comparison.groups
    assert [(one.what, one.before, one.after) for one in group.changes] == [
        ("host", "db.example.com", "new.example.com")
    ]


def test_nothing_is_told_where_nothing_changed(
    organization: Organization, source: Connection
) -> None:
    _run(organization, good=True)
    _change(source, password=PASSWORD)  # the same again
    run = _run(organization, good=False)
    comparison = changes_since(run, last_success(run))
    assert comparison is not None
    assert comparison.count == 0


def test_fingerprints_lead_nowhere_back(
    organization: Organization, source: Connection, settings: Any
) -> None:
    own = fingerprints_of(source.pk, {"password": PASSWORD})
    assert own == fingerprints_of(source.pk, {"password": PASSWORD})
    # Of another connection, of another field, under another key.
    assert own != fingerprints_of(source.pk + 1, {"password": PASSWORD})
    assert own["password"] != fingerprints_of(source.pk, {"ssh_key": PASSWORD})["ssh_key"]
    good = _run(organization, good=True)
    settings.HASHING_SECRET = "another" * 8
    assert fingerprints_of(source.pk, {"password": PASSWORD}) != own
    # After the key of the installation has changed, nothing is known, so nothing is said.
    run = _run(organization, good=False)
    comparison = changes_since(run, good)
    assert comparison is not None
    assert comparison.count == 0


def test_what_was_used_is_what_the_run_found_when_it_was_executed(shop: Shop) -> None:
    shop.transformation("number", "select 1 as value")
    run = services.request_run(organization=shop.organization, actor=shop.actor, target="dag")
    assert run.capsule["connections"]["shop"]["config"]["path"] == "shop.sqlite"
    write_orders(shop.files / "other.sqlite", [(1, "Ann", "1.00", "2026-01-01")])
    connections.update_connection(
        connection=shop.source, actor=shop.actor, name="Shop", values={"path": "other.sqlite"}
    )
    run = shop.work(run)
    assert run.status == Status.SUCCEEDED
    capsule = with_cursors(run, capsule_of(run))
    assert capsule["connections"]["shop"]["config"]["path"] == "other.sqlite"
    assert set(capsule["connections"]) == {"shop", "warehouse"}
    assert len(capsule["dlt_schemas"]["orders"]) > 20
    assert len(capsule["dbt_projects"]["warehouse"]) == 64
    assert capsule["cursors"]["orders.orders"] == {
        "column": "updated",
        "before": None,
        "after": "2026-01-01",
    }


def test_the_hashes_tell_what_settings_do_not(shop: Shop) -> None:
    shop.transformation("number", "select 1 as value")
    first = shop.run("transformation:number")
    shop.transformation("beside", "select 2 as value")
    again = shop.run("transformation:number")
    comparison = changes_since(again, first)
    assert comparison is not None
    assert [(group.title, [one.what for one in group.changes]) for group in comparison.groups] == [
        ("Schemas", ["rest of the dbt project in warehouse"])
    ]


def test_as_it_was_says_what_is_of_today(
    organization: Organization, editor: Person, client_urls: str, source: Connection
) -> None:
    run = _run(organization, good=True)
    _change(source, host="new.example.com", password=OTHER)
    page = get(editor.client, f"{client_urls}/runs/{run.number}/configuration/")
    assert "Connections with their settings and passwords, the versions" in page
    assert "host (db.example.com → new.example.com), password changed" in page
    again = services.retry_run(run=run, actor=editor.actor, as_it_was=True)
    page = get(editor.client, f"{client_urls}/runs/{again.number}/")
    assert "Settings and SQL of then; connections, versions and data of today." in page
