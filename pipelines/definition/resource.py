"""How one table, query or set of files is read and written."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from django.db.models import TextChoices

from pipelines.definition.columns import parse_column_settings
from pipelines.definition.filters import parse_filters
from pipelines.definition.query import checked_query
from pipelines.definition.rules import check_resource
from pipelines.definition.values import (
    at,
    choice,
    contract,
    default_target,
    flag,
    known,
    names,
    plain,
    text,
)
from pipelines.errors import InvalidPipeline
from pipelines.models import MergeStrategy, RowOrder, Verify, WriteDisposition

C = TypeVar("C", bound=TextChoices)


@dataclass(frozen=True)
class ResourceDefinition:
    """One resource. What is empty of ``write_disposition``, ``merge_strategy``, ``schema_contract`` and ``verify``
    is as the pipeline says; ``PipelineDefinition.filled`` puts it in."""

    name: str
    target: str = ""
    query: str = ""
    is_selected: bool = True
    write_disposition: WriteDisposition | Literal[""] = ""
    merge_strategy: MergeStrategy | Literal[""] = ""
    primary_key: tuple[str, ...] = ()
    cursor_column: str = ""
    cursor_initial: str = ""
    cursor_lookback: str = ""
    row_order: RowOrder | Literal[""] = ""
    columns: tuple[str, ...] = ()
    column_settings: dict[str, dict[str, str]] = field(default_factory=dict)
    filters: tuple[dict[str, Any], ...] = ()
    schema_contract: dict[str, str] = field(default_factory=dict)
    verify: Verify | Literal[""] = ""

    @classmethod
    def parse(cls, data: Any, *, where: str) -> "ResourceDefinition":
        """From JSON. Raises ``InvalidPipeline`` naming the key; unknown keys are refused, not dropped."""
        data = known(data, RESOURCE_KEYS, where, "A resource")
        name = text(data, "name", where, 255)
        if not name:
            raise InvalidPipeline("A resource needs a name.", field=at(where, "name"))
        sql = text(data, "query", where, 200_000)
        found = cls(
            name=name,
            target=_target(data, name, where),
            query=checked_query(sql, where=at(where, "query")) if sql else "",
            is_selected=flag(data, "is_selected", where, default=True),
            write_disposition=_own(WriteDisposition, data, "write_disposition", where),
            merge_strategy=_own(MergeStrategy, data, "merge_strategy", where),
            primary_key=names(data, "primary_key", where),
            cursor_column=text(data, "cursor_column", where, 255),
            cursor_initial=text(data, "cursor_initial", where, 255),
            cursor_lookback=text(data, "cursor_lookback", where, 40),
            row_order=_own(RowOrder, data, "row_order", where),
            columns=names(data, "columns", where),
            column_settings=parse_column_settings(
                data.get("column_settings"), at(where, "column_settings")
            ),
            filters=parse_filters(data.get("filters"), at(where, "filters")),
            schema_contract=contract(data, where),
            verify=_own(Verify, data, "verify", where),
        )
        check_resource(found, where)
        return found

    def as_dict(self) -> dict[str, Any]:
        """What ``parse`` reads back to the same definition."""
        return {key: plain(getattr(self, key)) for key in RESOURCE_KEYS}


RESOURCE_KEYS = tuple(one.name for one in fields(ResourceDefinition))


def _own(kind: type[C], data: dict[str, Any], key: str, where: str) -> C | Literal[""]:
    """A choice, or empty for the pipeline's."""
    return "" if data.get(key) in (None, "") else choice(kind, data, key, where)


def _target(data: dict[str, Any], name: str, where: str) -> str:
    target = text(data, "target", where, 255) or default_target(name)
    if len(target) > 63:
        raise InvalidPipeline(
            f"The table name {target!r} is longer than 63 characters.", field=at(where, "target")
        )
    if target.lower().startswith("_dlt") or not target.isprintable() or set(target) & set("./"):
        raise InvalidPipeline(
            f"{target!r} cannot be the name of a table.",
            field=at(where, "target"),
            remedy="Use letters, digits and underscores, and do not begin with _dlt.",
        )
    return target
