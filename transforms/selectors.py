"""Reads over several tables of transformations, shared by pages, API, runner and planner."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from connections.models import Connection, DatasetTable
from tenants.models import Organization
from transforms.engine.references import references
from transforms.models import Transformation, TransformationColumn, TransformationTest


@dataclass(frozen=True)
class Upstreams:
    """What a transformation reads: other transformations, and (dataset, table) pairs."""

    refs: frozenset[str]
    sources: frozenset[tuple[str, str]]


def upstreams_of(transformation: Transformation) -> Upstreams:
    found = references(transformation.sql)
    return Upstreams(frozenset(found.refs), frozenset(found.sources))


def in_warehouse(connection: Connection) -> list[Transformation]:
    """All living transformations of one warehouse: one dbt project."""
    rows = Transformation.objects.for_organization(connection.organization)
    return list(rows.filter(connection=connection))


def columns_of(
    organization: Organization, transformations: Iterable[Transformation]
) -> dict[int, list[TransformationColumn]]:
    """Columns by transformation id, in one query."""
    found: dict[int, list[TransformationColumn]] = {}
    rows = TransformationColumn.objects.for_organization(organization)
    for row in rows.filter(transformation__in=list(transformations)):
        found.setdefault(row.transformation_id, []).append(row)
    return found


def tests_of(
    organization: Organization, transformations: Iterable[Transformation]
) -> dict[int, list[TransformationTest]]:
    """Tests by transformation id, in one query."""
    found: dict[int, list[TransformationTest]] = {}
    rows = TransformationTest.objects.for_organization(organization)
    for row in rows.filter(transformation__in=list(transformations)):
        found.setdefault(row.transformation_id, []).append(row)
    return found


def dataset_tables(connection: Connection) -> list[DatasetTable]:
    """The tables that pipelines load into this warehouse: what ``source()`` can name."""
    rows = DatasetTable.objects.for_organization(connection.organization)
    return list(rows.filter(connection=connection))


def readers_of(transformation: Transformation) -> list[Transformation]:
    """The transformations whose SQL has a ``ref()`` to this one."""
    rows = Transformation.objects.for_organization(transformation.organization)
    others = rows.exclude(pk=transformation.pk)
    return [row for row in others if transformation.name in upstreams_of(row).refs]


@dataclass(frozen=True)
class TestCounts:
    """How the tests of one transformation went last; what never ran is in ``total`` only."""

    __test__ = False

    total: int = 0
    passed: int = 0
    failed: int = 0
    warned: int = 0


@dataclass(frozen=True)
class TransformationFilter:
    """What a list is narrowed to; empty strings narrow nothing."""

    query: str = ""
    folder: str = ""
    status: str = ""
    tag: str = ""
    connection: str = ""

    @property
    def is_set(self) -> bool:
        return any((self.query, self.folder, self.status, self.tag, self.connection))


def transformations_of(
    organization: Organization, wanted: TransformationFilter
) -> list[Transformation]:
    """Those that pass the filter, by folder and name; a folder includes the ones below it."""
    rows = Transformation.objects.for_organization(organization).select_related("connection")
    if wanted.query:
        found = Q(name__icontains=wanted.query) | Q(description__icontains=wanted.query)
        rows = rows.filter(found | Q(folder__icontains=wanted.query))
    if wanted.folder:
        below = Q(folder__startswith=f"{wanted.folder}/")
        rows = rows.filter(Q(folder=wanted.folder) | below)
    if wanted.status:
        rows = rows.filter(build_status=wanted.status)
    if wanted.connection:
        rows = rows.filter(connection__slug=wanted.connection)
    # Lists inside JSON cannot be searched on every database we run on.
    return [row for row in rows if not wanted.tag or wanted.tag in row.tags]


def test_counts(organization: Organization) -> dict[int, TestCounts]:
    """By transformation id, in one query."""
    rows = TransformationTest.objects.for_organization(organization).order_by()
    counted = rows.values("transformation").annotate(
        total=Count("pk"),
        passed=Count("pk", filter=Q(last_status="succeeded")),
        failed=Count("pk", filter=Q(last_status="failed")),
        warned=Count("pk", filter=Q(last_status="warned")),
    )
    return {
        row["transformation"]: TestCounts(row["total"], row["passed"], row["failed"], row["warned"])
        for row in counted
    }


test_counts.__test__ = False  # type: ignore[attr-defined]


def warehouses(organization: Organization) -> list[Connection]:
    """The connections that dbt can build in."""
    rows = Connection.objects.for_organization(organization)
    return [row for row in rows if row.is_destination and row.type.capabilities.dbt]


def completion_of(connection: Connection, limit: int = 500) -> dict[str, Any]:
    """Names for an SQL editor: ``{transformation: [columns], dataset: {table: [columns]}}``."""
    rows = in_warehouse(connection)[:limit]
    columns = columns_of(connection.organization, rows)
    names: dict[str, Any] = {row.name: [c.name for c in columns.get(row.pk, [])] for row in rows}
    for table in dataset_tables(connection)[:limit]:
        tables = names.setdefault(table.schema, {})
        if isinstance(tables, dict):
            tables[table.name] = [column["name"] for column in table.columns]
    return names


@dataclass(frozen=True)
class StagingDraft:
    """The start of a transformation that renames and cleans one loaded table."""

    name: str
    sql: str
    folder: str = "staging"


_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def staging_draft(table: DatasetTable) -> StagingDraft:
    """``select <columns> from {{ source(…) }}``, with every column where they are known."""
    names = [_in_sql(column["name"]) for column in table.columns] or ["*"]
    listed = ",\n".join(f"    {name}" for name in names)
    source = source_call(table)
    made = re.sub(r"[^a-z0-9_]+", "_", f"stg_{table.schema}__{table.name}".lower())
    return StagingDraft(name=made[:63], sql=f"select\n{listed}\nfrom {{{{ {source} }}}}\n")


def source_call(table: DatasetTable) -> str:
    """What names the table in SQL: ``source('raw_shop', 'orders')``."""
    dataset, name = (
        part.replace("\\", "\\\\").replace("'", "\\'") for part in (table.schema, table.name)
    )
    return f"source('{dataset}', '{name}')"


def _in_sql(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
