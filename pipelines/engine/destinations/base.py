"""What a destination owes: how its tables stand, its ledger, and one atomic load a table."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.errors import CountMismatch
from pipelines.engine.model import (
    ColumnPlan,
    Committed,
    ExistingTable,
    Extracted,
    Known,
    Landing,
    TablePlan,
)
from pipelines.engine.session import Session
from pipelines.engine.sqltext import ident

#: Beside dlt's own tables: one row for each table of each load, written in the transaction of the data. It makes a
#: second attempt at the same load a no-op, and holds the cursor, so that rows and cursor can never disagree.
LEDGER = "_dlt_commits"
#: Refused rows with their reason, until they are replayed or thrown away.
REJECTS = "_dlt_rejects"
#: Ledger rows of a table older than this are of no use to any attempt; the latest is always kept.
LEDGER_DAYS = 30
#: Staging tables begin with this; what a killed load left behind is known by it.
STAGE_PREFIX = "_dlt_new_"

LEDGER_COLUMNS = (
    ("load_id", "text"),
    ("table_name", "text"),
    ("pipeline_name", "text"),
    ("resource", "text"),
    ("cursor_column", "text"),
    ("cursor_value", "text"),
    ("cursor_edit", "bigint"),
    ("rows_read", "bigint"),
    ("rows_filtered", "bigint"),
    ("rows_loaded", "bigint"),
    ("rows_deduplicated", "bigint"),
    ("rows_rejected", "bigint"),
    ("columns", "text"),
    ("committed_at", "moment"),
)
REJECT_COLUMNS = (
    ("reject_id", "text"),
    ("load_id", "text"),
    ("table_name", "text"),
    ("resource", "text"),
    ("rejected_at", "moment"),
    ("reason", "text"),
    ("column_name", "text"),
    ("raw_value", "text"),
    ("row_json", "text"),
)

Said = Callable[[int], None]


@dataclass(frozen=True)
class Feed:
    """Rows in the hub: a relation of the session, and for each column how to read it there."""

    session: Session
    relation: str
    expressions: tuple[str, ...]
    columns: tuple[ColumnPlan, ...]
    load_id: str
    #: Where rows were read by different loads: the expression of each one's id.
    load_ids: str = ""
    #: The rows' order matters: of several rows of a key the last one wins.
    ordered: bool = False
    #: A relation in the shape of ``REJECT_COLUMNS``, or empty.
    rejects: str = ""

    def select(self, write: Callable[[ColumnPlan, str], str]) -> str:
        """The rows as the destination wants them written, the load id last."""
        parts = [
            f"{write(column, expression)} AS {ident(column.name)}"
            for column, expression in zip(self.columns, self.expressions, strict=True)
        ]
        load_id = self.load_ids or f"'{self.load_id}'"
        parts.append(f"{load_id} AS {ident('_dlt_load_id')}")
        return f"SELECT {', '.join(parts)} FROM {self.relation}"


class CopyFeed(Protocol):
    """Rows as PostgreSQL's COPY writes them, to be handed on as they are."""

    #: ``binary`` or ``text``.
    form: str

    #: Rows handed over so far, nearly; and exactly, once all are.
    seen: int
    rows: int

    def blocks(self) -> Iterator[bytes]:
        """Whole rows, in blocks."""
        ...


@dataclass
class Order:
    """One table of one load, ready to be filled and committed."""

    plan: TablePlan
    load_id: str
    counts: Extracted
    said: Said
    #: Names of the columns whose values are counted for the report of conversions.
    counted: tuple[str, ...] = ()
    #: Filled by the destination: non-NULL values of each counted column.
    values: dict[str, int] = field(default_factory=dict)
    #: When the last row was there (``time.monotonic``); 0 before.
    filled_at: float = 0.0
    #: Ids of the refused rows that are tried again.
    replayed: str = ""

    def committed(self, loaded: int, deduplicated: int) -> Committed:
        counts = self.counts
        return Committed(
            loaded,
            deduplicated,
            counts.rows_read,
            counts.rows_filtered,
            counts.rows_rejected,
            counts.cursor_after,
        )

    def ledger_row(self, pipeline_name: str, done: Committed) -> dict[str, Any]:
        """By ``LEDGER_COLUMNS``, the moment aside; ``columns`` is a list."""
        plan, cursor = self.plan, self.plan.cursor
        return {
            "load_id": self.load_id,
            "table_name": plan.target,
            "pipeline_name": pipeline_name,
            "resource": plan.resource,
            "cursor_column": cursor.column if cursor else None,
            "cursor_value": done.cursor_after if cursor else None,
            "cursor_edit": cursor.edit if cursor else 0,
            "rows_read": done.rows_read,
            "rows_filtered": done.rows_filtered,
            "rows_loaded": done.rows_loaded,
            "rows_deduplicated": done.rows_deduplicated,
            "rows_rejected": done.rows_rejected,
            "columns": [
                {"name": c.name, "source_type": c.source_type, "type": c.type} for c in plan.kept
            ],
        }

    def check(self, written: int, expected: int) -> None:
        """Raises ``CountMismatch`` unless the destination took exactly the rows that were read."""
        if written != expected:
            raise CountMismatch(
                f"{self.plan.resource}: {expected:,} rows were read but {written:,} were written; "
                "nothing was kept.",
                remedy="Run again; if it stays so, report it with the type of the source.",
            )


class Destination(ABC):
    """A destination and the dataset in it. Its methods work within ``opened()``."""

    kind: ClassVar[str]
    #: Of ``query``.
    dialect: ClassVar[Dialect]
    max_name: ClassVar[int] = 0
    folds_case: ClassVar[bool] = False

    def __init__(self, dataset: str, pipeline_name: str) -> None:
        self.dataset = dataset
        self.pipeline_name = pipeline_name

    # --- types -----------------------------------------------------------------------------------

    @abstractmethod
    def land(self, kind: str) -> Landing:
        """Its type for a type of the hub."""

    @abstractmethod
    def hub_of(self, own: str) -> str:
        """The hub type of a column that is there; empty for one the hub has no word for."""

    # --- what stands there -----------------------------------------------------------------------

    @abstractmethod
    def opened(self) -> AbstractContextManager[None]:
        """Open the destination."""

    @abstractmethod
    def existing(self, targets: Sequence[str]) -> dict[str, ExistingTable]:
        """The tables that are there, by target."""

    @abstractmethod
    def has_ledger(self) -> bool:
        """Whether anything was ever loaded into the dataset."""

    @abstractmethod
    def known(self) -> dict[tuple[str, str], Known]:
        """The latest ledger row of every (resource, target) of this pipeline."""

    @abstractmethod
    def committed(self, load_id: str) -> dict[str, Committed]:
        """What the ledger says about the tables of a load, by target."""

    # --- writing ---------------------------------------------------------------------------------

    @abstractmethod
    def prepare(self) -> None:
        """Make the dataset and the tables of ours; forget what a killed load left behind."""

    @abstractmethod
    def load(self, order: Order, feed: Feed | CopyFeed) -> Committed:
        """Write the table, its ledger row and its cursor so that they appear at once or not at all."""

    # --- reading back ----------------------------------------------------------------------------

    @abstractmethod
    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT in the destination's SQL."""

    @abstractmethod
    def table(self, name: str) -> str:
        """The quoted name of a table of the dataset."""

    def text(self, value: str) -> str:
        return quote_text(value, self.dialect)

    def listed(self, values: Iterable[str]) -> str:
        return ", ".join(self.text(value) for value in values)

    def count_rejects(self) -> list[tuple[Any, ...]]:
        """How many refused rows each target has."""
        return self.query(
            f"SELECT table_name, count(*) FROM {self.table(REJECTS)} GROUP BY table_name ORDER BY 1"
        )

    def list_rejects(self, target: str, after: str, limit: int) -> list[tuple[Any, ...]]:
        """A page of refused rows in the order they came."""
        conditions = [f"table_name = {self.text(target)}"] if target else []
        if after:
            conditions.append(f"reject_id > {self.text(after)}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        names = ", ".join(name for name, _ in REJECT_COLUMNS)
        return self.query(
            f"SELECT {names} FROM {self.table(REJECTS)}{where} ORDER BY reject_id LIMIT {int(limit)}"
        )

    @abstractmethod
    def discard_rejects(self, ids: Sequence[str]) -> int:
        """Throw refused rows away for good; how many there were."""
