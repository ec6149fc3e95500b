"""Nobody is where they do not belong: every route, command and task, asked by everybody.

The routes come from the resolver, the operations from the views, names of parameters from what views look for, fields
from forms and from the OpenAPI document. What each should answer stands in ``expectations``; a route without
a row fails here from its first day. One world is made for all of it and every request is taken back.
"""

import inspect
import io
import re

import pytest
from celery import current_app
from django.core.management import call_command, get_commands
from django.test import Client

import orchestration.tasks  # noqa: F401  (Celery knows a task once it is imported)
from common.access import Permission, Role
from common.errors import UserError
from datanika_site.tests.isolation import expectations as expected
from datanika_site.tests.isolation.asking import (
    Answer,
    ask,
    ask_page,
    difference,
    leaks,
    same,
    watching,
)
from datanika_site.tests.isolation.routes import doors
from datanika_site.tests.isolation.world import (
    ABSENT,
    ABSENT_ID,
    CANARY,
    FOREIGN,
    FOREIGN_ID,
    OWN,
    Caller,
    World,
    undone,
)

# The database is set up for tests that say so; the world is in it already.
pytestmark = pytest.mark.django_db

HOW = "datanika_site/tests/isolation/expectations.py"
DOORS = doors()


def _report(wrong: list[str]) -> None:
    assert not wrong, f"{len(wrong)} of them:\n" + "\n".join(wrong[:60])


# Every door has a row ----------------------------------------------------------------------------


def test_every_door_has_a_row_and_every_row_a_door() -> None:
    """What is missing is printed as the line to add."""
    pages = {door.name for door in DOORS if door.is_page}
    api = {
        f"{method}:{door.name.removeprefix('api-')}"
        for door in DOORS
        if door.is_api
        for method in door.methods
    }
    outside = {door.name for door in DOORS if not (door.is_page or door.is_api or door.is_admin)}
    commands = {name for name, app in get_commands().items() if _is_ours(str(app))}
    tasks = {name for name, task in current_app.tasks.items() if _is_ours(task.__module__)}
    wrong = []
    for what, found, table in (
        ("PAGES", pages, set(expected.PAGES)),
        ("API", api, set(expected.API)),
        ("OUTSIDE", outside, set(expected.OUTSIDE)),
        ("COMMANDS", commands, set(expected.COMMANDS)),
        ("TASKS", tasks, set(expected.TASKS)),
    ):
        wrong += [f"add {name!r} to {what} in {HOW}" for name in sorted(found - table)]
        wrong += [f"take {name!r} out of {what} in {HOW}" for name in sorted(table - found)]
    missing = set(Permission) - expected.ROLES[Role.OWNER]
    wrong += [f"say in ROLES of {HOW} who has {permission}" for permission in sorted(missing)]
    _report(wrong)


def _is_ours(module: str) -> bool:
    first = module.partition(".")[0]
    return first in {name.partition(":")[0] for name in _apps()}


def _apps() -> set[str]:
    from pathlib import Path

    from django.apps import apps
    from django.conf import settings

    here = Path(settings.BASE_DIR)
    return {c.name for c in apps.get_app_configs() if Path(c.path).parent == here}


# Who gets in ------------------------------------------------------------------------------------

#: ``make test`` asks the weakest who may, the strongest who may not and one other in turn, ``make chaos`` everybody.
EVERYBODY = pytest.mark.parametrize(
    "everybody", [False, pytest.param(True, marks=pytest.mark.chaos)], ids=["some", "everybody"]
)
_ROLES = list(expected.ROLES)


def _askers(world: World, turn: int, permission: Permission, everybody: bool) -> list[Caller]:
    if everybody:
        return world.callers
    may = [role for role in _ROLES if permission in expected.ROLES[role]]
    edge = _ROLES.index(may[0])
    named = {str(role) for role in _ROLES[max(edge - 1, 0) : edge + 1]}
    others = [caller for caller in world.callers if caller.name not in named]
    # Another one at each door: with some hundred doors everybody is asked at many of them.
    other = others[turn % len(others)]
    return [*(caller for caller in world.callers if caller.name in named), other]


def _wrong(row: str, caller: Caller, answer: Answer, permission: Permission, api: bool) -> str:
    """What is wrong with the answer, or nothing."""
    who = f"{row} asked by {caller.name} answers {answer.status}"
    if status := expected.UNLIKE.get((row, caller.name)):
        return "" if answer.status == status else f"{who}, not {status}"
    if caller.standing == "nobody" or (caller.by != "session" and not api):
        good = answer.status == 401 if api else answer.asks_to_sign_in
        verdict = "" if good else f"{who}, not the sign-in"
    elif caller.standing == "stranger":
        verdict = "" if answer.status == 404 else f"{who}, not 404"
    else:
        assert caller.role is not None
        may = permission in expected.rights(caller.role, caller.scopes)
        if may and row.startswith(expected.PERSONAL) and caller.name != "owner":
            return "" if answer.status == 404 else f"{who}, but it is the owner's draft"
        if may and not (caller.by == "key" and row in expected.PEOPLE_ONLY):
            return "" if answer.is_in else f"{who}, but has {permission}"
        verdict = "" if answer.status == 403 else f"{who}, not 403 ({permission})"
    if not verdict and answer.writes:
        verdict = f"{who}, but wrote: {answer.writes[:3]}"
    # They know the address, which has slugs of Acme in it, so those may come back.
    if not verdict and caller.standing != "member" and (said := leaks(answer, FOREIGN)):
        verdict = f"{who}: {said}"
    return verdict


@EVERYBODY
def test_pages_let_in_whom_they_should(world: World, everybody: bool) -> None:
    wrong, sung = [], 0
    for turn, door in enumerate(door for door in DOORS if door.is_page):
        if (permission := expected.PAGES.get(door.name)) is None:
            continue
        url = door.url(world.acme)
        for caller in _askers(world, turn, permission, everybody):
            world.restore_files()
            answer = ask_page(caller.client, url, expected.SENT.get(door.name)).untainted
            wrong.append(_wrong(door.name, caller, answer, permission, api=False))
            sung += CANARY in answer.body.lower()
    _report([text for text in wrong if text])
    assert sung > 60, "Acme's own people see what others must not, or nothing is proven"


@EVERYBODY
def test_the_api_lets_in_whom_it_should(world: World, everybody: bool) -> None:
    wrong, sung, turn = [], 0, 0
    for door in (door for door in DOORS if door.is_api):
        for method in door.methods:
            row = f"{method}:{door.name.removeprefix('api-')}"
            if (permission := expected.API.get(row)) is None:
                continue
            turn += 1
            url = door.url(world.acme)
            for caller in _askers(world, turn, permission, everybody):
                world.restore_files()
                answer = ask(caller.client, method, url).untainted
                wrong.append(_wrong(row, caller, answer, permission, api=True))
                sung += CANARY in answer.body.lower()
    _report([text for text in wrong if text])
    assert sung > 20


# Outside of organizations -----------------------------------------------------------------------

#: By the name of the converter; the ids are those of Acme's first rows.
_VALUES = {"str": FOREIGN, "slug": FOREIGN, "int": str(FOREIGN_ID), "path": FOREIGN}
_ABSENT = {"str": ABSENT, "slug": ABSENT, "int": str(ABSENT_ID), "path": ABSENT}
_SIGN_IN_FIRST = {"person": 302, "program": 401}


@EVERYBODY
def test_outside_of_organizations(world: World, everybody: bool) -> None:
    """Open pages show nothing of anybody; the others ask to sign in; what one sees is one's own."""
    wrong = []
    outsiders = [caller for caller in world.callers if caller.standing != "member"]
    for turn, door in enumerate(DOORS):
        if (kind := expected.OUTSIDE.get(door.name)) is None or door.is_admin:
            continue
        some = [outsiders[(turn + step) % len(outsiders)] for step in range(2)]
        for caller in outsiders if everybody else [world.caller("anonymous"), *some]:
            answer = _ask_anything(caller.client, door.outside_url(_VALUES)).untainted
            who = f"{door.name} asked by {caller.name}"
            if answer.status >= 500:
                wrong.append(f"{who} answers {answer.status}")
            if said := leaks(answer, FOREIGN):
                wrong.append(f"{who}: {said}")
            unknown = caller.standing == "nobody" or (kind == "person" and caller.by != "session")
            if unknown and answer.status != _SIGN_IN_FIRST.get(kind, answer.status):
                wrong.append(f"{who} answers {answer.status}")
        if "<int:" in door.route:
            client = world.elsewhere.owner.client
            answers = [
                _ask_anything(client, door.outside_url(values)) for values in (_VALUES, _ABSENT)
            ]
            if not same(*answers):
                wrong.append(f"{door.name} tells: {difference(*answers)}")
    _report(wrong)


def _ask_anything(client: Client, url: str) -> Answer:
    answer = ask_page(client, url)
    return ask(client, "DELETE", url) if answer.status == 405 else answer


@EVERYBODY
def test_the_admin_is_for_operators(world: World, everybody: bool) -> None:
    """Every page of it; an owner of an organization is nobody there."""
    wrong = []
    outsiders = [caller for caller in world.callers if caller.name != "operator"]
    for turn, door in enumerate(door for door in DOORS if door.is_admin):
        if door.name in ("admin:login", "admin:jsi18n", "admin:logout"):
            continue
        url = "/" + re.sub(r"<\w+:\w+>", str(FOREIGN_ID), door.route)
        url = re.sub(r"\(\?P<\w+>[^()]*\)", "x", url).rstrip("$")
        for caller in outsiders if everybody else [outsiders[turn % len(outsiders)]]:
            answer = ask(caller.client, "GET", url).untainted
            if answer.status not in (302, 403, 404) or answer.writes or leaks(answer, FOREIGN):
                wrong.append(f"{url} asked by {caller.name} answers {answer.status}")
        if everybody and (status := ask(world.operator.client, "GET", url).status) >= 500:
            wrong.append(f"{url} answers operators with {status}")
    _report(wrong)


# Commands and tasks -----------------------------------------------------------------------------


def test_tasks_take_what_their_rows_say(world: World) -> None:
    """A bell carries an id at most, never an organization, a name or what is to be done."""
    for name, arguments in expected.TASKS.items():
        task = current_app.tasks[name]
        assert tuple(inspect.signature(task.run).parameters) == arguments, name


@pytest.mark.parametrize("step", ["ended", "absent"])
def test_a_bell_for_a_step_that_does_not_wait_does_nothing(world: World, step: str) -> None:
    from orchestration.engine import claims
    from orchestration.models import RunStep

    row = RunStep.objects.for_organization(world.acme.organization).first()
    assert row is not None
    with watching() as watch:
        assert claims.claim(row.pk if step == "ended" else ABSENT_ID) is None
    assert [text for text in watch.writes if not text.startswith("UPDATE")] == []
    before = row.status, row.attempt, row.worker
    row.refresh_from_db()
    assert (row.status, row.attempt, row.worker) == before


#: How each command that names an organization is called; the other's things are given to it below.
_CALLS: dict[str, list[str]] = {
    "backfill": [
        "{place}/{word}",
        "--resource",
        "orders",
        "--from",
        "30",
        "--to",
        "39",
        "--slice",
        "5",
    ],
    "run_dag": ["{place}"],
    "run_pipeline": ["{place}/{word}"],
    "schedules": ["{place}", "--pause-all"],
    "verify_audit": ["--organization", "{place}"],
}


def test_commands_act_on_the_organization_they_name(world: World) -> None:
    """They read and change nothing of the other, and find nothing of it under their own."""
    named = {name for name, option in expected.COMMANDS.items() if option}
    assert named == set(_CALLS), "say in _CALLS how it is called"
    place = world.elsewhere.organization.slug
    for name, words in _CALLS.items():
        told = [word.format(place=place, word=OWN) for word in words]
        said = io.StringIO()
        with undone(), watching() as watch:
            call_command(name, *told, stdout=said)
        assert name == "verify_audit" or watch.taints == [], name
        assert said.getvalue(), name
        assert FOREIGN not in said.getvalue()
        if "{word}" not in words[0]:
            continue
        answers = []
        for word in (FOREIGN, ABSENT):
            told = [text.format(place=place, word=word) for text in words]
            with undone(), watching() as watch, pytest.raises(UserError) as refused:
                call_command(name, *told, stdout=said)
            assert watch.taints == [], name
            answers.append(str(refused.value).replace(word, "·"))
        assert answers[0] == answers[1]


def test_there_are_doors_to_ask_at() -> None:
    assert sum(door.is_page for door in DOORS) > 120
    assert sum(door.is_api for door in DOORS) > 80
    assert sum(door.is_admin for door in DOORS) > 80
