"""No change without an event: every function that somebody acts through is looked at, not those that were remembered.

A function with an ``actor`` has to lead to ``audit.record`` by the calls in its text, or to stand here with the reason.
"""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from audit.actions import AuditAction
from audit.services import events

ROOT = Path(__file__).parents[2]
APPS = ("tenants", "connections", "pipelines", "transforms", "orchestration", "alerts")
#: Parts of modules' names in which nothing is changed; the engines know no actor.
READERS = ("views", "forms", "selectors", "admin", "tests", "migrations", "management", "api")
ENGINES = ("pipelines.engine", "transforms.engine", "connections.connectors")
RECORDERS = {inspect.unwrap(events.record), inspect.unwrap(events.record_many)}

#: By their names they ask, and change nothing.
QUESTIONS = ("check_", "may_", "require_")
#: Other functions with an actor that leave no event, and why.
SILENT = {
    **dict.fromkeys(
        (
            "connections.usage.uses_for",
            "orchestration.grants.runnable_by_grant",
            "orchestration.grants.visible",
        ),
        "asks, and changes nothing",
    ),
    **dict.fromkeys(
        (
            "pipelines.services.discard_draft",
            "pipelines.services.save_draft",
            "pipelines.services.start_draft",
        ),
        "a draft is a form that is not sent yet; the pipeline made of it is an event",
    ),
    "orchestration.services.trash.restore_from_trash": "hands on to what restores that kind",
    "tenants.services.platform.send_test_mail": "a mail to oneself; nothing of it is kept",
}


def modules() -> Iterator[ModuleType]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            is_reader = any(f".{part}" in name for part in READERS)
            if not is_reader and not name.startswith(ENGINES) and path.name != "__init__.py":
                yield importlib.import_module(name)


def actors_functions() -> dict[str, FunctionType]:
    """Every public function of these modules that takes an actor."""
    found = {}
    for module in modules():
        for name, value in vars(module).items():
            plain = inspect.unwrap(value) if callable(value) else value
            if (
                isinstance(plain, FunctionType)
                and plain.__module__ == module.__name__
                and not name.startswith("_")
                and "actor" in inspect.signature(plain).parameters
            ):
                found[f"{module.__name__}.{name}"] = plain
    return found


@cache
def called(function: FunctionType) -> set[Any]:
    """What the text of a function calls or hands on, as far as its module knows it by name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(_plain(function.__globals__.get(node.id)))
        elif isinstance(node, ast.Attribute):
            base = node.value
            known = function.__globals__.get(base.id) if isinstance(base, ast.Name) else None
            if isinstance(known, ModuleType | type):
                found.add(_plain(getattr(known, node.attr, None)))
            else:
                found |= _methods(function, node.attr)
    return {one for one in found if one is not None}


def _methods(function: FunctionType, name: str) -> set[Any]:
    """Methods of that name, of the classes that the module knows: whose the object is stands nowhere."""
    classes = (value for value in function.__globals__.values() if isinstance(value, type))
    return {
        _plain(vars(cls)[name])
        for cls in classes
        if name in vars(cls) and cls.__module__.split(".")[0] in APPS
    }


def _plain(value: Any) -> FunctionType | None:
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    plain = inspect.unwrap(value) if callable(value) else None
    return plain if isinstance(plain, FunctionType) else None


def leads_to_an_event(function: FunctionType, seen: set[Any] | None = None) -> bool:
    seen = set() if seen is None else seen
    if function in RECORDERS:
        return True
    if function in seen or function.__module__.split(".")[0] not in (*APPS, "audit"):
        return False
    seen.add(function)
    return any(leads_to_an_event(one, seen) for one in called(function))


def test_who_acts_leaves_an_event() -> None:
    functions = actors_functions()
    assert len(functions) > 60
    silent = {
        name
        for name, function in functions.items()
        if not function.__name__.startswith(QUESTIONS) and not leads_to_an_event(function)
    }
    assert silent - SILENT.keys() == set(), "these change something and leave no event"
    assert SILENT.keys() - silent == set(), "these leave one by now"


def test_every_action_can_happen() -> None:
    """A word that nothing writes is a promise that nobody keeps."""
    whole = "\n".join(
        path.read_text("utf-8")
        for app in (*APPS, "datanika_site", "audit/services")
        for path in (ROOT / app).rglob("*.py")
        if not {"tests", "migrations"} & set(path.parts)
    )
    unused = [action.name for action in AuditAction if f"AuditAction.{action.name}" not in whole]
    assert unused == []
