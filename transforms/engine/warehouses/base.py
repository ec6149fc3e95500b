"""What a reader of any warehouse owes, and what they have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from common.errors import UserError

PREVIEW_SECONDS: Final = 10
#: A number that is nice to have must not hold up the run.
LOOK_SECONDS: Final = 60
SAMPLE_ROWS: Final = 20
#: Put before the tenant's SQL, on a line of its own: line numbers shift by exactly one.
HEAD: Final = "select * from (\n"


@dataclass(frozen=True)
class Relation:
    """A table or view that dbt built, by its unquoted names."""

    schema: str
    name: str


@dataclass(frozen=True)
class Rows:
    """The head of a result, as text (None is NULL)."""

    columns: list[dict[str, str]]
    rows: list[list[str | None]]
    truncated: bool = False

    def as_value(self) -> dict[str, Any]:
        return {"columns": self.columns, "rows": self.rows, "truncated": self.truncated}


class QueryFailed(UserError):
    """The warehouse refused the query."""

    code = "query_failed"

    def __init__(self, message: str, *, position: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        #: Line and column in the SQL that was asked for, counted from 1.
        self.position = position


class Warehouse(ABC):
    """A connection of our own to the warehouse that dbt builds in."""

    @abstractmethod
    def count(self, relation: Relation) -> int:
        """How many rows stand in it."""

    @abstractmethod
    def columns(self, relation: Relation) -> list[dict[str, str]]:
        """Name and type of each column, in order."""

    @abstractmethod
    def head(self, sql: str, *, limit: int, seconds: int) -> Rows:
        """The first rows of one SELECT; raises ``QueryFailed``."""

    def alive(self) -> bool:
        """Whether the warehouse still answers; asked after a failure."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""


class Server(Warehouse):
    """A server, over a connection of our own that only reads."""

    #: What its driver raises.
    errors: ClassVar[type[Exception]]
    _connection: Any
    #: Takes back what cancels a query of ours with the step.
    _forget: Callable[[], None]

    @abstractmethod
    def _reading(self, seconds: int) -> AbstractContextManager[Any]:
        """A cursor in a read-only transaction, for statements of at most so many seconds."""

    def alive(self) -> bool:
        try:
            with self._reading(LOOK_SECONDS) as cursor:
                cursor.execute("select 1")
        except self.errors:
            return False
        return True

    def close(self) -> None:
        self._forget()
        self._connection.close()


def too_slow(seconds: int) -> QueryFailed:
    return QueryFailed(f"The query did not answer within {seconds} second{'s'[: seconds != 1]}.")


def cut(columns: list[dict[str, str]], rows: list[list[str | None]], limit: int) -> Rows:
    return Rows(columns, rows[:limit], truncated=len(rows) > limit)
