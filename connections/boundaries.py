"""Where what was shared of one connection ends: files need no password, so nothing else would keep them apart."""

from fnmatch import fnmatchcase
from typing import Any

from common.access import Permission
from common.errors import NotFound
from connections.errors import InvalidConfiguration
from connections.models import Connection
from tenants.actors import Actor


def check_place(connection: Connection, config: dict[str, Any], actor: Actor) -> None:
    """``InvalidConfiguration`` for another file, unless the actor may edit all connections.

    Who was given one connection would reach every file of the organization.
    """
    moved = config.get("path") != connection.config.get("path")
    if moved and connection.type.capabilities.local and not actor.can(Permission.EDIT):
        raise InvalidConfiguration(
            {"path": ["Only editors of the organization let a connection read another file."]}
        )


def check_shown(connection: Connection, table: str, actor: Actor) -> None:
    """``NotFound`` for a file that the connection does not name, for who sees nothing but the connection."""
    if actor.can(Permission.VIEW) or not connection.type.capabilities.files:
        return
    pattern, path = (str(text).split("/") for text in (connection.config.get("path", ""), table))
    if len(pattern) != len(path) or not all(map(fnmatchcase, path, pattern)):
        raise NotFound(f"This connection has no file {table!r}.", field="table")
