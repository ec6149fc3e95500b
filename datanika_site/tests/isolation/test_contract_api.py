"""The OpenAPI document holds: whatever is sent, the answer is one that it describes, and never of somebody else.

schemathesis makes the requests from the document, fitting ones and misfits, and sends them as every role. ``make test``
tries a handful for each operation, ``make chaos`` at least ``FULL`` in all. No child process is started (``conftest``):
what connections, loads and builds do with their arguments has its own tests.
"""

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.signals import got_request_exception
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from common.access import Role
from conftest_site import make_person
from datanika_site.tests.isolation.asking import ask
from datanika_site.tests.isolation.world import CANARY, FOREIGN, World, undone
from datanika_site.wsgi import application
from tenants import services
from tenants.services import tokens

# The database is set up for tests that say so; the world is in it already.
pytestmark = pytest.mark.django_db

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EVERYTHING = pytest.mark.parametrize(
    "everything", [False, pytest.param(True, marks=pytest.mark.chaos)], ids=["some", "everything"]
)
#: Cases in all of the long version, and for each operation of the short one.
FULL, SHORT_EACH = 10_000, 1


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """A server looks after its connections between requests; here all of them are within one transaction."""
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


@pytest.fixture
def bearers(world: World) -> dict[str, str]:
    """Role → what to send as Authorization, in Elsewhere."""
    organization, owner = world.elsewhere.organization, world.elsewhere.owner
    people = {Role.OWNER: owner} | {
        role: make_person(f"Schema{role}", organization, role)
        for role in (Role.ADMIN, Role.EDITOR, Role.VIEWER)
    }
    found = {}
    for role, person in people.items():
        assert person.membership is not None
        made = tokens.issue_tokens(membership=person.membership, caller=tokens.Caller())
        found[role.value] = f"Bearer {made.access}"
    _row, text = services.issue_api_key(
        organization=organization,
        name="Reads",
        role=Role.ADMIN,
        scopes=["read"],
        actor=owner.actor,
        created_by=owner.user,
    )
    return {**found, "key": f"Bearer {text}"}


class Probe:
    """Sends cases and notes what is wrong, by operation and status, with the first case of each."""

    def __init__(self, bearers: dict[str, str]) -> None:
        self.bearers = bearers
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.wrong: dict[str, str] = {}
        self._raised = ""
        got_request_exception.connect(self._note)

    def _note(self, **_: Any) -> None:
        import traceback

        self._raised = traceback.format_exc(limit=-3)

    def send(self, case: Any, role: str) -> None:
        self.sent += 1
        self._raised = ""
        with undone():
            response = case.call(
                headers={"Authorization": self.bearers[role], "Accept-Encoding": "identity"}
            )
        self.statuses[response.status_code] += 1
        label = f"{case.operation.label} as {role}"
        text = (response.text or "").lower()
        if CANARY in text or FOREIGN in text:
            self.wrong.setdefault(f"{label} leaks", text[:300])
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseExceptionGroup as error:
            key = f"{case.operation.label} {response.status_code}"
            said = f"{error}\n{self._raised}"
            self.wrong.setdefault(
                key, f"as {role}: {said[:1800]}\n{getattr(error, 'exceptions', '')}"
            )


@pytest.fixture
def probe(bearers: dict[str, str]) -> Iterator[Probe]:
    made = Probe(bearers)
    yield made
    got_request_exception.disconnect(made._note)


def _operations() -> list[Any]:
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)
    found = list(schema.get_all_operations())
    good = [operation.ok() for operation in found if isinstance(operation, Ok)]
    assert len(good) == len(found) > 100
    return good


def _own(path: str, world: World) -> dict[str, Any]:
    """Parameter of the path → what Elsewhere has there."""
    found, before = {}, ""
    for segment in path.strip("/").split("/"):
        if not segment.startswith("{"):
            before = segment
            continue
        name = segment.strip("{}")
        value = world.elsewhere.things.get((before, "pk" if name == "id" else name))
        if name == "organization":
            value = world.elsewhere.organization.slug
        if value is not None:
            found[name] = value
    return found


def _cases(operation: Any, world: World) -> st.SearchStrategy[Any]:
    """Fitting and misfitting requests, for things that exist and for made-up ones."""
    own = _own(operation.path, world)
    home = {name: value for name, value in own.items() if name == "organization"}
    made: list[st.SearchStrategy[Any]] = [
        operation.as_strategy(generation_mode=mode, path_parameters=fixed or None)
        for mode in GenerationMode
        for fixed in ([home, own] if own != home else [home])
    ]
    return st.one_of(made)


def _try(probe: Probe, operation: Any, world: World, roles: list[str], count: int, at: int) -> None:
    @seed(at)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_cases(operation, world), role=st.sampled_from(roles))
    def go(case: Any, role: str) -> None:
        probe.send(case, role)

    go()


def _report(probe: Probe) -> None:
    print(f"{probe.sent} cases: {dict(sorted(probe.statuses.items()))}")  # noqa: T201
    shown = "\n\n".join(f"{label}\n{said}" for label, said in list(probe.wrong.items())[:20])
    assert not probe.wrong, f"{len(probe.wrong)} kinds of wrong answers:\n{shown}"


def test_the_document_holds_in_short(probe: Probe, world: World) -> None:
    """Some cases for every operation; each role has its turn."""
    roles = list(probe.bearers)
    for at, operation in enumerate(_operations()):
        mine = ["owner", roles[1 + at % (len(roles) - 1)]]
        _try(probe, operation, world, mine, SHORT_EACH, at)
    _report(probe)
    assert probe.statuses[200] > 10


@pytest.mark.chaos
def test_the_document_holds(probe: Probe, world: World) -> None:
    """Every operation as every role."""
    found = _operations()
    each = FULL // (len(found) * len(probe.bearers)) + 1
    for at, operation in enumerate(found):
        for role in probe.bearers:
            _try(probe, operation, world, [role], each, at)
    _report(probe)
    assert probe.sent >= FULL


# What generators seldom come upon ---------------------------------------------------------------

NESTED = "[" * 5000 + "]" * 5000
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/json"),
    "half": (b'{"name": ', "application/json"),
    "no object": (b"[]", "application/json"),
    "null": (b"null", "application/json"),
    "no UTF-8": (b'{"name": "\xff"}', "application/json"),
    "deep": (NESTED.encode(), "application/json"),
    "deep in a field": (b'{"config": %b}' % (b'{"a":' * 60 + b"1" + b"}" * 60), "application/json"),
    "NUL": (b'{"name": "a\\u0000b", "config": {"path": "\\u0000"}}', "application/json"),
    "half a character": (b'{"name": "\\ud800", "config": {"\\udfff": 1}}', "application/json"),
    "endless": (b'{"days": 1%b, "member": 1%b}' % (b"0" * 30, b"0" * 30), "application/json"),
    "not a number": (b'{"days": NaN, "member": Infinity}', "application/json"),
    "other type": (b"name=x", "application/x-www-form-urlencoded"),
    "no type": (b"{}", ""),
    "odd charset": (b"{}", "application/json; charset=hex"),
}
TEXTS = ("%00", "9" * 40, "-1", "%D9%A3", "x" * 3000, "%ED%A0%80", "..%2F..", "%27%22%3E%3C", "")


@EVERYTHING
def test_bodies_that_are_none(world: World, everything: bool) -> None:
    """Each operation that takes a body refuses it in words; nothing fails."""
    client, wrong = world.elsewhere.owner.client, []
    for turn, operation in enumerate(_operations()):
        if not operation.body:
            continue
        url = _address(operation, world)
        for name in BODIES if everything else _some(tuple(BODIES), turn, 2):
            body, kind = BODIES[name]
            answer = ask(client, operation.method.upper(), url, body, kind=kind or "text/plain")
            if answer.status >= 500 or (answer.status >= 400 and not _is_problem(answer.body)):
                wrong.append(f"{operation.label} with {name}: {answer.status} {answer.body[:200]}")
    assert not wrong, "\n".join(wrong)


@EVERYTHING
def test_parameters_that_are_none(world: World, everything: bool) -> None:
    client, wrong = world.elsewhere.owner.client, []
    for turn, operation in enumerate(_operations()):
        address = _address(operation, world)
        query = [parameter.name for parameter in operation.query]
        for text in TEXTS if everything else _some(TEXTS, turn, 2):
            urls = [f"{address}?{'&'.join(f'{name}={text}' for name in query)}"] if query else []
            if "{" in operation.path.replace("{organization}", ""):
                urls.append(_address(operation, world, text))
            for url in urls:
                answer = ask(client, operation.method.upper(), url)
                if answer.status >= 500:
                    wrong.append(f"{operation.method} {url[:150]}: {answer.status}")
    assert not wrong, "\n".join(wrong)


def _some(values: tuple[str, ...], turn: int, count: int) -> list[str]:
    return [values[(turn * count + step) % len(values)] for step in range(count)]


def _address(operation: Any, world: World, text: str = "") -> str:
    """The operation's address in Elsewhere, for a thing of its own, or for ``text``."""
    path, own = str(operation.path), _own(operation.path, world)
    for name in re.findall(r"\{(\w+)\}", path):
        value = own.get(name, 0) if name == "organization" or not text else text
        path = path.replace(f"{{{name}}}", str(value))
    return path


def _is_problem(body: str) -> bool:
    try:
        return set(json.loads(body)) >= {"title", "status", "code", "remedy"}
    except ValueError:
        return False


CURSORS = ("p=abc", "p=%00", "o=99999999999999999999&p=1", "r=x", "p=" + "9" * 40, "p=2026")


@EVERYTHING
def test_cursors_that_somebody_wrote_themselves(world: World, everything: bool) -> None:
    client: Client = world.elsewhere.owner.client
    for turn, operation in enumerate(_operations()):
        if "cursor" not in {parameter.name for parameter in operation.query}:
            continue
        for position in CURSORS if everything else _some(CURSORS, turn, 2):
            cursor = b64encode(position.encode()).decode()
            answer = ask(client, "GET", _address(operation, world), {"cursor": cursor})
            assert answer.status in (200, 404, 409, 422), f"{operation.label}: {answer.body[:200]}"
