"""The plain values a load is made of. No driver, no dlt."""

from dataclasses import dataclass, field
from typing import Any, Literal

Disposition = Literal["append", "replace", "merge"]
Strategy = Literal["upsert", "delete_insert", "scd2"]
#: What a schema contract says about a change.
Rule = Literal["evolve", "freeze", "discard_row", "discard_value"]

#: In every loaded table: the load that brought the row.
LOAD_ID_COLUMN = "_dlt_load_id"
#: In tables with history: since when a version counts, and until when (NULL: it is the current one).
VALID_FROM, VALID_TO = "_dlt_valid_from", "_dlt_valid_to"


@dataclass(frozen=True)
class Contract:
    """What happens to what the destination does not know yet."""

    tables: Rule = "evolve"
    columns: Rule = "evolve"
    data_type: Rule = "evolve"


@dataclass(frozen=True)
class Resource:
    """One table, query or set of files to load, as the spec gives it, defaults applied."""

    schema: str
    name: str
    target: str
    disposition: Disposition
    strategy: Strategy = "upsert"
    query: str = ""
    primary_key: tuple[str, ...] = ()
    cursor_column: str | None = None
    cursor_initial: Any = None
    lookback: str = ""
    #: Which of several rows of a key wins: the last in this order of the cursor.
    row_order: Literal["asc", "desc"] = "asc"
    columns: tuple[str, ...] | None = None
    #: Source column → its name in the destination.
    renames: tuple[tuple[str, str], ...] = ()
    #: Source column → ``hash`` or ``mask``.
    transforms: tuple[tuple[str, str], ...] = ()
    filters: tuple[dict[str, Any], ...] = ()
    contract: Contract = Contract()
    verify: Literal["none", "counts", "sums"] = "none"

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
    #: The value as text exactly as the source has it; empty: the expression cast to text.
    raw: str = ""
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
    """How values of a source type become the hub's. ``{c}`` in a template stands for the column."""

    #: The hub's type: DuckDB's word.
    type: str
    #: In the source's dialect: what is selected, and the value as text.
    read: str = "{c}"
    raw: str = "CAST({c} AS VARCHAR)"
    #: In the hub: what was selected as ``type``, and what was text as ``type`` or NULL where it is none.
    load: str = "{c}"
    parse: str = ""
    #: In the source's dialect: true for a value that ``read`` would damage; empty where there is none.
    guard: str = ""
    note: str = ""


@dataclass(frozen=True)
class Landing:
    """How values of a hub type stand in a destination. ``write`` is in the hub."""

    type: str
    write: str = "{c}"
    note: str = ""
    #: In the hub: true for a value the destination can hold; empty where it holds all. Asked where each row is judged;
    #: ``write`` or the destination itself raises for what fails it.
    holds: str = ""


@dataclass(frozen=True)
class ColumnPlan:
    """One column on its way."""

    #: The column's name in the source and in the destination.
    source: str
    name: str
    #: In the source's dialect.
    read: str
    raw: str
    #: The hub's type, and templates from what was read, or from its text, to it.
    hub: str
    load: str
    parse: str
    #: Type in the destination, and the template from the hub's value to what is handed over.
    type: str
    write: str = "{c}"
    guard: str = ""
    holds: str = ""
    note: str = ""
    #: PostgreSQL into PostgreSQL: what the source selects in the destination's type; empty where the hub is needed.
    direct: str = ""
    #: The source's own word for the type.
    source_type: str = ""
    #: Hashed or masked: its own value is kept nowhere, not even of a refused row.
    protected: bool = False
    #: A row whose value does not fit is kept without the value (contract: discard_value).
    nullify: bool = False
    #: A row that has a value here is refused (contract: discard_row for a new column).
    refuse: bool = False


@dataclass(frozen=True)
class CursorPlan:
    column: str
    #: The source type, to spell literals with.
    type: str
    #: Expression in the reader's dialect.
    expression: str
    before: str | None
    initial: str | None
    #: Where the window begins in the source: the last value less the look-back, as text.
    start: str | None
    #: ``>`` after the last value for append, ``>=`` for merge (upserting a tie twice is harmless).
    inclusive: bool
    #: The change by a person that is taken into account here, or 0.
    edit: int = 0
    #: Load again only this half-open range of values; the cursor itself stays where it is.
    only: tuple[str, str] | None = None


@dataclass(frozen=True)
class SchemaChange:
    """One difference between what is loaded now and what stands in the destination."""

    change: Literal["table_added", "column_added", "column_removed", "type_changed"]
    column: str
    before: str
    after: str
    treatment: str

    def as_json(self) -> dict[str, str]:
        return {
            "change": self.change,
            "column": self.column,
            "before": self.before,
            "after": self.after,
            "treatment": self.treatment,
        }


@dataclass(frozen=True)
class TablePlan:
    resource: str
    #: The resource's name in the spec.
    name: str
    target: str
    disposition: Disposition
    #: What is done now: the first load of a table is written as a replace.
    write: Disposition
    columns: tuple[ColumnPlan, ...]
    relation: str
    strategy: Strategy = "upsert"
    #: In the destination's names.
    primary_key: tuple[str, ...] = ()
    #: The source guarantees that the key is unique, so nothing has to be looked for twice.
    key_is_unique: bool = False
    #: The table is there, and one row a key is certain by an index of ours.
    cursor: CursorPlan | None = None
    #: The destination's column that orders several rows of a key, and the direction.
    order_column: str | None = None
    row_order: Literal["asc", "desc"] = "asc"
    #: Filters as SQL of the reader's dialect, empty for none.
    where: str = ""
    contract: Contract = Contract()
    #: Columns of the destination that get a wider type before rows come: name → type.
    widened: tuple[tuple[str, str], ...] = ()
    changes: tuple[SchemaChange, ...] = ()
    rows_estimate: int | None = None
    #: The source is not read to its end (a cursor, a filter), so what is missing is not deleted.
    is_partial: bool = False
    #: Rows cannot be judged without looking at each (a contract that discards).
    tolerant: bool = False
    is_there: bool = False
    #: The target has our column, so a load made it or has been there.
    is_ours: bool = True
    #: The rows are those refused before, of the load ids given there.
    replay: bool = False

    @property
    def names(self) -> list[str]:
        """The columns that are written, the load id last."""
        return [column.name for column in self.kept] + [LOAD_ID_COLUMN]

    @property
    def kept(self) -> list[ColumnPlan]:
        """Those that the destination gets; a refused column is only looked at."""
        return [column for column in self.columns if not column.refuse]


@dataclass
class Extracted:
    """What was counted while rows came in."""

    rows_filtered: int = 0
    #: Handed to the destination.
    rows_staged: int = 0
    rows_rejected: int = 0
    cursor_after: str | None = None
    bytes: int = 0

    @property
    def rows_read(self) -> int:
        return self.rows_filtered + self.rows_staged + self.rows_rejected


@dataclass(frozen=True)
class Committed:
    """What the destination said about one committed table."""

    rows_loaded: int
    rows_deduplicated: int = 0
    rows_read: int = 0
    rows_filtered: int = 0
    rows_rejected: int = 0
    cursor_after: str | None = None


@dataclass
class ExistingTable:
    """A table of the destination: column name to type in the destination's words."""

    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """The latest ledger row of a resource."""

    cursor_column: str | None
    cursor_value: str | None
    cursor_edit: int
    #: ``[{"name", "source_type", "type"}]`` of the last load.
    columns: tuple[dict[str, str], ...] = ()
    committed_at: str = ""
