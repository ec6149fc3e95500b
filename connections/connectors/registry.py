"""The connectors there are: every ``Connector`` found in a module of this package."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from functools import cache
from types import MappingProxyType, ModuleType

import connections.connectors as package
from common.errors import DatanikaError, NotFound
from connections.connectors.base import Category, Connector


class DuplicateConnector(DatanikaError):
    """Two connectors claim the same key."""

    code = "duplicate_connector"


@cache
def all_connectors() -> MappingProxyType[str, Connector]:
    """Every connector by key, in the gallery's order (category, then label). Walks the package
    once, on first use.
    """
    modules = (
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
        if not module.ispkg
    )
    found = collect(modules)
    categories = list(Category)
    ordered = sorted(
        found.values(), key=lambda one: (categories.index(one.category), one.label.lower())
    )
    return MappingProxyType({connector.key: connector for connector in ordered})


def get_connector(key: str) -> Connector:
    """The connector of that key, or ``NotFound`` naming the keys there are."""
    connectors = all_connectors()
    if key not in connectors:
        raise NotFound(
            f'There is no connector "{key}".',
            field="connector",
            remedy=f"Choose one of: {', '.join(sorted(connectors))}.",
        )
    return connectors[key]


def collect(modules: Iterable[ModuleType]) -> dict[str, Connector]:
    """An instance of every connector class the modules define; a key claimed twice is refused."""
    found: dict[str, Connector] = {}
    for module in modules:
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if not issubclass(kind, Connector) or inspect.isabstract(kind):
                continue
            # An imported class belongs to the module it was written in.
            if kind.__module__ != module.__name__:
                continue
            if kind.key in found:
                raise DuplicateConnector(
                    f'Two connectors claim the key "{kind.key}": '
                    f"{type(found[kind.key]).__module__} and {module.__name__}."
                )
            found[kind.key] = kind()
    return found
