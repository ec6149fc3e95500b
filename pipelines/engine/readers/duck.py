"""Everything DuckDB reads itself (SQLite, DuckDB, files): its SQL is the source's."""

from collections.abc import Sequence
from typing import Any

import duckdb

from connections.connectors.base import Target
from connections.connectors.sql import Dialect
from pipelines.engine.endpoints import duckdb_file
from pipelines.engine.model import Resource, SourceColumn, SourceTable, TablePlan
from pipelines.engine.readers.base import Reader, select_list
from pipelines.engine.session import SOURCE, Session
from pipelines.engine.sqltext import qualified, where


class DuckReader(Reader):
    """Base of the readers that select from something the session can see."""

    dialect = Dialect.DUCKDB

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def connection(self) -> "duckdb.DuckDBPyConnection":
        return self._session.connection

    def close(self) -> None:
        """The session is closed by its owner."""

    def tables(self, schema: str) -> list[str]:
        return []

    def row(self, statement: str) -> tuple[Any, ...]:
        return self.connection.execute(statement).fetchone() or (None,)

    def rows(self, plan: TablePlan, conditions: Sequence[str], *, raw: bool) -> str:
        return f"(SELECT {select_list(plan, raw=raw)} FROM {plan.relation}{where(*conditions)})"

    def columns_of(self, relation: str) -> tuple[SourceColumn, ...]:
        """Names and types of what the relation yields."""
        rows = self.connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        return tuple(SourceColumn(row[0], row[1], row[2] == "YES") for row in rows)

    def query_table(self, resource: Resource) -> SourceTable:
        """The columns a query of a person yields."""
        relation = f"({resource.query}\n)"
        return SourceTable(
            "", resource.name, self.columns_of(relation), kind="query", relation=relation
        )


class DuckDbReader(DuckReader):
    """A DuckDB file, attached read-only."""

    def __init__(self, target: Target, session: Session) -> None:
        super().__init__(session)
        path = duckdb_file(target, must_exist=True)
        # One file may be both ends: then it is attached already, and not only for reading.
        self._catalog = session.attach_file(path, SOURCE, read_only=True)
        # A person's query names its tables without the name the session gave the file.
        self.connection.execute(f"USE {qualified(self._catalog, 'main')}")

    def tables(self, schema: str) -> list[str]:
        query = """SELECT table_name FROM duckdb_tables()
            WHERE database_name = ? AND schema_name = ? AND NOT internal ORDER BY 1"""
        found = self.connection.execute(query, [self._catalog, schema or "main"]).fetchall()
        return [row[0] for row in found]

    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        found = {}
        for resource in resources:
            if resource.query:
                found[resource.label] = self.query_table(resource)
                continue
            schema = resource.schema or "main"
            known = self.connection.execute(
                """SELECT coalesce(t.estimated_size, -1),
                     (SELECT constraint_column_names FROM duckdb_constraints() c
                      WHERE c.table_oid = t.table_oid AND c.database_name = t.database_name
                        AND constraint_type = 'PRIMARY KEY')
                   FROM (SELECT database_name, schema_name, table_name, table_oid, estimated_size FROM duckdb_tables()
                         UNION ALL SELECT database_name, schema_name, view_name, -1, -1 FROM duckdb_views()) t
                   WHERE database_name = ? AND schema_name = ? AND table_name = ?""",
                [self._catalog, schema, resource.name],
            ).fetchone()
            if known is None:
                continue
            relation = qualified(self._catalog, schema, resource.name)
            found[resource.label] = SourceTable(
                schema=schema,
                name=resource.name,
                columns=self.columns_of(relation),
                primary_key=tuple(known[1] or ()),
                rows=known[0] if known[0] >= 0 else None,
                relation=relation,
            )
        return found
