"""What is known to stand in a warehouse: noted before a first run and after each."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections.models import Connection, DatasetTable


@transaction.atomic
def declare_tables(
    *, connection: Connection, schema: str, names: Iterable[str], loaded_by: str
) -> None:
    """Note that a pipeline loads these tables, before its first run, so that dbt knows its sources."""
    wanted = set(names)
    rows = DatasetTable.objects.for_organization(connection.organization)
    rows = rows.filter(connection=connection, schema=schema)
    known = set(rows.filter(name__in=wanted).values_list("name", flat=True))
    for name in sorted(wanted - known):
        DatasetTable(
            organization=connection.organization,
            connection=connection,
            schema=schema,
            name=name,
            loaded_by=loaded_by,
        ).save()
    rows.filter(name__in=wanted).update(loaded_by=loaded_by)
    # What this pipeline no longer names and never loaded is not there.
    rows.filter(loaded_by=loaded_by, loaded_at__isnull=True).exclude(name__in=wanted).delete()


def record_loaded_table(
    *,
    connection: Connection,
    schema: str,
    name: str,
    loaded_by: str,
    columns: list[dict[str, Any]],
) -> None:
    """Note what a load left in the warehouse."""
    DatasetTable.all_organizations.update_or_create(
        connection=connection,
        schema=schema,
        name=name,
        defaults={
            "organization": connection.organization,
            "columns": columns,
            "loaded_by": loaded_by,
            "loaded_at": timezone.now(),
        },
    )
