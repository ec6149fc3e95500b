"""A thing of another organization is as good as none: in the path, in the query, in a form and in JSON.

The answer to Acme's slug or number must be the answer to one that is not there, in status and in body; nothing of Acme
may be shown, and no row of it read.
"""

import copy
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from datanika_site.tests.isolation.asking import (
    Answer,
    ask,
    difference,
    leaks,
    noticing,
    same,
)
from datanika_site.tests.isolation.bodies import BODIES, REFUSED, WITHOUT
from datanika_site.tests.isolation.forms import Control, Form, forms_of
from datanika_site.tests.isolation.routes import Door, doors
from datanika_site.tests.isolation.world import (
    ABSENT,
    ABSENT_ID,
    FOREIGN,
    FOREIGN_ID,
    OWN,
    World,
)

# The database is set up for tests that say so; the world is in it already.
pytestmark = pytest.mark.django_db

DOORS = [door for door in doors() if door.is_page or door.is_api]
#: How things are named: a slug, a node, a number, and a slug inside something else.
SPELLINGS = (
    "{word}",
    "pipeline:{word}",
    "transformation:{word}",
    "{number}",
    "+{word}",
    "tag:{word}",
)


#: ``make test`` tries part of what ``make chaos`` tries, another part at each door.
EVERYTHING = pytest.mark.parametrize(
    "everything", [False, pytest.param(True, marks=pytest.mark.chaos)], ids=["some", "everything"]
)


def _report(wrong: list[str]) -> None:
    assert not wrong, f"{len(wrong)} of them:\n" + "\n".join(wrong[:60])


def _judged(
    where: str, foreign: Answer, absent: Answer, sent: str = FOREIGN + str(FOREIGN_ID)
) -> list[str]:
    wrong = []
    if foreign.status >= 500:
        wrong.append(f"{where} answers {foreign.status}")
    if not same(foreign, absent):
        wrong.append(f"{where} tells Acme's thing from none: {difference(foreign, absent)}")
    if said := leaks(foreign, sent):
        wrong.append(f"{where}: {said}")
    return wrong


# In the path ------------------------------------------------------------------------------------


def _absent(value: Any) -> Any:
    """The same kind of value, of a thing that nobody has."""
    if isinstance(value, int):
        return ABSENT_ID
    return str(value).replace(FOREIGN, ABSENT)


@EVERYTHING
def test_in_the_path(world: World, everything: bool) -> None:
    client, wrong = world.elsewhere.owner.client, []
    for door in DOORS:
        if not door.names_things:
            continue
        others = _others(door, world)
        absent = {name: _absent(value) for name, value in others.items()}
        urls = [
            door.url(world.elsewhere, {**world.elsewhere.things, **some})
            for some in (others, absent)
        ]
        for method in door.methods if door.is_api else ("GET", "POST"):
            foreign = ask(client, method, urls[0])
            if foreign.status == 405:
                continue
            nothing = ask(client, method, urls[1])
            where = f"{method} {urls[0]}"
            if foreign.status != 404:
                wrong.append(f"{where} answers {foreign.status}")
            wrong += _judged(
                where,
                _blind(foreign, urls[0], others.values()),
                _blind(nothing, urls[1], absent.values()),
            )
            if not everything:
                break
    _report(wrong)


def _others(door: Door, world: World) -> dict[tuple[str, str], Any]:
    """Acme's value for each argument of the address; the kind of a thing in the trash is no thing."""
    named = [argument for argument in door.arguments if argument != ("trash", "kind")]
    return {argument: world.acme.things[argument] for argument in named}


def _blind(answer: Answer, url: str, values: Any) -> Answer:
    """Without what was sent: its own address and its own values, as an answer may repeat them."""
    body, target = answer.body, answer.target
    for text in (url, *sorted(map(str, values), key=len, reverse=True)):
        if len(text) > 2:
            body, target = body.replace(text, "·"), target.replace(text, "·")
    return Answer(answer.status, target, body, answer.writes, answer.taints)


# In the query -----------------------------------------------------------------------------------


@EVERYTHING
def test_in_the_query(world: World, everything: bool) -> None:
    """Every name that a page or an operation looks for, with every way to name a thing."""
    client, wrong, asked = world.elsewhere.owner.client, [], 0
    for turn, door in enumerate(DOORS):
        if (door.is_api and "GET" not in door.methods) or (turn % 2 and not everything):
            continue
        url = door.url(world.elsewhere)
        names = _looked_for(client, door, url)
        for at, spelling in enumerate(SPELLINGS if names else ()):
            if not everything and at != turn % len(SPELLINGS):
                continue
            alone = [[name] for name in sorted(names) if _names(name)] if everything else []
            for some in (sorted(names), *alone):
                asked += 1
                foreign = ask(client, "GET", f"{url}?{_query(some, spelling, FOREIGN, FOREIGN_ID)}")
                absent = ask(client, "GET", f"{url}?{_query(some, spelling, ABSENT, ABSENT_ID)}")
                wrong += _judged(f"GET {url}?{'&'.join(some)}={spelling}", foreign, absent)
    assert asked > (300 if everything else 20)
    _report(wrong)


def _looked_for(client: Client, door: Door, url: str) -> set[str]:
    with noticing() as names:
        usual = ask(client, "GET", url)
    if door.is_api:
        told = described(door)["get"].get("parameters", ())
        names |= {parameter["name"] for parameter in told if parameter["in"] == "query"}
    return set() if usual.status == 405 else names


def _query(names: list[str], spelling: str, word: str, number: int) -> str:
    return urlencode(dict.fromkeys(names, spelling.format(word=word, number=number)))


def _names(name: str) -> bool:
    """Whether a parameter of this name may well name a thing: then it is also tried alone."""
    return name not in {"q", "after", "before", "page", "sort", "view", "ask", "p", "page_size"}


# In forms ---------------------------------------------------------------------------------------


@EVERYTHING
def test_in_forms(world: World, everything: bool) -> None:
    """Every form of every page: as it stands, and with each field naming a thing of Acme's."""
    client, wrong, fields = world.elsewhere.owner.client, [], 0
    for turn, form in enumerate(_forms(world)):
        if not everything and turn % 6:
            continue
        for control in form.controls.values():
            for foreign, absent in _values(control, everything):
                fields += 1
                wrong += _sent(client, form, control.name, foreign, absent)
    assert fields > (100 if everything else 3)
    _report(wrong)


def _forms(world: World) -> Iterator[Form]:
    """Each once."""
    seen: set[tuple[str, ...]] = set()
    for door in DOORS:
        if not door.is_page:
            continue
        url = door.url(world.elsewhere)
        page = ask(world.elsewhere.owner.client, "GET", url)
        for form in forms_of(page.body, url) if page.status == 200 else ():
            key = (form.action, *sorted(form.controls))
            if form.method == "post" and key not in seen and form.action.startswith("/o/"):
                seen.add(key)
                yield form


def _values(control: Control, everything: bool) -> Iterator[tuple[str, str]]:
    """What a field may be given instead: Acme's word for each way in which it names something of ours.

    Fields that name nothing are tried only where ``everything`` is.
    """
    if control.name == "csrfmiddlewaretoken" or control.kind == "password":
        return
    known = {*control.values, *control.offered}
    told = {value for value in known if OWN in value}
    for value in sorted(told)[:3]:
        yield value.replace(OWN, FOREIGN), value.replace(OWN, ABSENT)
    numbers = {value for value in known if value.isdigit()}
    if numbers and control.name != "version" and (control.offered or control.kind == "hidden"):
        yield str(FOREIGN_ID), str(ABSENT_ID)
    if everything and not (told or control.offered):
        yield FOREIGN, ABSENT


def _sent(client: Client, form: Form, name: str, foreign: str, absent: str) -> list[str]:
    answers = []
    for value in (foreign, absent):
        data = {**form.data, name: [value]}
        body = urlencode(data, doseq=True)
        kind = "application/x-www-form-urlencoded"
        answers.append(ask(client, "POST", form.action, body, kind=kind))
    return _judged(f"POST {form.action} with {name}={foreign}", answers[0], answers[1])


# In JSON ----------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


def described(door: Door) -> dict[str, Any]:
    """What the document says of its path, by method."""
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", door.route)
    paths = document()["paths"]
    found = paths.get(path) or paths.get(path.replace("{pk}", "{id}"))
    assert found is not None, f"{path} is not in the OpenAPI document"
    return dict(found)


def _with_bodies() -> Iterator[tuple[str, str, Door]]:
    """(row, method, door) of each operation whose description has a body."""
    for door in DOORS:
        for method in door.methods if door.is_api else ():
            if "requestBody" in described(door)[method.lower()]:
                yield f"{method}:{door.name.removeprefix('api-')}", method, door


def test_every_body_has_a_row() -> None:
    found = {row for row, _method, _door in _with_bodies()} - WITHOUT
    assert found == set(BODIES), (
        "say in isolation/bodies.py what is sent there, or take the row out"
    )


@EVERYTHING
def test_in_json(world: World, everything: bool) -> None:
    client, wrong = world.elsewhere.owner.client, []
    numbers = {
        "own member": world.elsewhere.things["members", "pk"],
        "own run": world.elsewhere.things["runs", "number"],
    }
    for row, method, door in _with_bodies():
        if row in WITHOUT:
            continue
        url, body = door.url(world.elsewhere), _filled(BODIES[row], numbers)
        usual = ask(client, method, url, body)
        refused = usual.status in (404, 409, 422) and OWN in usual.body
        if usual.status >= 500 or (refused and row not in REFUSED):
            wrong.append(f"{row} does not take its own body: {usual.status} {usual.body[:200]}")
        for foreign, absent, where in _exchanged(BODIES[row], numbers, everything):
            answers = [ask(client, method, url, sent) for sent in (foreign, absent)]
            wrong += _judged(f"{row} with {where}", answers[0], answers[1])
    _report(wrong)


def _filled(body: Any, numbers: dict[str, int]) -> Any:
    if isinstance(body, dict):
        return {key: _filled(value, numbers) for key, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, numbers) for value in body]
    return numbers.get(body, body) if isinstance(body, str) else body


def _leaves(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in inner:
        if isinstance(value, dict | list):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _exchanged(
    body: Any, numbers: dict[str, int], everything: bool
) -> Iterator[tuple[Any, Any, str]]:
    """(body that names Acme's thing, body that names none, where) for every field there is.

    Fields that name nothing are tried only where ``everything`` is.
    """
    for path in _leaves(body):
        value = _at(body, path)
        pairs: list[tuple[Any, Any]]
        if isinstance(value, str) and value in numbers:
            pairs = [(FOREIGN_ID, ABSENT_ID)]
        elif isinstance(value, str) and OWN in value:
            pairs = [(value.replace(OWN, FOREIGN), value.replace(OWN, ABSENT))]
        elif isinstance(value, str) and everything:
            pairs = [(FOREIGN, ABSENT), (f"pipeline:{FOREIGN}", f"pipeline:{ABSENT}")]
        elif everything and isinstance(value, int) and not isinstance(value, bool):
            pairs = [(FOREIGN_ID, ABSENT_ID)]
        else:
            continue
        for foreign, absent in pairs:
            bodies = []
            for given in (foreign, absent):
                changed = copy.deepcopy(body)
                _at(changed, path[:-1])[path[-1]] = given
                bodies.append(_filled(changed, numbers))
            yield bodies[0], bodies[1], ".".join(map(str, path))


def _at(body: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        body = body[key]
    return body
