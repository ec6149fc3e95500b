"""Runs, the graph and schedules through the REST API."""

import json
from typing import Any

import pytest

from conftest_site import Person
from connections.models import Connection
from orchestration.models import Run
from tenants.models import Organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(organization: Organization) -> str:
    return f"/api/v1/organizations/{organization.slug}"


def test_runs(api: str, editor: Person, viewer: Person, stranger: Person, failed_run: Run) -> None:
    def post(person: Person, path: str, data: object = None, **headers: str) -> Any:
        body = json.dumps(data or {})
        return person.client.post(
            f"{api}/{path}", body, content_type="application/json", headers=headers
        )

    data = {"target": "pipeline:users"}
    assert post(viewer, "runs/", data).status_code == 403
    key = {"Idempotency-Key": "once"}
    first, second = post(editor, "runs/", data, **key), post(editor, "runs/", data, **key)
    assert first.status_code == 201
    assert first.json()["number"] == second.json()["number"] == 2
    assert first.json()["trigger"] == "api"
    problem = post(editor, "runs/", {"target": "pipeline:none"})
    assert problem.status_code == 404
    assert problem.json()["field"] == "target"
    assert post(editor, "runs/", {}).status_code == 422
    assert post(editor, "runs/", data, **{"Idempotency-Key": "x" * 81}).status_code == 422
    found = viewer.client.get(f"{api}/runs/?status=failed").json()["results"]
    assert [run["number"] for run in found] == [1]
    detail = viewer.client.get(f"{api}/runs/1/").json()
    assert detail["error"] == "The server refused the password."
    assert "nodes" in detail["capsule"]
    steps = viewer.client.get(f"{api}/runs/1/steps/").json()
    assert steps[0]["error_code"] == "authentication_failed"
    log = viewer.client.get(f"{api}/runs/1/logs/?after=1").json()
    assert log["done"] is True
    assert log["lines"][0]["n"] == 2
    assert post(editor, "runs/2/cancel/").json()["status"] == "cancelled"
    assert post(editor, "runs/2/cancel/").status_code == 409
    assert post(editor, "runs/1/retry/", {"from_failure": True}).status_code == 201
    assert stranger.client.get(f"{api}/runs/").status_code == 404


def test_graph_dependencies_and_schedules(
    api: str, editor: Person, viewer: Person, stand: Connection
) -> None:
    def send(person: Person, method: str, path: str, data: object) -> Any:
        return getattr(person.client, method)(
            f"{api}/{path}", json.dumps(data), content_type="application/json"
        )

    edge = {"upstream": "pipeline:orders", "downstream": "pipeline:users"}
    assert send(viewer, "post", "dependencies/", edge).status_code == 403
    made = send(editor, "post", "dependencies/", edge)
    assert made.status_code == 201
    back = {"upstream": "pipeline:users", "downstream": "pipeline:orders"}
    assert send(editor, "post", "dependencies/", back).json()["code"] == "cyclic_dependency"
    assert viewer.client.get(f"{api}/dependencies/").json() == [made.json()]
    graph = viewer.client.get(f"{api}/graph/").json()
    assert len(graph["nodes"]) == 5
    assert {e["kind"] for e in graph["edges"]} == {"explicit", "inferred", "source"}
    pk = made.json()["id"]
    assert send(editor, "delete", f"dependencies/{pk}/", {}).status_code == 204

    wanted = {"name": "Nightly", "cron": "0 6 * * *", "target": "pipeline:orders"}
    assert send(viewer, "post", "schedules/", wanted).status_code == 403
    bad = send(editor, "post", "schedules/", {**wanted, "cron": "0 6"})
    assert (bad.status_code, bad.json()["field"]) == (422, "cron")
    made = send(editor, "post", "schedules/", wanted)
    assert made.status_code == 201
    assert made.json()["time_zone"] == "UTC"
    changed = send(editor, "patch", "schedules/nightly/", {"cron": "0 7 * * *"}).json()
    assert (changed["cron"], changed["target"]) == ("0 7 * * *", "pipeline:orders")
    assert send(editor, "post", "schedules/nightly/pause/", {}).json()["is_active"] is False
    assert send(editor, "post", "schedules/nightly/resume/", {}).json()["next_run_at"]
    assert send(editor, "delete", "schedules/nightly/", {}).status_code == 204
    assert viewer.client.get(f"{api}/schedules/").json() == []
