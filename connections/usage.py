"""Who uses a connection. Apps above this one register how to ask them, so that nothing here imports them."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from common.access import Permission
from connections.models import Connection
from tenants.actors import Actor
from tenants.models import Organization


@dataclass(frozen=True)
class Use:
    """One thing that uses a connection. ``kind`` is a key of the ``{% kind %}`` tag."""

    kind: str
    name: str
    url: str


@dataclass(frozen=True)
class UsageSource:
    """What an app answers. ``counts`` takes one query for a whole organization, by connection id."""

    of: Callable[[Connection], list[Use]]
    counts: Callable[[Organization], dict[int, int]]
    #: A number as words: "2 pipelines".
    words: Callable[[int], str]


_sources: dict[str, UsageSource] = {}


def register(kind: str, source: UsageSource) -> None:
    """Called in an ``AppConfig.ready``; a second call for the same kind replaces the first."""
    _sources[kind] = source


def uses_of(connection: Connection) -> list[Use]:
    """Everything that uses the connection and is not in the trash."""
    return [use for source in _sources.values() for use in source.of(connection)]


def uses_for(actor: Actor, connection: Connection) -> list[Use]:
    """The same as far as the actor may know the names: for a guest, only that there is something."""
    found = uses_of(connection)
    if not found or actor.can(Permission.VIEW):
        return found
    return [Use(found[0].kind, _("others of the organization"), "")]


def summaries(organization: Organization) -> dict[int, str]:
    """Connection id → "2 pipelines, 5 transformations"; connections nobody uses are absent."""
    parts: dict[int, list[str]] = {}
    for source in _sources.values():
        for connection_id, number in source.counts(organization).items():
            parts.setdefault(connection_id, []).append(source.words(number))
    return {connection_id: ", ".join(words) for connection_id, words in parts.items()}
