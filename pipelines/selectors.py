"""Reads over pipelines that more than one face uses."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from audit.actions import AuditAction
from audit.models import AuditEvent
from connections.models import Connection, DatasetTable
from pipelines import yaml
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.described import definition_of
from pipelines.history import (
    CursorMove,
    RunHistory,
    TableLoad,
    history,
    register_history,
)
from pipelines.models import Mode, Pipeline, PipelineDraft, PipelineResource
from pipelines.ranges import RangedResource, check_bounds, ranged_resources
from pipelines.wording import event_words, filter_words, is_incremental, sync_words, write_words
from tenants.models import Organization, User

#: The door of this app for reads: what the app above answers about runs is declared in ``history``.
__all__ = [
    "MAX_CHANGES",
    "Change",
    "CursorMove",
    "DiffLine",
    "RangedResource",
    "RunHistory",
    "TableLoad",
    "TableRow",
    "changes_of",
    "check_bounds",
    "definitions_of",
    "destinations_of",
    "drafts_of",
    "list_pipelines",
    "named_pipeline",
    "pipeline_in_path",
    "ranged_resources",
    "register_history",
    "sources_of",
    "tables_of",
    "tags_of",
]

#: More changes than a person reads; the audit log has them all.
MAX_CHANGES = 20


def list_pipelines(
    organization: Organization, *, text: str = "", tag: str = ""
) -> QuerySet[Pipeline]:
    """By name; ``text`` is looked for in names, descriptions, schemas and the ends' names."""
    rows = Pipeline.objects.for_organization(organization).select_related("source", "destination")
    rows = rows.order_by("name", "pk")
    if text := text.strip():
        wanted = Q()
        for path in ("name", "description", "dataset", "source__name", "destination__name"):
            wanted |= Q(**{f"{path}__icontains": text})
        rows = rows.filter(wanted)
    if tag:
        # As text, in both spellings of what is not ASCII: SQLite cannot look into a list.
        rows = rows.annotate(tags_text=Cast("tags", TextField())).filter(
            Q(tags_text__contains=f'"{tag}"') | Q(tags_text__contains=json.dumps(tag))
        )
    return rows


def pipeline_in_path(
    organization: Organization, arguments: Mapping[str, Any]
) -> QuerySet[Pipeline]:
    """What a request to a page of one pipeline is about, for ``common.access.register_grantable``."""
    return Pipeline.objects.for_organization(organization).filter(slug=arguments["slug"])


def named_pipeline(organization: Organization, arguments: Mapping[str, Any]) -> QuerySet[Pipeline]:
    """The one that a form or a body names in its field ``pipeline``."""
    slug = str(arguments.get("pipeline") or "")
    return Pipeline.objects.for_organization(organization).filter(slug=slug)


def tags_of(organization: Organization) -> list[str]:
    """Every tag that a pipeline has."""
    rows = Pipeline.objects.for_organization(organization).exclude(tags=[]).order_by()
    return sorted({tag for tags in rows.values_list("tags", flat=True).distinct() for tag in tags})


def drafts_of(organization: Organization, user: User) -> QuerySet[PipelineDraft]:
    """The wizards this person has not finished, the newest first."""
    return PipelineDraft.objects.for_organization(organization).filter(created_by=user)


def sources_of(organization: Organization) -> list[Connection]:
    rows = Connection.objects.for_organization(organization)
    return [row for row in rows if row.is_source and row.type.capabilities.source]


def destinations_of(organization: Organization) -> list[Connection]:
    rows = Connection.objects.for_organization(organization)
    return [row for row in rows if row.is_destination and row.type.capabilities.destination]


def definitions_of(pipelines: Iterable[Pipeline]) -> dict[int, PipelineDefinition]:
    """The definitions of many pipelines of one organization by their keys, in one query."""
    found = list(pipelines)
    by_pipeline: dict[int, list[PipelineResource]] = {one.pk: [] for one in found}
    if found:
        rows = PipelineResource.objects.for_organization(found[0].organization)
        for row in rows.filter(pipeline__in=found):
            by_pipeline[row.pipeline_id].append(row)
    return {one.pk: definition_of(one, by_pipeline[one.pk]) for one in found}


@dataclass(frozen=True)
class TableRow:
    """One table of a pipeline: how it is set, and what is known to stand in the destination."""

    name: str
    target: str
    #: None for a table of a whole database without settings of its own.
    position: int | None
    is_selected: bool
    sync: str
    write: str
    cursor: str = ""
    cursor_value: str = ""
    filters: tuple[str, ...] = ()
    columns: int | None = None
    loaded_at: datetime | None = None
    #: What the last run of it came to; None before the first.
    last: TableLoad | None = None


def tables_of(pipeline: Pipeline) -> list[TableRow]:
    """The tables with settings in their order, then what a whole database brought besides."""
    known = {table.name: table for table in _loaded(pipeline)}
    last = history().tables(pipeline)
    definition = definition_of(pipeline)
    rows = [
        replace(
            _row(pipeline, position, definition.filled(one), known.pop(one.target, None)),
            last=last.get(one.target),
        )
        for position, one in enumerate(definition.resources)
    ]
    if definition.mode is Mode.FULL_DATABASE:
        default, strategy = definition.write_disposition, definition.merge_strategy
        rows += [
            TableRow(
                name=table.name,
                target=table.name,
                position=None,
                is_selected=True,
                sync=sync_words(default, ""),
                write=write_words(default, (), strategy),
                columns=len(table.columns) or None,
                loaded_at=table.loaded_at,
                last=last.get(table.name),
            )
            for table in known.values()
        ]
    return rows


def _loaded(pipeline: Pipeline) -> QuerySet[DatasetTable]:
    rows = DatasetTable.objects.for_organization(pipeline.organization)
    return rows.filter(
        connection=pipeline.destination, schema=pipeline.dataset, loaded_by=pipeline.slug
    )


def _row(
    pipeline: Pipeline, position: int, resource: ResourceDefinition, table: DatasetTable | None
) -> TableRow:
    incremental = is_incremental(resource.write_disposition, resource.cursor_column)
    state = _cursor_state(pipeline, resource) if incremental else {}
    return TableRow(
        name=resource.name,
        target=resource.target,
        position=position,
        is_selected=resource.is_selected,
        sync=sync_words(resource.write_disposition, resource.cursor_column),
        write=write_words(
            resource.write_disposition, resource.primary_key, resource.merge_strategy
        ),
        cursor=resource.cursor_column if incremental else "",
        cursor_value=str(state.get("value") or ""),
        filters=tuple(filter_words(item) for item in resource.filters),
        columns=(len(table.columns) or None) if table else None,
        loaded_at=table.loaded_at if table else None,
    )


def _cursor_state(pipeline: Pipeline, resource: ResourceDefinition) -> dict[str, Any]:
    """Loads of earlier versions named a table with its schema."""
    labels = (resource.name, f"{pipeline.source_schema}.{resource.name}")
    found = (pipeline.cursors[label] for label in labels if label in pipeline.cursors)
    state: dict[str, Any] = next(found, {})
    return state if state.get("column") == resource.cursor_column else {}


@dataclass(frozen=True)
class DiffLine:
    """A line of a change. ``kind`` is add, del or empty."""

    kind: str
    text: str


@dataclass(frozen=True)
class Change:
    """One event of a pipeline's history, with what it changed as lines of YAML."""

    event: AuditEvent
    lines: list[DiffLine] = field(default_factory=list)

    @property
    def word(self) -> str:
        return event_words(self.event.action)


def changes_of(pipeline: Pipeline) -> list[Change]:
    """The newest first, out of the audit log."""
    rows = AuditEvent.objects.for_organization(pipeline.organization)
    rows = rows.filter(target_type="pipeline", target_id=str(pipeline.pk))
    # With whom it is shared is on another page, which not everybody sees who sees this one.
    rows = rows.exclude(action__in=(AuditAction.GRANT_GIVEN, AuditAction.GRANT_TAKEN))
    return [Change(event, _lines(event.changes)) for event in rows[:MAX_CHANGES]]


def _lines(changes: dict[str, Any]) -> list[DiffLine]:
    sides = (_filled({key: pair[at] for key, pair in changes.items()}) for at in (0, 1))
    old, new = (yaml.dump(side).splitlines() if side else [] for side in sides)
    kinds = {"+ ": "add", "- ": "del", "  ": ""}
    compared = difflib.ndiff(old, new)
    return [DiffLine(kinds[line[:2]], line[2:]) for line in compared if line[:2] in kinds]


def _filled(value: Any) -> Any:
    """Without what is empty: a change is read by what is there."""
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _filled(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item not in (None, "", [], {})}
