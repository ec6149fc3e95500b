"""The nineteen holes of a predecessor (research/original.md): each has a test by its number, some of them here."""

import io
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from common.errors import DatanikaError
from connections import runner
from connections import services as connections
from connections.models import Connection
from datanika_site.tests.isolation.asking import ask, leaks
from datanika_site.tests.isolation.bodies import BODIES
from datanika_site.tests.isolation.routes import doors
from datanika_site.tests.isolation.world import FOREIGN, FOREIGN_ID, World
from orchestration import services as orchestration
from orchestration.models import Run
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition
from transforms import services as transforms

# The database is set up for tests that say so; the world is in it already.
pytestmark = pytest.mark.django_db

ALL = range(1, 20)


def test_every_hole_has_a_test_by_its_number() -> None:
    here, found = Path(settings.BASE_DIR), set()
    for app in here.iterdir():
        if app.name in ("build", "data") or app.name.startswith(".") or not app.is_dir():
            continue
        for file in app.rglob("test*.py"):
            names = re.findall(r"^ *def test_hole_(\d\d)_", file.read_text(), re.MULTILINE)
            found |= {int(name) for name in names}
    assert found == set(ALL), f"without a test: {sorted(set(ALL) - found)}"


def test_hole_01_nobody_chooses_a_tenant_by_saying_so(world: World) -> None:
    """Neither a parameter, nor a header, nor a cookie, nor a field says in which organization one is."""
    acme = world.acme.organization
    names = ("organization", "org", "org_id", "organization_id", "current_org", "tenant")
    said = dict.fromkeys(names, acme.slug) | {"pk": str(acme.pk)}
    headers = {f"x-{name.replace('_', '-')}": acme.slug for name in names}
    anonymous, stranger = Client(), world.elsewhere.owner.client
    for name in names:
        anonymous.cookies[name] = acme.slug
    home = f"/o/{world.elsewhere.organization.slug}"
    for path in ("/", "/connections/", "/pipelines/", "/runs/", "/members/"):
        answer = ask(anonymous, "GET", f"/o/{acme.slug}{path}", said, headers=headers)
        assert answer.asks_to_sign_in
        mine = ask(stranger, "GET", home + path, said, headers=headers)
        assert (mine.status, leaks(mine, FOREIGN)) == (200, "")
        # A form that says so changes nothing either.
        assert ask(stranger, "POST", f"/o/{acme.slug}{path}", said, headers=headers).status == 404
    api = ask(stranger, "GET", "/api/v1/organizations/", said, headers=headers)
    assert acme.slug not in api.body


def test_hole_03_connections_of_others_are_not_to_be_used(world: World) -> None:
    """Not by the faces (``test_isolation_references``), and not by the services they call."""
    elsewhere, owner = world.elsewhere.organization, world.elsewhere.owner
    theirs = Connection.objects.for_organization(world.acme.organization).get(slug=FOREIGN)
    own = Connection.objects.for_organization(elsewhere).exclude(use_as="source").first()
    assert own is not None
    body = BODIES["POST:pipeline-list"]
    data = {key: value for key, value in body.items() if key not in ("source", "destination")}
    definition = PipelineDefinition.parse(data)
    for source, destination in ((theirs, own), (own, theirs)):
        with pytest.raises(DatanikaError):
            pipelines.create_pipeline(
                organization=elsewhere,
                actor=owner.actor,
                source=source,
                destination=destination,
                definition=definition,
            )
    with pytest.raises(DatanikaError):
        transforms.create_transformation(
            organization=elsewhere,
            actor=owner.actor,
            connection=theirs,
            definition=transforms.TransformationDefinition(name="fresh", sql="select 1 as id"),
        )


@pytest.mark.parametrize(
    "key",
    ["dataset_name", "destination_type", "credentials", "refresh", "staging", "loader_file_format"],
)
def test_hole_08_what_the_engine_would_take_is_not_handed_through(world: World, key: str) -> None:
    """A setting that is not ours is refused by its name, on top and in a table, not passed to dlt."""
    client, slug = world.elsewhere.owner.client, world.elsewhere.organization.slug
    body = BODIES["POST:pipeline-list"]
    resource = {**body["resources"][0], key: "drop"}
    for sent in ({**body, key: "drop"}, {**body, "resources": [resource]}):
        answer = ask(client, "POST", f"/api/v1/organizations/{slug}/pipelines/", sent)
        assert answer.status == 422, answer.body
        assert key in answer.body


def test_hole_17_a_run_is_found_by_its_organization_and_number(world: World) -> None:
    """No bare id: with another organization's number there is no run, on no page, in no operation, in no service."""
    client = world.elsewhere.owner.client
    row = Run.objects.for_organization(world.acme.organization).get(number=FOREIGN_ID)
    asked = 0
    for door in doors():
        if ("runs", "number") not in (door.arguments if door.is_page or door.is_api else ()):
            continue
        for number in (row.number, row.pk):
            url = door.url(world.elsewhere, {**world.elsewhere.things, ("runs", "number"): number})
            for method in ("GET", "POST"):
                asked += 1
                assert ask(client, method, url).status in (404, 405), url
    assert asked > 20
    with pytest.raises(DatanikaError):
        orchestration.cancel_run(run=row, actor=world.elsewhere.owner.actor)


def test_hole_18_the_same_file_of_two_organizations_is_two_files(world: World) -> None:
    """Replacing and deleting one leaves the other as it was."""
    places = {}
    for side in (world.acme, world.elsewhere):
        connections.store_upload(
            organization=side.organization,
            actor=side.owner.actor,
            name="same.csv",
            content=io.BytesIO(b"id\n1\n"),
            size=5,
        )
        places[side.organization.slug] = runner.files_root(side.organization) / "uploads/same.csv"
    theirs = places[FOREIGN] if FOREIGN in places else places[world.acme.organization.slug]
    own = places[world.elsewhere.organization.slug]
    assert theirs != own
    own.write_bytes(b"id\n2\n")
    assert theirs.read_bytes() == b"id\n1\n"
    connections.delete_file(
        organization=world.elsewhere.organization,
        actor=world.elsewhere.owner.actor,
        name="same.csv",
    )
    assert theirs.exists()
    assert not own.exists()
    theirs.unlink()
