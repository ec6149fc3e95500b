"""The rows a dbt project is made of, as plain data: what the Django side stores and a child renders."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from common.errors import UserError

#: Names become file names, dbt names and SQL identifiers, so only what is safe as all three.
NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
#: PostgreSQL cuts identifiers at 63 bytes without saying so.
NAME_LENGTH: Final = 63
MATERIALIZATIONS: Final = ("view", "table", "incremental", "ephemeral")
TEST_KINDS: Final = ("not_null", "unique", "accepted_values", "relationships")
SEVERITIES: Final = ("error", "warn")
#: Arguments without which a test of this kind means nothing.
TEST_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "accepted_values": ("values",),
    "relationships": ("to", "field"),
}


def check_name(value: str, what: str, *, name_field: str = "name") -> str:
    """Return the name, or raise a ``UserError`` that says which letters are allowed."""
    if not NAME.fullmatch(value):
        raise UserError(
            f"{what} cannot be named “{value}”.",
            field=name_field,
            remedy="Use lower-case letters, digits and underscores, and do not start with a digit.",
        )
    if len(value) > NAME_LENGTH:
        raise UserError(
            f"The name “{value}” is longer than {NAME_LENGTH} characters.",
            field=name_field,
            remedy="Choose a shorter one.",
        )
    return value


@dataclass(frozen=True)
class ColumnRow:
    """A documented column. ``data_type`` is only needed where a contract is enforced."""

    name: str
    description: str = ""
    data_type: str = ""


@dataclass(frozen=True)
class TestRow:
    """One dbt test. ``column`` is empty for a test of the whole table; ``where`` narrows the rows tested."""

    column: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: str = "error"
    where: str = ""

    def __post_init__(self) -> None:
        if self.kind not in TEST_KINDS:
            raise UserError(
                f"There is no test “{self.kind}”.", field="kind", remedy=_one_of(TEST_KINDS)
            )
        if self.severity not in SEVERITIES:
            raise UserError(
                f"A test cannot have the severity “{self.severity}”.",
                field="severity",
                remedy=_one_of(SEVERITIES),
            )
        required = TEST_ARGUMENTS.get(self.kind, ())
        if not self.column:
            required = (*required, "column_name")
        for name in required:
            if not self.arguments.get(name):
                raise UserError(
                    f"The test {self.kind} needs “{name}”.",
                    field="arguments",
                    remedy="Fill it in, or remove the test.",
                )


@dataclass(frozen=True)
class TransformationRow:
    """One dbt model. An empty ``schema`` means the project's; ``config`` keeps keys we have no form for."""

    name: str
    sql: str
    folder: str = ""
    materialization: str = "view"
    schema: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    columns: tuple[ColumnRow, ...] = ()
    tests: tuple[TestRow, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, "A transformation")
        for part in filter(None, self.folder.split("/")):
            check_name(part, "A folder", name_field="folder")
        if self.materialization not in MATERIALIZATIONS:
            raise UserError(
                f"The transformation {self.name} cannot be materialized as “{self.materialization}”.",
                field="materialization",
                remedy=_one_of(MATERIALIZATIONS),
            )

    @property
    def path(self) -> str:
        """Where the model's SQL stands in the rendered project, built from checked names only."""
        parts = [part for part in self.folder.split("/") if part]
        return "/".join(["models", *parts, f"{self.name}.sql"])


@dataclass(frozen=True)
class SourceTable:
    """A table that a pipeline loads, as ``source(...)`` names it."""

    name: str
    description: str = ""
    columns: tuple[ColumnRow, ...] = ()


@dataclass(frozen=True)
class SourceRow:
    """A dataset. ``schema`` is where it stands in the warehouse; empty means: like its name."""

    name: str
    schema: str = ""
    tables: tuple[SourceTable, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, "A source")


@dataclass(frozen=True)
class ProjectRows:
    """All transformations and sources of one organization on one warehouse."""

    name: str
    transformations: tuple[TransformationRow, ...] = ()
    sources: tuple[SourceRow, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, "A project")
        _refuse_doubles("transformation", (row.name for row in self.transformations))
        _refuse_doubles("source", (row.name for row in self.sources))

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> "ProjectRows":
        """Rows from the JSON that ``to_spec`` wrote; every name is checked again."""
        return cls(
            name=spec["name"],
            transformations=tuple(map(_transformation, spec.get("transformations", ()))),
            sources=tuple(map(_source, spec.get("sources", ()))),
        )

    def to_spec(self) -> dict[str, Any]:
        """The rows as JSON-ready data."""
        return _plain(asdict(self))  # type: ignore[no-any-return]

    def transformation(self, name: str) -> TransformationRow | None:
        return next((row for row in self.transformations if row.name == name), None)


def _transformation(spec: dict[str, Any]) -> TransformationRow:
    values = dict(spec)
    values["tags"] = tuple(spec.get("tags", ()))
    values["columns"] = _columns(spec)
    values["tests"] = tuple(TestRow(**test) for test in spec.get("tests", ()))
    return TransformationRow(**values)


def _source(spec: dict[str, Any]) -> SourceRow:
    tables = tuple(
        SourceTable(table["name"], table.get("description", ""), _columns(table))
        for table in spec.get("tables", ())
    )
    return SourceRow(spec["name"], spec.get("schema", ""), tables)


def _columns(spec: dict[str, Any]) -> tuple[ColumnRow, ...]:
    return tuple(ColumnRow(**column) for column in spec.get("columns", ()))


def _plain(value: Any) -> Any:
    """Tuples as lists, so that a round trip through JSON changes nothing."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _refuse_doubles(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(
                f"There are two {what}s named “{name}”.", field="name", remedy="Rename one of them."
            )
        seen.add(name)


def _one_of(values: tuple[str, ...]) -> str:
    return f"Choose one of {', '.join(values)}."
