"""Whose rows the database lets through at this moment: a second wall behind the scoping of each query.

A request below an organization and a step of a run are *within* it from the moment it is known; sign-in, operators,
commands and the engine's own looks for work are *everywhere*. PostgreSQL enforces it (``common.row_security``); SQLite
has only the first wall.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

EVERYWHERE = "*"
#: The setting of a PostgreSQL session that holds it.
SETTING = "datanika.organization"

_scope: ContextVar[str] = ContextVar("datanika_scope", default=EVERYWHERE)


def current() -> str:
    """``EVERYWHERE``, or the id of the one organization whose rows there are."""
    return _scope.get()


def enter(organization_id: int) -> None:
    """Stay within this organization until ``leave``: for requests, whose answers are still read after the view."""
    _scope.set(str(organization_id))


def leave(**_: object) -> None:
    """Back to everywhere; also a receiver of the signals of requests."""
    _scope.set(EVERYWHERE)


@contextmanager
def within(organization_id: int) -> Iterator[None]:
    """Only rows of this organization exist in the block."""
    token = _scope.set(str(organization_id))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def everywhere() -> Iterator[None]:
    """What has to look beyond its organization says so: the organizations of a person, the places of the platform.

    Querysets are lazy: they have to be read inside the block.
    """
    token = _scope.set(EVERYWHERE)
    try:
        yield
    finally:
        _scope.reset(token)
