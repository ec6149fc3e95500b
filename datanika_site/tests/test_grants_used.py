"""People who were given something, over HTTP: what they do with it, and what they try beyond."""

import json
from typing import Any

import pytest
from django.test import Client

from common.access import Role
from conftest_site import Person
from connections.models import Connection, UseAs
from orchestration import views_run_log
from orchestration.models import Run
from orchestration.tests.factories import make_connection, make_pipeline, make_run
from pipelines import services as pipelines
from pipelines.models import Pipeline
from tenants import services
from tenants.models import Membership, Organization
from tenants.services import tokens

API = "/api/v1/organizations/acme/"


@pytest.fixture
def pipeline(organization: Organization) -> Pipeline:
    return make_pipeline(organization, "Orders", make_connection(organization))


@pytest.fixture
def other(pipeline: Pipeline) -> Pipeline:
    return make_pipeline(pipeline.organization, "Customers", pipeline.destination)


def share(on: Any, person: Person, permission: str, giver: Person) -> None:
    assert person.membership is not None
    services.give_grant(
        on=on, membership=person.membership, permission=permission, actor=giver.actor
    )


def send(client: Client, method: str, path: str, data: Any = None) -> Any:
    body = "" if data is None else json.dumps(data)
    return client.generic(method, API + path, body, content_type="application/json")


def test_a_viewer_with_a_grant_runs_this_pipeline_alone(
    organization: Organization, pipeline: Pipeline, other: Pipeline, viewer: Person, admin: Person
) -> None:
    share(pipeline, viewer, "run", admin)
    start = "/o/acme/runs/create/"
    assert viewer.client.post(start, {"target": "pipeline:orders"}).status_code == 302
    run = Run.objects.for_organization(organization).get()
    assert run.requested_by == "Viktor"
    for target, select in (
        ("pipeline:customers", ""),
        ("dag", ""),
        ("pipeline:orders", "orders customers"),
        ("pipeline:orders", "path:nothing"),
    ):
        sent = {"target": target, "select": select}
        assert viewer.client.post(start, sent).status_code == 403, sent
        assert send(viewer.client, "POST", "runs/", sent).status_code == 403, sent
    # What the address names cannot stand for what the form names.
    forged = f"{start}?target=pipeline:orders"
    assert viewer.client.post(forged, {"target": "pipeline:customers"}).status_code == 403
    assert Run.objects.for_organization(organization).count() == 1
    assert send(viewer.client, "POST", f"runs/{run.number}/cancel/").status_code == 200
    assert send(viewer.client, "POST", f"runs/{run.number}/retry/", {}).status_code == 201
    whole = make_run(organization)
    assert send(viewer.client, "POST", f"runs/{whole.number}/cancel/").status_code == 403


def test_a_selection_runs_when_all_of_it_is_shared(
    organization: Organization, pipeline: Pipeline, other: Pipeline, viewer: Person, admin: Person
) -> None:
    share(pipeline, viewer, "run", admin)
    sent = {"target": "dag", "select": "orders customers"}
    assert send(viewer.client, "POST", "runs/", sent).status_code == 403
    share(other, viewer, "edit", admin)
    assert send(viewer.client, "POST", "runs/", sent).status_code == 201


def test_buttons_are_where_the_grants_are(
    pipeline: Pipeline, other: Pipeline, viewer: Person, admin: Person
) -> None:
    share(pipeline, viewer, "run", admin)
    page = viewer.client.get("/o/acme/pipelines/").content.decode()
    assert "Run Orders now" in page
    assert "Run Customers now" not in page
    assert "Pause Orders" not in page
    mine = viewer.client.get("/o/acme/pipelines/orders/").content.decode()
    assert 'action="/o/acme/runs/create/"' in mine
    assert "With upstream" not in mine, "what runs others along is for who may run all"
    theirs = viewer.client.get("/o/acme/pipelines/customers/").content.decode()
    assert 'action="/o/acme/runs/create/"' not in theirs
    share(pipeline, viewer, "edit", admin)
    assert "Pause Orders" in viewer.client.get("/o/acme/pipelines/").content.decode()
    assert "Duplicate" not in viewer.client.get("/o/acme/pipelines/orders/").content.decode()


def test_a_viewer_with_a_grant_edits_how_it_writes_and_not_what_it_reads(
    pipeline: Pipeline, other: Pipeline, viewer: Person, admin: Person
) -> None:
    share(pipeline, viewer, "edit", admin)
    path = "pipelines/orders/"
    assert send(viewer.client, "PATCH", path, {"description": "Mine"}).status_code == 200
    assert (
        send(viewer.client, "PATCH", "pipelines/customers/", {"description": "x"}).status_code
        == 403
    )
    table = {"name": "orders", "target": "orders"}
    attempts: list[dict[str, Any]] = [
        {"resources": [{"name": "salaries", "target": "orders"}]},
        {"resources": [{**table, "columns": ["id", "password"]}]},
        {"resources": [{**table, "filters": [{"column": "id", "op": "gt", "value": "1"}]}]},
        {"source_schema": "hr"},
    ]
    for changes in attempts:
        refused = send(viewer.client, "PATCH", path, changes)
        assert refused.status_code == 422, changes
        assert "those who may use its source" in refused.json()["title"]
    share(pipeline.source, viewer, "run", admin)
    for changes in attempts[:2]:
        assert send(viewer.client, "PATCH", path, changes).status_code == 200, changes


def test_masked_columns_stay_masked(
    pipeline: Pipeline, viewer: Person, admin: Person, owner: Person
) -> None:
    definition = pipelines.definition_of(pipeline).as_dict()
    definition["resources"][0]["column_settings"] = {"email": {"transform": "mask"}}
    assert send(owner.client, "PATCH", "pipelines/orders/", definition).status_code == 200
    share(pipeline, viewer, "edit", admin)
    definition["resources"][0]["column_settings"] = {"email": {"rename": "mail"}}
    assert send(viewer.client, "PATCH", "pipelines/orders/", definition).status_code == 422
    definition["resources"][0]["column_settings"] = {
        "email": {"rename": "mail", "transform": "mask"}
    }
    assert send(viewer.client, "PATCH", "pipelines/orders/", definition).status_code == 200
    # Rejected rows are kept as the source has them.
    assert send(viewer.client, "GET", "pipelines/orders/rejects/").status_code == 403


def test_no_grant_points_a_pipeline_elsewhere(
    organization: Organization, pipeline: Pipeline, viewer: Person, admin: Person
) -> None:
    payroll = make_connection(organization, "Payroll", UseAs.BOTH)
    share(pipeline, viewer, "edit", admin)
    share(pipeline.source, viewer, "edit", admin)
    for end in ("source", "destination"):
        refused = send(viewer.client, "PATCH", "pipelines/orders/", {end: payroll.slug})
        assert refused.status_code == 422
        assert refused.json()["field"] == end
    pipeline.refresh_from_db()
    assert payroll.pk not in {pipeline.source_id, pipeline.destination_id}


def test_no_grant_lets_a_connection_read_another_file(
    organization: Organization, pipeline: Pipeline, viewer: Person, editor: Person, admin: Person
) -> None:
    source = pipeline.source
    share(source, viewer, "edit", admin)
    path = f"connections/{source.slug}/"
    assert send(viewer.client, "PATCH", path, {"name": "Renamed"}).status_code == 200
    moved = {"config": {"path": "warehouse.duckdb"}}
    refused = send(viewer.client, "PATCH", path, moved)
    assert refused.status_code == 422
    assert refused.json()["field"] == "path"
    checked = viewer.client.post(
        f"/o/acme/connections/{source.slug}/edit/",
        {"action": "check", "name": "x", "use_as": "source", "path": "warehouse.duckdb"},
    )
    assert checked.status_code == 422
    assert "another file" in checked.content.decode()
    assert Connection.all_organizations.get(pk=source.pk).config["path"] == source.config["path"]
    assert send(editor.client, "PATCH", path, moved).status_code == 200


def test_a_guest_sees_one_file_of_a_connection_to_files(
    organization: Organization, guest: Person, admin: Person
) -> None:
    from connections import services as connections

    made = connections.create_connection(
        organization=organization,
        actor=admin.actor,
        name="Files",
        connector="csv",
        values={"path": "uploads/a*.csv"},
        use_as="source",
    )
    share(made, guest, "view", admin)
    path = f"connections/{made.slug}/describe/?table="
    assert send(guest.client, "GET", f"{path}uploads/salaries.csv").status_code == 404
    page = guest.client.get(f"/o/acme/connections/{made.slug}/table/?table=uploads/salaries.csv")
    assert page.status_code == 404


def test_grants_are_given_and_taken_on_the_page(
    pipeline: Pipeline, viewer: Person, admin: Person, editor: Person
) -> None:
    url = "/o/acme/pipelines/orders/sharing/"
    assert viewer.membership is not None
    page = admin.client.get(url).content.decode()
    assert "Viktor (viktor@example.com, viewer)" in page
    assert "Edith (" not in page, "whose role allows it all needs no grant"
    sent = {"member": viewer.membership.pk, "permission": "run"}
    done = admin.client.post(f"{url}give/", sent, follow=True)
    assert "Orders is shared with Viktor." in done.content.decode()
    assert "Take back" in done.content.decode()
    told = admin.client.post(f"{url}give/", {**sent, "member": "0"}, follow=True)
    assert "There is no such membership" in told.content.decode()
    seen = viewer.client.get(url).content.decode()
    assert "Run it" in seen
    assert "Take back" not in seen
    assert 'name="member"' not in seen
    for person in (viewer, editor):
        assert person.client.post(f"{url}give/", sent).status_code == 403
        assert person.client.post(f"{url}{viewer.membership.pk}/take/").status_code == 403
    admin.client.post(f"{url}{viewer.membership.pk}/take/")
    assert "With nobody beyond their roles." in admin.client.get(url).content.decode()


def test_grants_are_given_and_taken_over_the_api(
    pipeline: Pipeline, viewer: Person, admin: Person
) -> None:
    assert viewer.membership is not None
    for root in ("pipelines/orders/grants/", f"connections/{pipeline.source.slug}/grants/"):
        mine = f"{root}{viewer.membership.pk}/"
        assert send(admin.client, "PUT", mine, {"permission": "run"}).status_code == 200
        assert send(admin.client, "GET", root).json() == [
            {
                "member": viewer.membership.pk,
                "email": "viktor@example.com",
                "name": "Viktor",
                "role": "viewer",
                "permission": "run",
            }
        ]
        assert send(admin.client, "PUT", mine, {"permission": "own"}).status_code == 422
        assert send(admin.client, "PUT", mine, {"permission": "view"}).status_code == 422
        assert send(viewer.client, "PUT", mine, {"permission": "edit"}).status_code == 403
        assert send(admin.client, "DELETE", mine).status_code == 204
        assert send(admin.client, "DELETE", mine).status_code == 404
        assert send(admin.client, "GET", root).json() == []


def test_foreign_members_and_foreign_things_are_not_shared(
    pipeline: Pipeline, stranger: Person, viewer: Person, admin: Person
) -> None:
    assert stranger.membership is not None
    assert viewer.membership is not None
    theirs = stranger.membership.pk
    sent = {"permission": "view"}
    assert send(admin.client, "PUT", f"pipelines/orders/grants/{theirs}/", sent).status_code == 404
    told = admin.client.post(
        "/o/acme/pipelines/orders/sharing/give/", {"member": theirs, **sent}, follow=True
    )
    assert "There is no such membership" in told.content.decode()
    elsewhere = f"/api/v1/organizations/elsewhere/pipelines/orders/grants/{viewer.membership.pk}/"
    answer = stranger.client.put(elsewhere, json.dumps(sent), content_type="application/json")
    assert answer.status_code == 404


def test_who_leaves_loses_what_was_shared(
    organization: Organization, pipeline: Pipeline, guest: Person, admin: Person
) -> None:
    share(pipeline, guest, "edit", admin)
    assert guest.client.get("/o/acme/pipelines/orders/").status_code == 200
    assert guest.client.post("/o/acme/members/leave/").status_code == 302
    assert guest.client.get("/o/acme/pipelines/orders/").status_code == 404
    back = services.add_member(
        organization=organization, user=guest.user, role=Role.GUEST, actor=admin.actor
    )
    assert guest.client.get("/o/acme/pipelines/orders/").status_code == 403
    assert isinstance(back, Membership)


def test_the_log_of_a_run_ends_when_the_grant_is_taken(
    organization: Organization, pipeline: Pipeline, guest: Person, admin: Person
) -> None:
    """A stream that is open asks this again while it goes on."""
    run = make_run(organization, "pipeline:orders")
    assert guest.membership is not None
    share(pipeline, guest, "view", admin)
    assert views_run_log._still_allowed(guest.membership, run)
    services.take_grant(on=pipeline, membership=guest.membership, actor=admin.actor)
    assert not views_run_log._still_allowed(guest.membership, run)


def test_an_access_token_carries_the_persons_grants(
    organization: Organization, pipeline: Pipeline, other: Pipeline, viewer: Person, admin: Person
) -> None:
    share(pipeline, viewer, "run", admin)
    assert viewer.membership is not None
    pair = tokens.issue_tokens(membership=viewer.membership, caller=tokens.Caller())
    client = Client(headers={"Authorization": f"Bearer {pair.access}"})
    assert send(client, "POST", "runs/", {"target": "pipeline:orders"}).status_code == 201
    assert send(client, "POST", "runs/", {"target": "pipeline:customers"}).status_code == 403


def test_hole_the_matrix_is_never_consulted(
    pipeline: Pipeline, viewer: Person, guest: Person, editor: Person
) -> None:
    """The predecessor declared owner, admin, editor and viewer, and asked nobody for any of it."""
    update = {"description": "changed"}
    for person, expected in ((guest, 403), (viewer, 403), (editor, 200)):
        assert send(person.client, "PATCH", "pipelines/orders/", update).status_code == expected
        assert send(person.client, "GET", "audit-events/").status_code == 403
        assert send(person.client, "GET", "invitations/").status_code == 403
    assert send(viewer.client, "DELETE", "pipelines/orders/").status_code == 403
    assert send(editor.client, "DELETE", "pipelines/orders/").status_code == 204


def test_a_refusal_says_that_sharing_would_do(pipeline: Pipeline, viewer: Person) -> None:
    refused = send(viewer.client, "DELETE", "pipelines/orders/").json()
    assert refused["remedy"].endswith("for the role editor, or to share this one with you.")
