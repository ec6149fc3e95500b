"""Reads over several tables of transformations, shared by pages, API, runner and planner."""

from collections.abc import Iterable
from dataclasses import dataclass

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
