"""A pipeline as people describe it, before it is rows: parsed, checked, and nothing silently dropped."""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pipelines.errors import InvalidPipeline
from pipelines.models import FilterOperator, Mode, WriteDisposition

C = TypeVar("C", Mode, WriteDisposition, FilterOperator)

#: Names we create in the destination: safe unquoted everywhere.
IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
_RESOURCE_KEYS = frozenset(
    {
        "name",
        "target",
        "is_selected",
        "write_disposition",
        "primary_key",
        "cursor_column",
        "cursor_initial",
        "columns",
        "filters",
    }
)
LIST_OPERATORS = frozenset({FilterOperator.IN, FilterOperator.NOT_IN})


@dataclass(frozen=True)
class ResourceDefinition:
    """How one table or set of files is read and written."""

    name: str
    target: str = ""
    is_selected: bool = True
    write_disposition: WriteDisposition = WriteDisposition.REPLACE
    primary_key: tuple[str, ...] = ()
    cursor_column: str = ""
    cursor_initial: str = ""
    columns: tuple[str, ...] = ()
    filters: tuple[dict[str, Any], ...] = ()

    @classmethod
    def parse(cls, data: dict[str, Any], *, where: str) -> "ResourceDefinition":
        """From JSON. Raises ``InvalidPipeline`` naming the key; unknown keys are refused, not dropped."""
        if unknown := set(data) - _RESOURCE_KEYS:
            raise InvalidPipeline(
                f"A resource has no setting {min(unknown)!r}.",
                field=f"{where}.{min(unknown)}",
                remedy=f"It has: {', '.join(sorted(_RESOURCE_KEYS))}.",
            )
        name = str(data.get("name", "")).strip()
        if not name:
            raise InvalidPipeline("A resource needs a name.", field=f"{where}.name")
        disposition = _choice(
            WriteDisposition,
            data.get("write_disposition") or WriteDisposition.REPLACE,
            f"{where}.write_disposition",
        )
        target = str(data.get("target") or "").strip() or default_target(name)
        if len(target) > 63:
            raise InvalidPipeline(
                f"The table name {target!r} is longer than 63 characters.", field=f"{where}.target"
            )
        primary_key = _names(data.get("primary_key"), f"{where}.primary_key")
        if disposition is WriteDisposition.MERGE and not primary_key:
            raise InvalidPipeline(
                f"Merge needs the primary key of {name!r}.",
                field=f"{where}.primary_key",
                remedy="Name the columns that identify a row, or choose append or replace.",
            )
        return cls(
            name=name,
            target=target,
            is_selected=bool(data.get("is_selected", True)),
            write_disposition=disposition,
            primary_key=primary_key,
            cursor_column=str(data.get("cursor_column") or "").strip(),
            cursor_initial=str(data.get("cursor_initial") or "").strip(),
            columns=_names(data.get("columns"), f"{where}.columns"),
            filters=tuple(
                _filter(item, f"{where}.filters[{i}]")
                for i, item in enumerate(data.get("filters") or [])
            ),
        )


@dataclass(frozen=True)
class PipelineDefinition:
    """Everything of a pipeline but its endpoints."""

    name: str
    dataset: str
    mode: Mode
    description: str = ""
    source_schema: str = ""
    write_disposition: WriteDisposition = WriteDisposition.REPLACE
    resources: tuple[ResourceDefinition, ...] = field(default=())

    def checked(self) -> "PipelineDefinition":
        """Itself, or ``InvalidPipeline`` for what does not go together."""
        if not self.name.strip() or len(self.name) > 80:
            raise InvalidPipeline("A name of 1 to 80 characters is needed.", field="name")
        if not IDENTIFIER.match(self.dataset):
            raise InvalidPipeline(
                f"{self.dataset!r} cannot be a schema name.",
                field="dataset",
                remedy="Use lower-case letters, digits and underscores, beginning with a letter.",
            )
        selected = [r for r in self.resources if r.is_selected]
        if self.mode is Mode.SINGLE_TABLE and len(self.resources) != 1:
            raise InvalidPipeline("Choose exactly one table.", field="resources")
        if self.mode is Mode.FILES and not selected:
            raise InvalidPipeline("Choose at least one file.", field="resources")
        _unique([r.name for r in self.resources], "name")
        _unique([r.target for r in selected], "target")
        if self.mode is Mode.FULL_DATABASE and self.write_disposition is WriteDisposition.MERGE:
            raise InvalidPipeline(
                "Tables of a whole database cannot all be merged: each needs its primary key.",
                field="write_disposition",
                remedy="Choose replace or append, and merge for single tables below.",
            )
        return self


def default_target(name: str) -> str:
    """A table name made from a source name or a file path: ``data/Air ports.csv.gz`` → ``air_ports``."""
    stem = (
        PurePosixPath(name.replace("*", "")).name.split(".")[0] or PurePosixPath(name).parent.name
    )
    target = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "table"
    return f"_{target}"[:63] if target[0].isdigit() else target[:63]


def parse_choice_mode(value: Any) -> Mode:
    return _choice(Mode, value, "mode")


def parse_choice_disposition(value: Any, field_name: str) -> WriteDisposition:
    return _choice(WriteDisposition, value, field_name)


def _choice(kind: type[C], value: Any, where: str) -> C:
    try:
        return kind(value)
    except ValueError:
        raise InvalidPipeline(
            f"{value!r} is not a choice here.", field=where, remedy=f"Use {', '.join(kind.values)}."
        ) from None


def _names(value: Any, where: str) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        raise InvalidPipeline("A list of column names is needed.", field=where)
    return tuple(str(item).strip() for item in value if str(item).strip())


def _filter(item: Any, where: str) -> dict[str, Any]:
    if not isinstance(item, dict) or set(item) != {"column", "op", "value"}:
        raise InvalidPipeline("A filter has exactly column, op and value.", field=where)
    operator = _choice(FilterOperator, item["op"], f"{where}.op")
    column = str(item["column"]).strip()
    if not column:
        raise InvalidPipeline("A filter needs a column.", field=f"{where}.column")
    value = item["value"]
    if operator in LIST_OPERATORS and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if (operator in LIST_OPERATORS) != isinstance(value, list):
        wanted = "a list of values" if operator in LIST_OPERATORS else "one value"
        raise InvalidPipeline(f"The operator {operator} takes {wanted}.", field=f"{where}.value")
    if value is None or value == "" or value == []:
        raise InvalidPipeline("A filter needs a value.", field=f"{where}.value")
    return {"column": column, "op": str(operator), "value": value}


def _unique(values: list[str], what: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InvalidPipeline(f"Two resources have the {what} {value!r}.", field="resources")
        seen.add(value)
