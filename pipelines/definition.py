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
_RESOURCE_KEYS = (
    "name",
    "target",
    "is_selected",
    "write_disposition",
    "primary_key",
    "cursor_column",
    "cursor_initial",
    "columns",
    "filters",
)
_PIPELINE_KEYS = (
    "name",
    "description",
    "mode",
    "dataset",
    "source_schema",
    "write_disposition",
    "resources",
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
    def parse(cls, data: Any, *, where: str) -> "ResourceDefinition":
        """From JSON. Raises ``InvalidPipeline`` naming the key; unknown keys are refused, not dropped."""
        data = _known(data, _RESOURCE_KEYS, where, "A resource")
        name = _text(data, "name", where, 255)
        if not name:
            raise InvalidPipeline("A resource needs a name.", field=f"{where}.name")
        disposition = _choice(
            WriteDisposition,
            data.get("write_disposition") or WriteDisposition.REPLACE,
            f"{where}.write_disposition",
        )
        selected = data.get("is_selected", True)
        if not isinstance(selected, bool):
            raise InvalidPipeline(
                "is_selected is true or false.", field=f"{where}.is_selected", remedy="Use true."
            )
        filters = data.get("filters") or []
        if not isinstance(filters, list | tuple):
            raise InvalidPipeline("A list of filters is needed.", field=f"{where}.filters")
        return cls(
            name=name,
            target=_target(data, name, where),
            is_selected=selected,
            write_disposition=disposition,
            primary_key=_names(data.get("primary_key"), f"{where}.primary_key"),
            cursor_column=_text(data, "cursor_column", where, 255),
            cursor_initial=_text(data, "cursor_initial", where, 255),
            columns=_names(data.get("columns"), f"{where}.columns"),
            filters=tuple(_filter(item, f"{where}.filters[{i}]") for i, item in enumerate(filters)),
        )._fitting(where)

    def as_dict(self) -> dict[str, Any]:
        """What ``parse`` reads back to the same definition."""
        return {
            "name": self.name,
            "target": self.target,
            "is_selected": self.is_selected,
            "write_disposition": str(self.write_disposition),
            "primary_key": list(self.primary_key),
            "cursor_column": self.cursor_column,
            "cursor_initial": self.cursor_initial,
            "columns": list(self.columns),
            "filters": [dict(item) for item in self.filters],
        }

    def _fitting(self, where: str) -> "ResourceDefinition":
        """Itself, or ``InvalidPipeline`` for settings that contradict each other."""
        if self.write_disposition is WriteDisposition.MERGE and not self.primary_key:
            raise InvalidPipeline(
                f"Merge needs the primary key of {self.name!r}.",
                field=f"{where}.primary_key",
                remedy="Name the columns that identify a row, or choose append or replace.",
            )
        if self.write_disposition is WriteDisposition.REPLACE and self.cursor_column:
            raise InvalidPipeline(
                f"Replace loads all of {self.name!r} every time, so it takes no cursor.",
                field=f"{where}.cursor_column",
                remedy="Leave the cursor out, or choose append or merge.",
            )
        if self.cursor_initial and not self.cursor_column:
            raise InvalidPipeline(
                "A first value needs a cursor column.",
                field=f"{where}.cursor_column",
                remedy="Name the column, or leave the first value empty.",
            )
        taken = set(self.columns)
        merged = self.primary_key if self.write_disposition is WriteDisposition.MERGE else ()
        if taken and (missing := [name for name in merged if name not in taken]):
            raise InvalidPipeline(
                f"The key column {missing[0]!r} is not among the columns taken.",
                field=f"{where}.columns",
                remedy="Take it too, or choose another key.",
            )
        return self


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

    @classmethod
    def parse(cls, data: Any) -> "PipelineDefinition":
        """From JSON, checked. Raises ``InvalidPipeline`` with the path of the key at fault."""
        data = _known(data, _PIPELINE_KEYS, "", "A pipeline")
        resources = data.get("resources") or []
        if not isinstance(resources, list | tuple):
            raise InvalidPipeline("A list of resources is needed.", field="resources")
        return cls(
            name=_text(data, "name", "", 1000),
            description=_text(data, "description", "", 10_000),
            dataset=_text(data, "dataset", "", 1000),
            mode=_choice(Mode, data.get("mode"), "mode"),
            source_schema=_text(data, "source_schema", "", 255),
            write_disposition=_choice(
                WriteDisposition,
                data.get("write_disposition") or WriteDisposition.REPLACE,
                "write_disposition",
            ),
            resources=tuple(
                ResourceDefinition.parse(item, where=f"resources[{i}]")
                for i, item in enumerate(resources)
            ),
        ).checked()

    def as_dict(self) -> dict[str, Any]:
        """What ``parse`` reads back to the same definition."""
        return {
            "name": self.name,
            "description": self.description,
            "mode": str(self.mode),
            "dataset": self.dataset,
            "source_schema": self.source_schema,
            "write_disposition": str(self.write_disposition),
            "resources": [resource.as_dict() for resource in self.resources],
        }

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
        _unique([r.target for r in self.resources], "target")
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


def _known(data: Any, keys: tuple[str, ...], where: str, what: str) -> dict[str, Any]:
    """The mapping itself; anything else, and any key that is not ours, is refused."""
    if not isinstance(data, dict):
        raise InvalidPipeline(f"{what} is a mapping of settings.", field=where)
    if unknown := {str(key) for key in data} - set(keys):
        name = min(unknown)
        raise InvalidPipeline(
            f"{what} has no setting {name!r}.",
            field=f"{where}.{name}".lstrip("."),
            remedy=f"It has: {', '.join(keys)}.",
        )
    return data


def _text(data: dict[str, Any], key: str, where: str, longest: int) -> str:
    """A text or number as stripped text; None and absent are empty."""
    value = data.get(key)
    path = f"{where}.{key}".lstrip(".")
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidPipeline(f"A text is needed for {key}.", field=path)
    text = str(value).strip()
    if len(text) > longest:
        raise InvalidPipeline(f"{key} is longer than {longest} characters.", field=path)
    return text


def _target(data: dict[str, Any], name: str, where: str) -> str:
    target = _text(data, "target", where, 255) or default_target(name)
    if len(target) > 63:
        raise InvalidPipeline(
            f"The table name {target!r} is longer than 63 characters.", field=f"{where}.target"
        )
    return target


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
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InvalidPipeline("A list of column names is needed.", field=where)
    # A name written twice is one column.
    return tuple(dict.fromkeys(item.strip() for item in value if item.strip()))


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
    if not all(
        isinstance(one, str | int | float | None)
        for one in (value if isinstance(value, list) else [value])
    ):
        raise InvalidPipeline(
            "A filter compares with texts, numbers or true and false.", field=f"{where}.value"
        )
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
