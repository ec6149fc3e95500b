# ruff: noqa: S608 - names of a table and of its columns, and nothing of anybody's
"""Which problems there are, asked of the index of fingerprints in leaps: an answer takes as long as there are causes,
however often each of them came.

A database groups rows by reading all of them, and there may be a hundred thousand of one cause. So the index is asked
for the next fingerprint behind the last one, and then of each for its two ends. In SQL of our own: the ORM has no words
for it.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

from orchestration.models import RunStep
from tenants.models import Organization


class Span(NamedTuple):
    """One fingerprint with its first and its last occurrence."""

    fingerprint: str
    first_at: datetime
    last_at: datetime


#: Of an organization; the conditions are those of the index, word for word, or SQLite would not use it.
_MINE = "step.organization_id = %s AND NOT (step.fingerprint = '')"


def newest_spans(organization: Organization, since: datetime | None, most: int) -> list[Span]:
    """The fingerprints seen since then, the newest first."""
    when = "" if since is None else " WHERE last_at >= %s"
    sql = f"""
        WITH RECURSIVE prints(fingerprint) AS (
            SELECT MIN(step.fingerprint) FROM {_table()} WHERE {_MINE}
            UNION ALL
            SELECT (SELECT MIN(step.fingerprint) FROM {_table()}
                    WHERE {_MINE} AND step.fingerprint > prints.fingerprint)
            FROM prints WHERE prints.fingerprint IS NOT NULL
        ), spans AS (
            SELECT fingerprint, {_end("ASC")} AS first_at, {_end("DESC")} AS last_at
            FROM prints WHERE fingerprint IS NOT NULL
        )
        SELECT fingerprint, first_at, last_at FROM spans{when or " WHERE last_at IS NOT NULL"}
        ORDER BY last_at DESC LIMIT %s"""
    key = organization.pk
    given: list[Any] = [key, key, key, key]
    if since is not None:
        given.append(connection.ops.adapt_datetimefield_value(since))
    return [_span(row) for row in _ask(sql, [*given, most])]


def span_of(organization: Organization, fingerprint: str) -> Span | None:
    """None where the organization has no such fingerprint."""
    sql = (
        f"SELECT fingerprint, {_end('ASC')}, {_end('DESC')}"
        f" FROM (SELECT CAST(%s AS varchar(16)) AS fingerprint) AS prints"
    )
    key = organization.pk
    rows = _ask(sql, [key, key, fingerprint])
    return _span(rows[0]) if rows and rows[0][1] is not None else None


def counts_of(
    organization: Organization, fingerprints: Collection[str], most: int
) -> dict[str, int]:
    """How often each of them came; counting ends at ``most``."""
    if not fingerprints:
        return {}
    # One plan for all of them: fifty, joined by UNION, take longer to plan than to execute.
    marks = ", ".join(["(%s)"] * len(fingerprints))
    sql = f"""
        WITH prints(fingerprint) AS (VALUES {marks})
        SELECT fingerprint, (
            SELECT COUNT(*) FROM (
                SELECT 1 FROM {_table()} WHERE {_MINE}
                AND step.fingerprint = prints.fingerprint AND step.finished_at IS NOT NULL LIMIT %s
            ) AS few
        ) FROM prints"""
    given = [*fingerprints, organization.pk, most]
    return {str(mark): int(count) for mark, count in _ask(sql, given)}


def _table() -> str:
    return f"{connection.ops.quote_name(RunStep._meta.db_table)} AS step"


def _end(order: str) -> str:
    return (
        f"(SELECT step.finished_at FROM {_table()} WHERE {_MINE}"
        " AND step.fingerprint = prints.fingerprint AND step.finished_at IS NOT NULL"
        f" ORDER BY step.finished_at {order} LIMIT 1)"
    )


def _ask(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _span(row: tuple[Any, ...]) -> Span:
    return Span(str(row[0]), _moment(row[1]), _moment(row[2]))


def _moment(value: Any) -> datetime:
    """SQLite hands over the text it keeps, in UTC."""
    found = parse_datetime(value) if isinstance(value, str) else value
    assert isinstance(found, datetime)
    return found if is_aware(found) else found.replace(tzinfo=UTC)
