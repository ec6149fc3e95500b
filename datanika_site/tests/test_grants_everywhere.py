"""Every view × role × grant: what is shared opens what it should, and nothing else opens.

The views come from the resolver and say by ``grantable`` what a grant may open; a view that says nothing is for roles
alone, and is asked here by a guest who may edit all that can be shared.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.urls import get_resolver

from alerts.models import AlertDelivery
from common.access import GRANTS, Permission, Role
from conftest_site import Person, make_person
from connections.models import Connection
from datanika_site.tests.test_access import METHODS, ORGANIZATION, Route, _leaves, make_things
from orchestration import services as orchestration
from orchestration.models import Backfill
from orchestration.tests.factories import (
    make_connection,
    make_pipeline,
    make_run,
    make_transformation,
)
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from tenants import services
from tenants.actors import Actor
from tenants.models import Organization

#: In the names of everything that is not shared.
SECRET = "zanzibar"
WEAKER = {Permission.RUN: Permission.VIEW, Permission.EDIT: Permission.RUN}
Things = dict[tuple[str, str], Any]


@dataclass(frozen=True)
class Door:
    """One view by one method (empty: a page)."""

    route: Route
    method: str
    permission: Permission
    grantable: str

    def __str__(self) -> str:
        return f"{self.method or 'page'} {self.route.route}"


@dataclass
class Scene:
    """Acme with things to share, and as many that are not."""

    organization: Organization
    things: Things
    others: Things
    pipeline: Pipeline
    connection: Connection
    other_pipeline: Pipeline
    other_connection: Connection


def doors() -> Iterator[Door]:
    for text, pattern in _leaves(get_resolver().url_patterns):
        if not text.startswith(("o/" + ORGANIZATION, "api/v1/organizations/" + ORGANIZATION)):
            continue
        view = pattern.callback
        if cls := getattr(view, "cls", None):
            for method in METHODS:
                if permission := cls.required.get(method):
                    yield Door(Route(text, cls.required), method, permission, cls.grantable)
        else:
            permission = vars(view)["required_permission"]
            yield Door(Route(text, {"": permission}), "", permission, vars(view)["grantable"])


@pytest.fixture
def scene(organization: Organization, owner: Person) -> Scene:
    things = make_things(organization, owner)
    pipeline = Pipeline.objects.for_organization(organization).get(slug=things["pipelines", "slug"])
    connection = pipeline.destination
    things["runs", "number"] = make_run(organization, f"pipeline:{pipeline.slug}").number
    other_connection = make_connection(organization, SECRET)
    other = _other_pipeline(organization, owner, other_connection)
    others = {
        **things,
        ("pipelines", "slug"): other.slug,
        ("connections", "slug"): other_connection.slug,
        ("nodes", "key"): f"pipeline:{other.slug}",
        ("runs", "number"): make_run(organization, f"pipeline:{other.slug}").number,
        ("backfills", "number"): orchestration.request_backfill(
            organization=organization,
            actor=owner.actor,
            pipeline=other,
            resource="orders",
            cursor_from="1",
            cursor_to="9",
            slice_size="2",
        ).number,
        ("trash", "pk"): _gone(organization, owner, other_connection).pk,
    }
    # It uses what is shared, and is not.
    make_transformation(organization, f"{SECRET}_model", connection)
    # An outside receiver has nothing to do with who sees what.
    AlertDelivery.objects.for_organization(organization).delete()
    return Scene(organization, things, others, pipeline, connection, other, other_connection)


def _other_pipeline(organization: Organization, owner: Person, warehouse: Connection) -> Pipeline:
    made = make_pipeline(organization, f"{SECRET} loads", warehouse, dataset=f"{SECRET}_raw")
    definition = pipelines.definition_of(made).as_dict()
    definition["resources"][0] |= {"write_disposition": "append", "cursor_column": "id"}
    return pipelines.update_pipeline(
        pipeline=made, actor=owner.actor, definition=PipelineDefinition.parse(definition)
    )


def _gone(organization: Organization, owner: Person, warehouse: Connection) -> Pipeline:
    gone = make_pipeline(organization, f"{SECRET} gone", warehouse, dataset=f"{SECRET}_gone")
    pipelines.delete_pipeline(pipeline=gone, actor=owner.actor)
    return gone


def share(scene: Scene, person: Person, permission: str, *, others: bool = False) -> None:
    """All that can be shared of one side, the thing in the trash included (it was shared before)."""
    assert person.membership is not None
    side = scene.others if others else scene.things
    gone: Pipeline = Pipeline.all_organizations.get(pk=side["trash", "pk"])
    Pipeline.all_organizations.filter(pk=gone.pk).update(deleted_at=None)
    deleted_at, gone.deleted_at = gone.deleted_at, None
    pipeline, connection = (
        (scene.other_pipeline, scene.other_connection)
        if others
        else (scene.pipeline, scene.connection)
    )
    for thing in (pipeline, connection, pipeline.source, gone):
        services.give_grant(
            on=thing,
            membership=person.membership,
            permission=permission,
            actor=Actor.operator(),
        )
    Pipeline.all_organizations.filter(pk=gone.pk).update(deleted_at=deleted_at)


def ask(person: Person, door: Door, scene: Scene, things: Things) -> tuple[int, str]:
    """Status and text of the answer; what the request changed is undone."""
    slug = things["pipelines", "slug"]
    named = {"target": f"pipeline:{slug}", "pipeline": slug, "node": f"pipeline:{slug}"}
    # A part of the list of runs is a part of a pipeline's page; the list itself is not.
    sent = {**named, "compact": "1"} if "runs/" in door.route.route else named
    url = door.route.url(scene.organization, things)
    with transaction.atomic():
        if door.method in {"", "GET"}:
            answer = person.client.get(url, sent)
            if not door.method and answer.status_code == 405:
                answer = person.client.post(url, sent)
        else:
            body = json.dumps({key: named[key] for key in _keys(door)})
            answer = person.client.generic(door.method, url, body, content_type="application/json")
        text = answer.getvalue().decode()
        transaction.set_rollback(True)
    return answer.status_code, text


def _keys(door: Door) -> list[str]:
    """What the body of an operation names its object by."""
    return {"target": ["target"], "named pipeline": ["pipeline"]}.get(door.grantable, [])


def test_a_grant_opens_exactly_what_it_should(scene: Scene, guest: Person, viewer: Person) -> None:
    """The weakest grant that should do does, and tells nothing of other things and of members; one below does not,
    and neither does the strongest on another thing."""
    wrong = []
    hidden = (SECRET, viewer.user.name, viewer.user.email, "olga@")
    found = [door for door in doors() if door.grantable]
    assert len(found) > 70, "most views are about one thing"
    below, beside = (
        make_person(name, scene.organization, Role.GUEST) for name in ("Below", "Beside")
    )
    share(scene, beside, "edit", others=True)
    for permission in GRANTS:
        share(scene, guest, permission)
        if weaker := WEAKER.get(permission):
            share(scene, below, weaker)
        for door in (one for one in found if one.permission == permission):
            status, text = ask(guest, door, scene, scene.things)
            if status in (401, 403, 405, 500):
                wrong.append(f"{door} answers who was given {permission} with {status}")
            wrong += [f"{door} tells of {word}" for word in hidden if word in text]
            if (status := ask(below, door, scene, scene.things)[0]) != 403:
                wrong.append(f"{door} answers who was given {weaker or 'nothing'} with {status}")
            if (status := ask(beside, door, scene, scene.things)[0]) != 403:
                wrong.append(f"{door} answers who was given another with {status}")
    assert wrong == [], "\n".join(wrong)


def test_what_no_grant_opens_stays_shut(scene: Scene, guest: Person) -> None:
    """Gina may edit everything that can be shared, and is a guest elsewhere."""
    wrong = []
    share(scene, guest, "edit")
    for door in doors():
        if door.grantable or door.permission == Permission.BELONG:
            continue
        if (status := ask(guest, door, scene, scene.things)[0]) != 403:
            wrong.append(f"{door} answers a guest with grants with {status}")
    assert wrong == [], "\n".join(wrong)


def test_a_guest_finds_what_is_shared_and_nothing_else(scene: Scene, guest: Person) -> None:
    slug, mine, other = scene.organization.slug, scene.pipeline.slug, scene.other_pipeline.slug
    api = f"/api/v1/organizations/{slug}"
    assert "Nothing is shared with you yet" in guest.client.get("/", follow=True).content.decode()
    share(scene, guest, "run")
    page = guest.client.get(f"/o/{slug}/", follow=True).content.decode()
    assert mine in page
    assert SECRET not in page
    assert "data-palette" not in page, "a guest has no search"
    listed = guest.client.get(f"{api}/shared/").json()
    kinds = [(one["kind"], one["permission"]) for one in listed]
    assert kinds == [("connection", "run"), ("connection", "run"), ("pipeline", "run")]
    # What is hidden and what is missing are told apart by nothing.
    for page_of in (f"/o/{slug}/pipelines/{other}/", f"/o/{slug}/pipelines/nowhere/"):
        assert guest.client.get(page_of).status_code == 403
    hidden, missing = (guest.client.get(f"{api}/pipelines/{one}/") for one in (other, "nowhere"))
    assert hidden.status_code == 403
    assert hidden.json() == missing.json()
    # The form offers no others.
    assert Backfill.objects.for_organization(scene.organization).count() == 2
    form = guest.client.get(f"/o/{slug}/backfills/create/", {"pipeline": mine}).content.decode()
    assert mine in form
    assert SECRET not in form
    # Runs that had more in them than what is shared are not among its runs.
    whole = make_run(scene.organization, "dag").number
    alone = scene.things["runs", "number"]
    asked = {"target": f"pipeline:{mine}"}
    short = guest.client.get(f"/o/{slug}/runs/", {**asked, "compact": "1"}).content.decode()
    assert f"#{alone}<" in short
    assert f"#{whole}<" not in short
    numbers = {run["number"] for run in guest.client.get(f"{api}/runs/", asked).json()["results"]}
    assert alone in numbers
    assert whole not in numbers
    assert guest.client.get(f"/o/{slug}/runs/", asked).status_code == 403
    # What was run exactly has the settings of its connections.
    assert guest.client.get(f"{api}/runs/{alone}/").json()["capsule"] == {}
    assert guest.client.get(f"/o/{slug}/runs/{alone}/configuration/").status_code == 403
