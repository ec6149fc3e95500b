"""Several counts in one question to the database."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet


def counts_of(found: Mapping[str, QuerySet[Any]]) -> dict[str, int]:
    """How many rows each has, by the same names; of a slice no more than it may hold."""
    selected: list[str] = []
    parameters: list[Any] = []
    for rows in found.values():
        try:
            sql, given = rows.values("pk").query.sql_with_params()
        except EmptyResultSet:
            selected.append("0")
        else:
            selected.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted)")  # noqa: S608 - Django's own SQL
            parameters += given
    if not selected:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(selected)}", parameters)
        return dict(zip(found, cursor.fetchone(), strict=True))
