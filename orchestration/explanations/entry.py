"""What one explanation is made of."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _


class Who(StrEnum):
    """Who can put it right."""

    EDITOR = "editor"
    ADMIN = "admin"
    OPERATOR = "operator"
    SYSTEM_OWNER = "system_owner"
    NOBODY = "nobody"


WHO_WORDS: dict[Who, Any] = {
    Who.EDITOR: _("an editor of this organization"),
    Who.ADMIN: _("an admin of this organization"),
    Who.OPERATOR: _("the operator of this installation"),
    Who.SYSTEM_OWNER: _("the owner of the other system"),
    Who.NOBODY: _("nobody has to: it passes by itself"),
}


class Place(StrEnum):
    """Where it is put right."""

    CONNECTION = "connection"
    TABLES = "tables"
    PIPELINE = "pipeline"
    TRANSFORMATION = "transformation"
    REJECTS = "rejects"
    FILES = "files"
    LINEAGE = "lineage"
    TRASH = "trash"
    RUN_LOG = "log"
    PLATFORM = "platform"


class Kind(StrEnum):
    """What a step does; an explanation may hold for one of them alone."""

    ANY = ""
    LOAD = "pipeline"
    BUILD = "transform"


@dataclass(frozen=True)
class Explanation:
    """One cause, and what to do about it.

    ``marks`` are what it is recognized by: ``sqlstate:28P01``, ``code:missing_table``, or with a star
    at the end a whole class (``sqlstate:22*``). A ``broad`` one holds only where no other does.
    """

    key: str
    #: A few words for a list.
    title: Any
    cause: Any
    remedy: Any
    who: Who
    places: tuple[Place, ...]
    marks: tuple[str, ...]
    kind: Kind = Kind.ANY
    broad: bool = False

    @property
    def who_words(self) -> str:
        return str(WHO_WORDS[self.who])


def marks(*words: str) -> tuple[str, ...]:
    """Several marks written in one line."""
    return tuple(" ".join(words).split())
