"""Reads over several tables of transformations, shared by pages, API, runner and planner."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, Value, When
from django.db.models.functions import MD5

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
    return _parsed(transformation.sql)


@lru_cache(maxsize=20_000)
def _parsed(sql: str) -> Upstreams:
    found = references(sql)
    return Upstreams(frozenset(found.refs), frozenset(found.sources))


@dataclass(frozen=True)
class Reads:
    """One transformation, as much of it as the graph needs."""

    pk: int
    name: str
    connection_id: int
    tags: frozenset[str]
    reads: Upstreams


def reads_of(organization: Organization) -> list[Reads]:
    """Every living transformation with what it reads: as it was noted at its last save, and parsed where it was not."""
    rows = Transformation.objects.for_organization(organization)
    fields = ("pk", "name", "connection_id", "tags", "reads")
    is_current = Case(When(reads_of=MD5("sql"), then=Value(True)), default=Value(False))
    found = list(rows.annotate(is_current=is_current).values_list(*fields, "is_current"))
    others = [row[0] for row in found if not row[-1]]
    sql = dict(rows.filter(pk__in=others).values_list("pk", "sql")) if others else {}
    return [
        Reads(
            pk=pk,
            name=name,
            connection_id=connection_id,
            tags=frozenset(tags),
            reads=_parsed(sql[pk]) if pk in sql else _noted(reads),
        )
        for pk, name, connection_id, tags, reads, _current in found
    ]


def note_reads(row: Transformation) -> None:
    """Note at the (unsaved) row what its SQL reads."""
    found = _parsed(row.sql)
    row.reads = {"refs": sorted(found.refs), "sources": sorted(found.sources)}
    row.reads_of = hashlib.md5(row.sql.encode(), usedforsecurity=False).hexdigest()


def _noted(reads: dict[str, Any]) -> Upstreams:
    sources = frozenset((dataset, table) for dataset, table in reads["sources"])
    return Upstreams(frozenset(reads["refs"]), sources)


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
    organization = transformation.organization
    found = {one.pk for one in reads_of(organization) if transformation.name in one.reads.refs}
    rows = Transformation.objects.for_organization(organization)
    return list(rows.filter(pk__in=found - {transformation.pk}))


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
    rows = _matching(organization, wanted).select_related("connection")
    # Lists inside JSON cannot be searched on every database we run on.
    return [row for row in rows if not wanted.tag or wanted.tag in row.tags]


def page_of_transformations(
    organization: Organization, wanted: TransformationFilter, *, sort: str, start: int, size: int
) -> tuple[list[Transformation], int]:
    """One page of those that pass the filter, and how many there are. ``sort`` is name, rows or built, with - the other
    way round; empty is by folder and name. Only the page's own rows are read whole.
    """
    key = {"name": ("name",), "rows": ("row_count", "name"), "built": ("built_at", "name")}
    fields = key.get(sort.removeprefix("-"), ("folder", "name"))
    order: list[Any] = [F(fields[0]).asc(nulls_first=True), *fields[1:], "pk"]
    rows = _matching(organization, wanted).order_by(*order)
    if sort.startswith("-"):
        rows = rows.reverse()
    keys = list(rows.values_list("pk", flat=True))
    if wanted.tag:
        tags = dict(rows.values_list("pk", "tags"))
        keys = [pk for pk in keys if wanted.tag in tags[pk]]
    shown = keys[start : start + size]
    everything = Transformation.objects.for_organization(organization).filter(pk__in=shown)
    by_key = {row.pk: row for row in everything.select_related("connection")}
    return [by_key[pk] for pk in shown if pk in by_key], len(keys)


@dataclass(frozen=True)
class Choices:
    """What the list can be narrowed to."""

    folders: list[str]
    tags: list[str]
    warehouses: list[Connection]
    any: bool


def choices_of(organization: Organization) -> Choices:
    rows = Transformation.objects.for_organization(organization).order_by()
    found = list(rows.values_list("folder", "tags", "connection"))
    folders: set[str] = set()
    for folder in {folder for folder, _tags, _connection in found}:
        parts = folder.split("/")
        folders |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    warehouses = Connection.objects.for_organization(organization).order_by("name")
    return Choices(
        folders=sorted(folders - {""}),
        tags=sorted({tag for _folder, tags, _connection in found for tag in tags}),
        warehouses=list(warehouses.filter(pk__in={pk for _folder, _tags, pk in found})),
        any=bool(found),
    )


def _matching(organization: Organization, wanted: TransformationFilter) -> QuerySet[Transformation]:
    rows = Transformation.objects.for_organization(organization)
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
    return rows


def test_counts(rows_of: Sequence[Transformation]) -> dict[int, TestCounts]:
    """By transformation id, in one query."""
    if not rows_of:
        return {}
    rows = TransformationTest.objects.for_organization(rows_of[0].organization).order_by()
    rows = rows.filter(transformation__in=rows_of)
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
