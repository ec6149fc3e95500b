"""What a destination owes: how its tables stand, the ledger of commits, and one atomic commit a table."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipelines.engine.errors import CountMismatch
from pipelines.engine.model import LOAD_ID_COLUMN, Committed, ExistingTable, TablePlan
from pipelines.engine.readers.base import PartFormat

#: Beside dlt's own tables: one row for each table of each load, written in the transaction of the
#: data. It makes a second attempt at the same load a no-op, and holds the cursor, so that rows and
#: cursor can never disagree.
LEDGER = "_dlt_commits"
LEDGER_COLUMNS = (
    "load_id, table_name, pipeline_name, resource, cursor_column, cursor_value, "
    "rows_loaded, rows_deduplicated"
)
#: Rows of a table older than this are of no use to any attempt; the latest is always kept.
LEDGER_DAYS = 30

Said = Callable[[int], None]


@dataclass(frozen=True)
class Commit:
    """One table of one load package, ready to be written."""

    plan: TablePlan
    load_id: str
    parts: Sequence[Path]
    rows: int
    cursor_after: str | None
    longest_row: int = 0

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.plan.columns] + [LOAD_ID_COLUMN]

    def check(self, written: int) -> None:
        """Raises ``CountMismatch`` unless the destination took exactly the rows that were read."""
        if written != self.rows:
            raise CountMismatch(
                f"{self.plan.resource}: {self.rows:,} rows were read but {written:,} were written; "
                "nothing was kept.",
                remedy="Run again; if it stays so, report it with the type of the source.",
            )

    def ledger_row(self, pipeline_name: str, committed: Committed) -> list[Any]:
        cursor = self.plan.cursor
        return [
            self.load_id,
            self.plan.target,
            pipeline_name,
            self.plan.resource,
            cursor.column if cursor else None,
            self.cursor_after if cursor else None,
            committed.rows_loaded,
            committed.rows_deduplicated,
        ]


class Warehouse(ABC):
    """A destination and the dataset in it. It is open only within ``opened()``: a DuckDB file is locked meanwhile."""

    #: Key of the planner's type mappings.
    kind: ClassVar[str]
    #: What readers write for it.
    part_format: ClassVar[PartFormat]

    def __init__(self, dataset: str, pipeline_name: str) -> None:
        self.dataset = dataset
        self.pipeline_name = pipeline_name

    @abstractmethod
    def opened(self) -> AbstractContextManager[None]:
        """Open the destination; within, the other methods work."""

    def is_there(self) -> bool:
        """Whether opening it would find anything; looking must not create it."""
        return True

    @abstractmethod
    def existing(self, tables: Sequence[tuple[str, str]]) -> dict[str, ExistingTable]:
        """The tables that are there, by target, for pairs of (resource, target)."""

    @abstractmethod
    def committed(self, load_id: str, target: str) -> Committed | None:
        """What the ledger says about a table of a load; None when it was not committed."""

    @abstractmethod
    def commit(self, commit: Commit, said: Said) -> Committed:
        """Write the table, its ledger row and its cursor in one transaction; never twice for one load."""

    @abstractmethod
    def dlt_destination(self) -> Any:
        """dlt's view of the destination, on the connection of ``opened()`` where there is one."""
