"""What can be wrong with a transformation."""

import re
from typing import Any

from common.errors import Conflict, UserError

#: "orders: line 3, column 5: ", which a page shows in columns of their own.
_PLACE = re.compile(r"^\w+: (?:line \d+(?:, column \d+)?: )?")


class InvalidTransformation(UserError):
    """The transformation cannot be saved like this."""

    code = "invalid_transformation"


class EditConflict(Conflict):
    """Somebody saved this transformation after you opened it."""

    code = "edit_conflict"


class TransformationInUse(Conflict):
    """Other transformations read from this one."""

    code = "transformation_in_use"


class SqlProblem(UserError):
    """The SQL does not compile, or the warehouse refuses it.

    ``name`` is the transformation at fault (a project compiles as a whole, so it may be another
    one), ``line`` and ``column`` count from 1 in its author's text, None where they are not known.
    """

    code = "query_failed"

    def __init__(self, event: dict[str, Any]) -> None:
        super().__init__(
            event["message"],
            field="sql",
            remedy=event.get("remedy", ""),
            detail=event.get("detail", ""),
        )
        self.code = event.get("code", self.code)
        self.name: str = event.get("name") or ""
        self.line: int | None = event.get("line")
        self.column: int | None = event.get("column")

    @property
    def words(self) -> str:
        """The message without its place."""
        return _PLACE.sub("", self.message) if self.name else self.message
