"""Pipelines through the API."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from common.access import Role
from conftest_site import Person
from pipelines.models import Pipeline
from pipelines.tests.factories import definition, make_shop, make_warehouse
from tenants import services as tenants
from tenants.models import Organization

pytestmark = pytest.mark.django_db

JSON = "application/json"


def listing(organization: Organization) -> str:
    return reverse("api-pipeline-list", args=[organization.slug])


def test_a_pipeline_s_life(organization: Organization, editor: Person, viewer: Person) -> None:
    make_shop(organization)
    make_warehouse(organization)
    api, root = editor.client, listing(organization)
    whole: dict[str, Any] = definition(source="shop", destination="warehouse")
    assert viewer.client.post(root, whole, JSON).status_code == 403
    created = api.post(root, whole, JSON)
    assert created.status_code == 201, created.content
    body = created.json()
    assert (body["slug"], body["version"], body["resources"][0]["target"]) == (
        "shop-orders",
        1,
        "orders",
    )
    one = f"{root}shop-orders/"
    assert viewer.client.get(one).json() == body
    assert [row["slug"] for row in viewer.client.get(root, {"q": "raw"}).json()["results"]] == [
        "shop-orders"
    ]

    kept = {key: body[key] for key in whole}
    replaced = api.put(one, {**kept, "name": "Orders"}, JSON)
    assert (replaced.json()["name"], replaced.json()["version"]) == ("Orders", 2)
    patched = api.patch(one, {"description": "Patched"}, JSON)
    assert patched.json()["resources"] == body["resources"]
    assert api.post(f"{one}pause/").json()["is_paused"] is True
    assert api.post(f"{one}resume/").json()["is_paused"] is False
    assert viewer.client.delete(one).status_code == 403
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    assert Pipeline.objects.trash_of(organization).count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source": "nowhere"}, "source"),
        ({"destination": None}, "destination"),
        ({"speed": 1}, "speed"),
        (
            {
                "resources": [
                    {"name": "orders", "filters": [{"column": "a", "op": "x", "value": 1}]}
                ]
            },
            "resources[0].filters[0].op",
        ),
        ({"resources": [{"name": "orders", "kolumns": []}]}, "resources[0].kolumns"),
    ],
)
def test_what_is_wrong_is_named(
    organization: Organization, editor: Person, changes: dict[str, Any], field: str
) -> None:
    make_shop(organization)
    make_warehouse(organization)
    whole = definition(source="shop", destination="warehouse") | changes
    response = editor.client.post(listing(organization), whole, JSON)
    assert response.status_code == 422
    assert response.json()["field"] == field
    assert not Pipeline.all_organizations.exists()


def test_fixed_things_and_strangers(
    organization: Organization, owner: Person, editor: Person, stranger: Person
) -> None:
    make_shop(organization)
    make_warehouse(organization)
    root = listing(organization)
    editor.client.post(root, definition(source="shop", destination="warehouse"), JSON)
    one = f"{root}shop-orders/"
    for changes in ({"dataset": "raw_x"}, {"mode": "full_database"}, {"source": "warehouse"}):
        response = editor.client.patch(one, changes, JSON)
        assert (response.status_code, response.json()["field"]) == (422, next(iter(changes)))
    assert editor.client.patch(one, "[]", JSON).status_code == 422
    assert stranger.client.get(one).status_code == 404
    _key, text = tenants.issue_api_key(
        organization=organization, actor=owner.actor, name="CI", role=Role.VIEWER
    )
    headers = {"Authorization": f"Bearer {text}"}
    assert Client().get(one, headers=headers).status_code == 200
    assert Client().delete(one, headers=headers).status_code == 403
