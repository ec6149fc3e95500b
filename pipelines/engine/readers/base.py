"""What a reader owes: the catalogue of its source, and a table's rows as a relation of the session."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from connections.connectors.sql import Dialect
from pipelines.engine.cursors import finite, reached, up_to, window
from pipelines.engine.model import Extracted, Resource, SourceTable, TablePlan
from pipelines.engine.sqltext import where


class Reader(ABC):
    """A source opened for one load; used as a context manager, closed at its end."""

    dialect: ClassVar[Dialect]
    #: The kind of system, as destinations have one.
    kind: ClassVar[str] = ""

    @abstractmethod
    def tables(self, schema: str) -> list[str]:
        """The names of the tables (no views) of a schema, for a full database load and for near matches."""

    def views(self, schema: str) -> list[str]:
        """What a full database load leaves out, to be named in the log."""
        return []

    @abstractmethod
    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        """The tables of the resources by label; one that is not there is left out."""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Within, all statements see the source as of one moment, where the source can do that."""
        yield

    @abstractmethod
    def row(self, statement: str) -> tuple[Any, ...]:
        """The first row a SELECT in the source's SQL answers."""

    def value(self, statement: str) -> Any:
        """The first value of that row."""
        return self.row(statement)[0]

    @abstractmethod
    def rows(self, plan: TablePlan, conditions: Sequence[str], *, raw: bool) -> str:
        """A relation of the session with columns c0, c1, …: read for the hub, or as raw text.

        Where a column has a guard and ``raw`` is false, one more column ``g`` is true for damaged rows.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the source."""

    def explain(self, error: Exception, label: str) -> Exception:
        """What the error means for this source; ``TypesChanged`` where another look at the source helps."""
        return error

    def conditions(self, plan: TablePlan, counts: Extracted) -> list[str]:
        """What the rows have to meet; the cursor's end and the filtered rows are noted in ``counts``."""
        found = self._window(plan, counts)
        if plan.where:
            left_out = where(*found, f"({plan.where}) IS NOT TRUE")
            count = self.value(f"SELECT count(*) FROM {plan.relation}{left_out}")
            counts.rows_filtered = int(count or 0)
        return [*found, plan.where]

    def _window(self, plan: TablePlan, counts: Extracted) -> list[str]:
        cursor = plan.cursor
        if cursor is None:
            return []
        low = window(cursor, self.dialect)
        highest = None
        if not cursor.only:
            kind = "CHAR" if self.dialect is Dialect.MYSQL else "VARCHAR"
            highest = self.value(
                f"SELECT CAST(max({cursor.expression}) AS {kind}) FROM {plan.relation}"
                f"{where(low, finite(cursor, self.dialect))}"
            )
        counts.cursor_after = reached(plan, highest)
        return [low, up_to(cursor, highest, self.dialect)]

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def select_list(plan: TablePlan, *, raw: bool) -> str:
    """The columns as the reader selects them, named by position: any name may stand in a source."""
    parts = [
        f"{column.raw if raw else column.read} AS c{index}"
        for index, column in enumerate(plan.columns)
    ]
    guards = [column.guard for column in plan.columns if column.guard]
    if guards and not raw:
        parts.append(f"coalesce({' OR '.join(guards)}, false) AS g")
    return ", ".join(parts)


def has_guard(plan: TablePlan) -> bool:
    return any(column.guard for column in plan.columns)
