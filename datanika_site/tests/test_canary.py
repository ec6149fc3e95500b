"""A canary in every place that takes a secret; then everything is driven, and nothing that can be read has one."""

import io
import logging
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver, reverse

from conftest_site import Person
from connections import services as connections
from connections.connectors.registry import all_connectors
from connections.models import Connection
from datanika_site import health
from datanika_site.tests.canaries import (
    CORE,
    SERVER,
    TUNNEL,
    Canaries,
    dump,
    files_below,
    plant,
    processes,
    values_of,
)
from datanika_site.tests.scenario import Shop, make_shop
from datanika_site.tests.test_access import QUERIES, _leaves, routes, things  # noqa: F401
from orchestration.models import RunLogLine, RunStep
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition
from tenants.models import Organization, User


@pytest.fixture
def operator(owner: Person) -> Person:
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    owner.user.refresh_from_db()
    return owner


@pytest.fixture
def canaries(organization: Organization, operator: Person) -> Canaries:
    return plant(organization, operator)


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that is logged, with tracebacks, at the level of who hunts an error."""
    text, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(text)
    levels = {name: logging.getLogger(name).level for name in ("", "django", "datanika")}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_every_secret_field_has_a_canary(canaries: Canaries) -> None:
    """A connector, a model or a form that takes another secret has to be planted with one too."""
    for key, connection in canaries.connections.items():
        assert set(connection.secrets) == all_connectors()[key].form_class.secret_fields
    text = dump()
    for model, column in (
        ("connections_connection", "secrets"),
        ("alerts_alertchannel", "secrets"),
        ("tenants_identityprovider", "secrets"),
        ("tenants_platformsettings", "mail_secrets"),
        ("mfa_authenticator", "data"),
    ):
        assert model in text, column
    assert text.count("gAAAA") >= len(canaries.connections) + 6


def test_nothing_that_can_be_read_has_a_canary(
    organization: Organization,
    things: dict[tuple[str, str], Any],  # noqa: F811
    operator: Person,
    canaries: Canaries,
    logs: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    client = operator.client
    client.raise_request_exception = False
    things[("connections", "slug")] = canaries.connections["postgres"].slug
    seen, hits = 0, []
    for url in (
        *_urls_of_organization(organization, things),
        *_urls_of_admin(),
        *_urls_of_account(),
    ):
        body = values_of(client.get(url, QUERIES.get(url.rsplit("/", 2)[1])))
        hits += canaries.hits(body, url)
        seen += 1
    for what, body in _refused(client, organization, canaries):
        hits += canaries.hits(body, what)
    hits += canaries.hits(_commands(), "commands")
    hits += canaries.hits(dump(), "database")
    hits += canaries.hits(logs.getvalue(), "logs")
    for name, content in files_below(Path(settings.DATA_DIR)):
        hits += canaries.hits(content, name)
    hits += canaries.hits("".join(capfd.readouterr()), "output")
    assert hits == []
    assert seen > 150


def test_the_search_finds_what_it_should(canaries: Canaries) -> None:
    for text in (
        f"password={CORE}",
        "postgres://u:kN4rY%2Fq7%2BXw%26z@host",
        f"x{canaries.made['API key']}x",
        "dXNlcjprTjRyWS9xNytYdyZ6",
        canaries.made["SECRET_KEY"].encode().hex(),
    ):
        assert canaries.hits(text, "here"), text
    connection = canaries.connections["postgres"]
    Connection.all_organizations.filter(pk=connection.pk).update(config={"note": CORE})
    assert canaries.hits(dump(), "database")


def _urls_of_organization(
    organization: Organization,
    things: dict[tuple[str, str], Any],  # noqa: F811
) -> Iterator[str]:
    for route in routes("o/"):
        yield route.url(organization, things)
    for route in routes("api/v1/organizations/"):
        if "GET" in route.required:
            yield route.url(organization, things)
    base = f"/o/{organization.slug}"
    yield f"{base}/audit/?action=connection.created"
    for name in ("canary-postgresql", "canary-mysql"):
        yield f"{base}/connections/{name}/edit/"


def _urls_of_admin() -> Iterator[str]:
    yield reverse("admin:index")
    yield reverse("admin:health")
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield f"{reverse(f'{name}_changelist')}?q=a"
        # The newest are those with canaries.
        for row in model._default_manager.order_by("-pk")[:3]:
            yield reverse(f"{name}_change", args=[row.pk])


def _urls_of_account() -> Iterator[str]:
    """Pages outside of organizations that need no arguments, and never those that sign out."""
    for route, _pattern in _leaves(get_resolver().url_patterns):
        if not re.search(r"[<(]|^admin|logout", route):
            yield f"/{route.removeprefix('^').removesuffix('$')}"


def _refused(
    client: Client, organization: Organization, canaries: Canaries
) -> Iterator[tuple[str, bytes]]:
    """Secrets that were sent and came to nothing: forms with errors, JSON with errors, a fault in the middle."""
    base = f"/o/{organization.slug}/connections"
    secrets = {"password": f"typed-{CORE}", "ssh_password": f"typed-{CORE}"}
    for action in ("save", "check"):
        sent = {**SERVER, "port": "70000", "name": "", "action": action, **TUNNEL, **secrets}
        yield f"form, {action}", values_of(client.post(f"{base}/new/postgres/", sent))
    sent = {"path": "nothing", "name": "x", "action": "save", **secrets}
    yield "keys nobody asked for", values_of(client.post(f"{base}/new/duckdb/", sent))
    api = f"/api/v1/organizations/{organization.slug}"
    for url, body in (
        (f"{api}/connections/", {"name": "x", "connector": "postgres", "secrets": secrets}),
        (f"{api}/connections/", {"name": "x", "connector": "nothing", "secrets": secrets}),
        (f"{api}/connectors/postgres/check/", {"config": {"port": "x"}, "secrets": secrets}),
    ):
        answer = client.post(url, {"config": {}, **body}, content_type="application/json")
        yield url, values_of(answer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "unique_slug", _fail)
        sent = {**SERVER, "port": "5432", "name": "Shop", "use_as": "source", "action": "save"}
        answer = client.post(f"{base}/new/postgres/", {**sent, "sslmode": "prefer", **secrets})
        assert answer.status_code == 500
        yield "a fault of ours", values_of(answer)
    answer = client.post(
        reverse("account_login"), {"login": "olga@example.com", "password": f"wrong-{CORE}"}
    )
    yield "a wrong password", values_of(answer)
    answer = Client().get(f"{api}/", headers={"Authorization": f"Bearer etf_{CORE}"})
    yield "a wrong key", values_of(answer)


def _fail(*_: Any, **__: Any) -> str:
    raise RuntimeError("a fault of ours, while the secrets stand in the frames above")


def _commands() -> str:
    out = io.StringIO()
    for command, *arguments in (
        ("rotate_encryption_key", "--check"),
        ("prune", "--dry-run"),
        ("schedules", "--help"),
        ("dumpdata", "--exclude", "sessions"),
        ("verify_audit",),
        ("check",),
        ("showmigrations",),
    ):
        try:
            call_command(command, *arguments, stdout=out, stderr=out)
        except SystemExit:
            continue
    out.write("\n".join(str(finding) for finding in health.findings(with_engines=False)))
    return out.getvalue()


# A run whose error has the secret in it -------------------------------------------------------------


class Blabbing(threading.Thread):
    """A PostgreSQL server that repeats the password it was sent: the most careless error there can be.

    The protocol itself is spoken, so the driver and everything behind it are the real ones.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._look = look
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.passwords: list[str] = []

    def run(self) -> None:
        while True:
            try:
                peer, _address = self._listener.accept()
            except OSError:
                return
            with peer:
                self._serve(peer)

    def close(self) -> None:
        self._listener.close()

    def _serve(self, peer: socket.socket) -> None:
        while (body := _packet(peer)) is not None and body[:4] == struct.pack("!I", 80877103):
            peer.sendall(b"N")  # no TLS
        if body is None:
            return
        peer.sendall(b"R" + struct.pack("!II", 8, 3))  # the password in clear text, please
        if peer.recv(1) != b"p" or (body := _packet(peer)) is None:
            return
        password = body.rstrip(b"\0").decode()
        self.passwords.append(password)
        self._look()
        text = f'password authentication failed for "{password}"'.encode()
        fields = b"SFATAL\0C28P01\0M" + text + b"\0D" + text + b"\0\0"
        peer.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)


def _packet(peer: socket.socket) -> bytes | None:
    """The body of a message that begins with its length."""
    head = peer.recv(4)
    if len(head) < 4:
        return None
    left, body = struct.unpack("!I", head)[0] - 4, b""
    while left > len(body):
        more = peer.recv(left - len(body))
        if not more:
            return None
        body += more
    return body


@pytest.fixture
def shop(organization: Organization, operator: Person) -> Shop:
    return make_shop(organization, operator.actor)


def test_a_run_that_fails_with_the_secret_in_its_error_tells_nobody(
    organization: Organization,
    operator: Person,
    shop: Shop,
    canaries: Canaries,
    logs: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    during: list[str] = []

    def look() -> None:
        """While the child has the secret in its hands, as everybody else on the machine might."""
        for name, content in processes([psutil.Process(os.getpid())]):
            during.extend(canaries.hits(content, name))
        for name, content in files_below(Path(settings.DATA_DIR)):
            during.extend(canaries.hits(content, name))

    server = Blabbing(look)
    server.start()
    try:
        _run_against(server, organization, operator, shop)
    finally:
        server.close()
    assert any(CORE in password for password in server.passwords), "nobody signed in"
    assert during == []
    steps = RunStep.objects.for_organization(organization)
    assert {step.status for step in steps} == {"failed"}
    assert steps.exclude(error="").count() == 2
    hits = canaries.hits(dump(), "database") + canaries.hits(logs.getvalue(), "logs")
    for name, content in files_below(Path(settings.DATA_DIR)):
        hits += canaries.hits(content, name)
    for run in (1, 2):
        for page in ("", "log/", "configuration/", "log/download/"):
            url = f"/o/{organization.slug}/runs/{run}/{page}"
            hits += canaries.hits(values_of(operator.client.get(url)), url)
        url = f"/api/v1/organizations/{organization.slug}/runs/{run}/"
        hits += canaries.hits(values_of(operator.client.get(url)), url)
    hits += canaries.hits("".join(capfd.readouterr()), "output")
    assert hits == []
    assert RunLogLine.objects.for_organization(organization).exists()


def _run_against(
    server: Blabbing, organization: Organization, operator: Person, shop: Shop
) -> None:
    """A check, a load from it and a build in it: each of the ways in which a child uses a password."""
    connection = connections.create_connection(
        organization=organization,
        actor=operator.actor,
        name="Blabbing",
        connector="postgres",
        values={
            **SERVER,
            "port": server.port,
            "sslmode": "disable",
            "password": f"sent-{CORE}",
        },
        use_as="both",
    )
    stages = connections.check_connection(connection=connection, actor=operator.actor)
    assert any(stage["status"] == "failed" for stage in stages)
    definition = pipelines.definition_of(shop.pipeline).as_dict()
    pipelines.create_pipeline(
        organization=organization,
        actor=operator.actor,
        source=connection,
        destination=shop.warehouse,
        definition=PipelineDefinition.parse({**definition, "name": "Leaky", "dataset": "leaky"}),
    )
    shop.run(target="pipeline:leaky")
    shop.warehouse = connection
    shop.transformation("built_there", "select 1 as id")
    shop.run(target="transformation:built_there")
