"""PostgreSQL: COPY (query) TO STDOUT as CSV, in one REPEATABLE READ snapshot.

Exact for every type, and at the speed of the server.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from connections.connectors.base import Target
from connections.connectors.sql import Dialect
from pipelines.engine.endpoints import postgres_connect
from pipelines.engine.events import Reporter
from pipelines.engine.model import Extracted, Resource, SourceColumn, SourceTable, TablePlan
from pipelines.engine.readers.base import (
    PART_BYTES,
    Part,
    PartFormat,
    Reader,
    select_list,
    up_to,
    window,
)
from pipelines.engine.readers.copy_out import copy_out
from pipelines.engine.sqltext import qualified, where

_CATALOGUE = """
SELECT n.nspname, c.relname, c.relkind::text, c.reltuples::bigint, a.attname, a.attnotnull,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
            ELSE format_type(a.atttypid, a.atttypmod) END,
       coalesce(array_position(i.indkey::int2[], a.attnum), -1)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
ORDER BY 1, 2, a.attnum
"""


class PostgresReader(Reader):
    dialect = Dialect.POSTGRES
    writes_csv_only = True

    def __init__(self, target: Target) -> None:
        self._connection, self._forget = postgres_connect(target, read_only=True)
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    def close(self) -> None:
        self._forget()
        self._connection.close()

    def tables(self, schema: str) -> list[str]:
        query = """
            SELECT c.relname FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            ORDER BY 1"""
        with self._connection.transaction():
            return [str(row[0]) for row in self._connection.execute(query, [schema])]

    def views(self, schema: str) -> list[str]:
        query = """
            SELECT c.relname FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relkind IN ('v', 'm', 'f') ORDER BY 1"""
        with self._connection.transaction():
            return [str(row[0]) for row in self._connection.execute(query, [schema])]

    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        schemas = [resource.schema or "public" for resource in resources]
        names = [resource.name for resource in resources]
        with self._connection.transaction():
            rows = self._connection.execute(_CATALOGUE, [schemas, names]).fetchall()
        grouped: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for row in rows:
            grouped.setdefault((row[0], row[1]), []).append(row)
        found = {}
        for resource in resources:
            if group := grouped.get((resource.schema or "public", resource.name)):
                found[resource.label] = _table(group)
        return found

    def extract(
        self,
        plan: TablePlan,
        load_id: str,
        directory: Path,
        counts: Extracted,
        reporter: Reporter,
        file_format: PartFormat,
    ) -> Iterator[Part]:
        with self._connection.transaction():
            conditions = self._window(plan, counts)
            total = self._count(plan, conditions, counts)
            columns = select_list(plan, load_id, with_load_id=file_format == "csv+load_id")
            query = f"SELECT {columns} FROM {plan.relation}{where(*conditions, plan.where)}"
            scope = f"extract:{plan.resource}"

            def said(rows: int) -> None:
                reporter.progress(scope, rows, total)

            yield from self._copy(query, directory, counts, said)
        if not plan.where:
            counts.rows_read = counts.rows_kept

    def _window(self, plan: TablePlan, counts: Extracted) -> list[str]:
        """The highest cursor value and the rows come from one snapshot, so no row falls between two loads."""
        cursor = plan.cursor
        if cursor is None:
            return []
        low = window(cursor, self.dialect)
        query = f"SELECT max({cursor.expression})::text FROM {plan.relation}{where(low)}"
        row = self._connection.execute(query).fetchone()
        counts.cursor_after = row[0] if row and row[0] is not None else cursor.before
        return [low, up_to(cursor, row[0] if row else None, self.dialect)]

    def _count(self, plan: TablePlan, conditions: list[str], counts: Extracted) -> int | None:
        """With filters the rows they leave out are counted; without, the estimate will do for the progress."""
        if not plan.where:
            return plan.rows_estimate if plan.cursor is None else None
        query = f"SELECT count(*) FROM {plan.relation}{where(*conditions)}"
        row = self._connection.execute(query).fetchone()
        counts.rows_read = int(row[0]) if row else 0
        return None

    def _copy(
        self, query: str, directory: Path, counts: Extracted, said: Callable[[int], None]
    ) -> Iterator[Part]:
        blocks = copy_out(self._connection, f"COPY ({query}) TO STDOUT (FORMAT csv)")
        number = 0
        while (part := _write_part(blocks, directory / f"{number}.csv", counts, said)) is not None:
            number += 1
            yield part


def _write_part(
    blocks: Iterator[list[bytes]], path: Path, counts: Extracted, said: Callable[[int], None]
) -> Part | None:
    """Blocks hold whole rows, so a part always ends at a row's end."""
    block = next(blocks, None)
    if block is None:
        return None
    rows = 0
    with path.open("wb") as file:
        while block is not None:
            rows += len(block)
            longest = max(map(len, block))
            counts.longest_row = max(counts.longest_row, longest)
            file.write(b"".join(block))
            said(counts.rows_kept + rows)
            if file.tell() >= PART_BYTES:
                break
            block = next(blocks, None)
    counts.rows_kept += rows
    return Part(path, rows)


def _table(rows: list[tuple[Any, ...]]) -> SourceTable:
    schema, name, kind, estimate = rows[0][:4]
    columns = tuple(SourceColumn(row[4], row[6], not row[5]) for row in rows)
    key = sorted((row[7], row[4]) for row in rows if row[7] >= 0)
    return SourceTable(
        schema=schema,
        name=name,
        columns=columns,
        primary_key=tuple(column for _, column in key),
        kind="table" if kind in ("r", "p") else "view",
        rows=estimate if estimate > 0 else None,
        relation=qualified(schema, name),
    )
