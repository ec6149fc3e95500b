"""Every URL of an organization, asked by everybody who must not get through, and by somebody who may.

The URLs come from the resolver, so one that is added is tested from its first day. One whose arguments nobody can
make here fails until ``Things`` knows them.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from alerts import services as alerts
from alerts.models import AlertDelivery
from audit.models import AuditEvent
from common.access import ROLE_ORDER, ROLE_PERMISSIONS, Permission, Role
from conftest_site import Person
from connections import runner
from connections import services as connections
from connections.models import UseAs
from orchestration import services as orchestration
from orchestration.models import RunStep
from orchestration.tests.factories import (
    make_connection,
    make_pipeline,
    make_run,
    make_transformation,
)
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from tenants import services as tenants
from tenants.models import Organization

ORGANIZATION = "<slug:organization>"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: What the last segment of a page asks for in the query.
QUERIES = {"table": {"schema": "main", "table": "a"}}
#: Arguments that name no row of an organization, so another organization has them too.
SHARED = {("new", "connector"), ("connectors", "connector")}


@dataclass(frozen=True)
class Route:
    """One URL below an organization, with what its view demands of whom."""

    route: str
    required: dict[str, Permission]

    @property
    def arguments(self) -> list[tuple[str, str]]:
        """(the fixed segment before it, name) of each argument but the organization."""
        found, before = [], ""
        for segment in self.route.split(ORGANIZATION, 1)[1].strip("/").split("/"):
            if match := re.fullmatch(r"<(?:\w+:)?(\w+)>", segment):
                found.append((before, match[1]))
            else:
                before = segment
        return found

    def url(self, organization: Organization, things: dict[tuple[str, str], Any]) -> str:
        url = "/" + self.route.replace(ORGANIZATION, organization.slug)
        for argument in self.arguments:
            value = str(things[argument])
            url = re.sub(rf"<(?:\w+:)?{argument[1]}>", value, url, count=1)
        return url


def routes(prefix: str) -> list[Route]:
    found = []
    for route, pattern in _leaves(get_resolver().url_patterns):
        if route.startswith(prefix + ORGANIZATION):
            view = pattern.callback
            # Pages have one permission, API views one for each method.
            cls = getattr(view, "cls", None)
            required = cls.required if cls else {"": vars(view)["required_permission"]}
            found.append(Route(route, required))
    assert found
    return found


def _leaves(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _leaves(pattern.url_patterns, route)
        else:
            yield route, pattern


@pytest.fixture
def things(organization: Organization, owner: Person) -> dict[tuple[str, str], Any]:
    """A value for each argument that a URL can have, of rows that exist."""
    return make_things(organization, owner)


def make_things(
    organization: Organization, owner: Person, mark: str = "orders"
) -> dict[tuple[str, str], Any]:
    """(fixed segment of the URL before it, name of the argument) → its value, of rows that are made here.

    ``mark`` is the slug of each of them, so that things of two organizations can be told apart.
    """
    warehouse = make_connection(organization, mark)
    unused = make_connection(organization, f"{mark} unused", UseAs.SOURCE)
    for name in (mark, f"{mark}_unused"):
        with duckdb.connect(str(runner.files_root(organization) / f"{name}.duckdb")) as database:
            database.execute("CREATE TABLE a (id INTEGER)")
    pipeline = _with_cursor(make_pipeline(organization, mark, warehouse), owner)
    transformation = make_transformation(organization, mark, warehouse, tags=(mark,))
    draft = pipelines.start_draft(
        organization=organization,
        actor=owner.actor,
        user=owner.user,
        data={
            "source": unused.slug,
            "mode": "single_table",
            "source_schema": "main",
            "resources": [{"name": "a"}],
        },
    )
    dependency = orchestration.add_dependency(
        organization=organization,
        actor=owner.actor,
        upstream=f"pipeline:{pipeline.slug}",
        downstream=f"transformation:{transformation.name}",
    )
    schedule = orchestration.create_schedule(
        organization=organization,
        actor=owner.actor,
        name=mark,
        expression="0 3 * * *",
        time_zone="UTC",
    )
    gone = make_pipeline(organization, f"{mark} gone", warehouse, dataset=f"raw_{mark}_gone")
    pipelines.delete_pipeline(pipeline=gone, actor=owner.actor)
    run = make_run(organization)
    channel, rule, delivery = _alerts(organization, owner, mark)
    backfill = orchestration.request_backfill(
        organization=organization,
        actor=owner.actor,
        pipeline=pipeline,
        resource="orders",
        cursor_from="1",
        cursor_to="9",
        slice_size="2",
    )
    invitation, _token = tenants.invite(
        organization=organization,
        email=f"{mark}@example.com",
        role=Role.VIEWER,
        actor=owner.actor,
    )
    key, _text = tenants.issue_api_key(
        organization=organization,
        name=mark,
        role=Role.VIEWER,
        actor=owner.actor,
        created_by=owner.user,
    )
    connections.store_upload(
        organization=organization,
        actor=owner.actor,
        name=f"{mark}.csv",
        content=io.BytesIO(b"id\n1\n"),
        size=5,
    )
    assert owner.membership is not None
    return {
        ("members", "pk"): owner.membership.pk,
        ("sharing", "member"): owner.membership.pk,
        ("grants", "member"): owner.membership.pk,
        ("invitations", "pk"): invitation.pk,
        ("api-keys", "pk"): key.pk,
        ("audit", "event"): AuditEvent.objects.for_organization(organization).latest("pk").pk,
        ("connections", "slug"): warehouse.slug,
        ("new", "connector"): "duckdb",
        ("connectors", "connector"): "duckdb",
        ("files", "name"): f"{mark}.csv",
        ("pipelines", "slug"): pipeline.slug,
        ("state", "resource"): "orders",
        ("new", "draft"): draft.pk,
        ("how", "position"): 0,
        ("tables", "position"): 0,
        ("state", "position"): 0,
        ("transformations", "name"): transformation.name,
        ("runs", "number"): run.number,
        ("backfills", "number"): backfill.number,
        ("dependencies", "pk"): dependency.pk,
        ("nodes", "key"): f"pipeline:{pipeline.slug}",
        ("schedules", "slug"): schedule.slug,
        ("rules", "slug"): rule,
        ("channels", "slug"): channel,
        ("deliveries", "pk"): delivery,
        ("alert-rules", "slug"): rule,
        ("alert-channels", "slug"): channel,
        ("alert-deliveries", "pk"): delivery,
        ("problems", "fingerprint"): _problem(organization, pipeline, mark),
        ("trash", "kind"): "pipeline",
        ("trash", "pk"): gone.pk,
    }


def _problem(organization: Organization, pipeline: Pipeline, mark: str) -> str:
    """The fingerprint of a step that failed."""
    fingerprint = hashlib.sha256(mark.encode()).hexdigest()[:16]
    run = make_run(organization, f"pipeline:{pipeline.slug}")
    steps = RunStep.all_organizations.filter(run=run)
    steps.update(status="failed", fingerprint=fingerprint, finished_at=timezone.now())
    return fingerprint


def _alerts(organization: Organization, owner: Person, mark: str) -> tuple[str, str, int]:
    """A webhook, a rule that tells it, and a delivery that it got (or did not: nobody listens there)."""
    channel, _secret = alerts.create_channel(
        organization=organization,
        actor=owner.actor,
        kind="webhook",
        settings=alerts.ChannelSettings(name=mark, url="http://127.0.0.1:9/"),
    )
    rule = alerts.create_rule(
        organization=organization,
        actor=owner.actor,
        settings=alerts.RuleSettings(name=mark, channels=(channel.slug,), failures_in_a_row=1),
    )
    alerts.send_test(channel=channel, actor=owner.actor)
    delivery = AlertDelivery.objects.for_organization(organization).get()
    return channel.slug, rule.slug, delivery.pk


def _with_cursor(pipeline: Pipeline, person: Person) -> Pipeline:
    definition = pipelines.definition_of(pipeline).as_dict()
    definition["resources"][0] |= {"write_disposition": "append", "cursor_column": "id"}
    return pipelines.update_pipeline(
        pipeline=pipeline, actor=person.actor, definition=PipelineDefinition.parse(definition)
    )


def too_weak(permission: Permission) -> Role | None:
    """The strongest role without ``permission``; None where every member has it."""
    weak = [role for role in ROLE_ORDER if permission not in ROLE_PERMISSIONS[role]]
    return weak[-1] if weak else None


def ask(client: Client, url: str, method: str = "") -> tuple[int, str]:
    """The status and target of a request; without ``method`` of GET, or of POST where GET is refused."""
    kind = "application/json" if url.startswith("/api/") else "application/octet-stream"
    response = client.generic(method or "GET", url, content_type=kind)
    if not method and response.status_code == 405:
        response = client.post(url)
    return response.status_code, response.headers.get("Location", "")


@pytest.fixture
def people(
    owner: Person, admin: Person, editor: Person, viewer: Person, guest: Person
) -> dict[Role, Person]:
    return {
        Role.OWNER: owner,
        Role.ADMIN: admin,
        Role.EDITOR: editor,
        Role.VIEWER: viewer,
        Role.GUEST: guest,
    }


@pytest.mark.parametrize("prefix", ["o/", "api/v1/organizations/"])
def test_every_argument_can_be_made(prefix: str, things: dict[tuple[str, str], Any]) -> None:
    wanted = {argument for route in routes(prefix) for argument in route.arguments}
    assert wanted <= set(things), "these need a value in the fixture things()"


def test_pages(
    organization: Organization,
    things: dict[tuple[str, str], Any],
    people: dict[Role, Person],
    stranger: Person,
) -> None:
    wrong = []
    for route in routes("o/"):
        url, permission = route.url(organization, things), route.required[""]
        status, target = ask(Client(), url)
        if status != 302 or not target.startswith("/accounts/login/?next="):
            wrong.append(f"{url} lets anybody in: {status}")
        if (status := ask(stranger.client, url)[0]) != 404:
            wrong.append(f"{url} answers a stranger with {status}")
        if (role := too_weak(permission)) and (status := ask(people[role].client, url)[0]) != 403:
            wrong.append(f"{url} answers {role} with {status}, but needs {permission}")
        status = people[Role.OWNER].client.get(url, QUERIES.get(url.rsplit("/", 2)[1])).status_code
        # Without what a page asks for it may refuse, but not because of who asks.
        if status in (401, 403, 404, 500):
            wrong.append(f"{url} answers the owner with {status}")
    assert wrong == [], "\n".join(wrong)


def test_the_api(
    organization: Organization,
    things: dict[tuple[str, str], Any],
    people: dict[Role, Person],
    stranger: Person,
) -> None:
    wrong = []
    for route in routes("api/v1/organizations/"):
        url = route.url(organization, things)
        for method in METHODS:
            permission = route.required.get(method)
            if permission is None:
                continue
            if (status := ask(Client(), url, method)[0]) != 401:
                wrong.append(f"{method} {url} lets anybody in: {status}")
            if (status := ask(stranger.client, url, method)[0]) != 404:
                wrong.append(f"{method} {url} answers a stranger with {status}")
            if (role := too_weak(permission)) and (
                status := ask(people[role].client, url, method)[0]
            ) != 403:
                wrong.append(f"{method} {url} answers {role} with {status}, needs {permission}")
        if "GET" in route.required:
            status = ask(people[Role.OWNER].client, url, "GET")[0]
            if status in (401, 403, 404, 405, 500):
                wrong.append(f"GET {url} answers the owner with {status}")
    assert wrong == [], "\n".join(wrong)


def test_objects_of_another_organization_are_not_there(
    things: dict[tuple[str, str], Any], stranger: Person
) -> None:
    """Sam owns Elsewhere and may do everything there, only not to the things of Acme."""
    assert stranger.membership is not None
    elsewhere = stranger.membership.organization
    wrong = []
    for route in routes("o/") + routes("api/v1/organizations/"):
        if not set(route.arguments) - SHARED:
            continue
        url = route.url(elsewhere, things)
        methods = [""] if "" in route.required else list(route.required)
        for method in methods:
            status = ask(stranger.client, url, method)[0]
            if status != 404:
                wrong.append(f"{method} {url} answers {status}")
    assert wrong == [], "\n".join(wrong)
