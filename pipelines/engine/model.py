"""The plain values a load is made of. No driver, no dlt."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Disposition = Literal["append", "replace", "merge"]

#: In every loaded table: the load that brought the row.
LOAD_ID_COLUMN = "_dlt_load_id"


@dataclass(frozen=True)
class Resource:
    """One table or set of files to load, as the spec gives it, defaults applied."""

    schema: str
    name: str
    target: str
    disposition: Disposition
    primary_key: tuple[str, ...] = ()
    cursor_column: str | None = None
    cursor_initial: Any = None
    columns: tuple[str, ...] | None = None
    filters: tuple[dict[str, Any], ...] = ()

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True)
class SourceColumn:
    """A column as a reader offers it. ``type`` is in the words of the reader's dialect."""

    name: str
    type: str
    nullable: bool = True
    #: How the reader must spell the column where its plain name would not do.
    expression: str = ""
    #: What the reader itself had to convert ("declared DECIMAL(10,2), kept as DOUBLE").
    note: str = ""


@dataclass(frozen=True)
class SourceTable:
    schema: str
    name: str
    columns: tuple[SourceColumn, ...]
    primary_key: tuple[str, ...] = ()
    kind: str = "table"
    #: The system's own estimate; None where it has none.
    rows: int | None = None
    #: What to select from, in the reader's dialect.
    relation: str = ""

    def column(self, name: str) -> SourceColumn | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Mapping:
    """How values of one type travel. ``{c}`` in a template stands for the column's expression."""

    type: str
    read: str = "{c}"
    #: DuckDB only: the type read_csv gives the transported text, and what is made of it.
    transport: str = ""
    load: str = "{c}"
    note: str = ""
    dlt: str = "text"


@dataclass(frozen=True)
class ColumnPlan:
    name: str
    #: Expression in the reader's dialect.
    read: str
    #: Type in the destination.
    type: str
    transport: str = ""
    load: str = "{c}"
    dlt: str = "text"


@dataclass(frozen=True)
class CursorPlan:
    column: str
    #: The source type, to spell literals with.
    type: str
    #: Expression in the reader's dialect.
    expression: str
    before: str | None
    initial: str | None
    #: ``>`` after the last value for append, ``>=`` for merge (upserting a tie twice is harmless).
    inclusive: bool


@dataclass(frozen=True)
class TablePlan:
    resource: str
    target: str
    disposition: Disposition
    #: What is done now: the first load of a merge table is written as a replace.
    write: Disposition
    columns: tuple[ColumnPlan, ...]
    relation: str
    primary_key: tuple[str, ...] = ()
    #: The source guarantees that the key is unique, so nothing has to be looked for twice.
    key_is_unique: bool = False
    cursor: CursorPlan | None = None
    #: Filters as SQL of the reader's dialect, empty for none.
    where: str = ""
    conversions: tuple[str, ...] = ()
    rows_estimate: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "TablePlan":
        cursor = value["cursor"]
        return cls(
            **{
                **value,
                "columns": tuple(ColumnPlan(**column) for column in value["columns"]),
                "primary_key": tuple(value["primary_key"]),
                "conversions": tuple(value["conversions"]),
                "cursor": CursorPlan(**cursor) if cursor else None,
            }
        )


@dataclass
class Extracted:
    """What a reader counted while it wrote the parts."""

    rows_read: int = 0
    rows_kept: int = 0
    cursor_after: str | None = None
    #: The longest row in bytes, so that a CSV reader can make room for it.
    longest_row: int = 0


@dataclass(frozen=True)
class Committed:
    """What the destination said about one committed table."""

    rows_loaded: int
    rows_deduplicated: int = 0


@dataclass
class ExistingTable:
    """A table of the destination: column name to type in the destination's words."""

    columns: dict[str, str] = field(default_factory=dict)
    #: The last cursor committed by this pipeline for this resource, with the column it belongs to.
    cursor: dict[str, str] | None = None
