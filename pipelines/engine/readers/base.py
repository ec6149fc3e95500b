"""What a reader owes: the catalogue of its source, and a table's rows as files, without a row ever being an object."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.events import Reporter
from pipelines.engine.model import CursorPlan, Extracted, Resource, SourceTable, TablePlan
from pipelines.engine.sqltext import ident, typed_literal

#: "csv+load_id": CSV in which the id of the load is one more column, for a destination that takes the text as it is.
PartFormat = Literal["parquet", "csv", "csv+load_id"]
#: Size of one part. Large enough for bulk loading, small enough to keep every step bounded.
PART_BYTES = 64 << 20


@dataclass(frozen=True)
class Part:
    path: Path
    rows: int


class Reader(ABC):
    """A source opened for one load; used as a context manager, closed at its end."""

    dialect: ClassVar[Dialect]
    #: CSV text is what the source itself writes, also where the destination would take Parquet.
    writes_csv_only: ClassVar[bool] = False

    @abstractmethod
    def tables(self, schema: str) -> list[str]:
        """The names of the tables (no views) of a schema, for a full database load and for near matches."""

    def views(self, schema: str) -> list[str]:
        """What a full database load leaves out, to be named in the log."""
        return []

    @abstractmethod
    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        """The tables of the resources by label; one that is not there is left out."""

    @abstractmethod
    def extract(
        self,
        plan: TablePlan,
        load_id: str,
        directory: Path,
        counts: Extracted,
        reporter: Reporter,
        file_format: PartFormat,
    ) -> Iterator[Part]:
        """Write the rows of the plan as parts into ``directory`` and fill ``counts`` meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the source."""

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def window(cursor: CursorPlan | None, dialect: Dialect) -> str:
    """The condition that leaves out what earlier loads have brought; empty for a full read."""
    if cursor is None:
        return ""
    if cursor.before is not None:
        sign = ">=" if cursor.inclusive else ">"
        return f"{cursor.expression} {sign} {typed_literal(cursor.before, cursor.type, dialect)}"
    if cursor.initial is not None:
        return f"{cursor.expression} >= {typed_literal(cursor.initial, cursor.type, dialect)}"
    return ""


def up_to(cursor: CursorPlan, highest: str | None, dialect: Dialect) -> str:
    """The upper end of the window. A first full read takes the rows without a cursor value too."""
    without = f"{cursor.expression} IS NULL"
    first = cursor.before is None and cursor.initial is None
    if highest is None:
        return without if first else "false"
    limit = f"{cursor.expression} <= {typed_literal(highest, cursor.type, dialect)}"
    return f"{limit} OR {without}" if first else limit


def select_list(plan: TablePlan, load_id: str, *, with_load_id: bool) -> str:
    """The columns as the reader selects them; for CSV the load id rides along as a constant."""
    parts = [f"{column.read} AS {ident(column.name)}" for column in plan.columns]
    if with_load_id:
        parts.append(f"{quote_text(load_id)} AS _dlt_load_id")
    return ", ".join(parts)
