"""SQLite through DuckDB's scanner. Any value may stand in any column, so what is stored decides.

The scanner is strict about whole numbers, floats and text. Where a declaration means more than it
checks (decimals, dates, booleans, none at all), the stored classes are counted first. A column that
does not keep to its declaration is loaded as text, losslessly, with a note; so is one the strict scan
stumbles over, after a second look at the whole table.
"""

import re
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import quote

import duckdb

from connections.connectors.base import Target
from connections.connectors.duckdb_support import load_extension
from connections.connectors.sql import Dialect, quote_text
from pipelines.engine.endpoints import duckdb_file
from pipelines.engine.errors import TypesChanged
from pipelines.engine.model import Resource, SourceColumn, SourceTable
from pipelines.engine.readers.duck import DuckReader
from pipelines.engine.readers.sqlite_types import (
    MISMATCH,
    Stored,
    affinity,
    broken_promise,
    decide,
    is_told_by_the_scan,
    kept,
    meaning,
    native_expression,
    profile_sql,
    query_expressions,
    spelled,
    watched,
)
from pipelines.engine.session import SOURCE, Session
from pipelines.engine.sqltext import ident, qualified

#: Rows above which a second thread is worth its start.
_WORTH_SHARING = 100_000
_MISMATCH = re.compile(rf"{MISMATCH}|Invalid type in column")


class SqliteReader(DuckReader):
    """A SQLite file, read-only."""

    def __init__(self, target: Target, session: Session) -> None:
        super().__init__(session)
        self._path = duckdb_file(target, must_exist=True)
        load_extension(self.connection, "sqlite")
        self.connection.execute(
            f"ATTACH {quote_text(str(self._path))} AS {ident(SOURCE)} (TYPE sqlite, READ_ONLY)"
        )
        #: Tables whose strict scan failed: every column of them is looked at.
        self._distrusted: set[str] = set()

    def tables(self, schema: str) -> list[str]:
        with self._open() as con:
            rows = con.execute(
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
                " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1"
            ).fetchall()
        return [row[0] for row in rows]

    def describe(self, resources: Sequence[Resource]) -> dict[str, SourceTable]:
        found = {}
        with self._open() as con:
            for resource in resources:
                if table := self._describe(con, resource):
                    found[resource.label] = table
        return found

    def distrust(self, label: str) -> None:
        """Look at every value of the table at the next ``describe``."""
        self._distrusted.add(label)

    def explain(self, error: Exception, label: str) -> Exception:
        strict = _MISMATCH.search(str(error)) or isinstance(error, duckdb.DataError)
        if strict and label not in self._distrusted:
            self.distrust(label)
            return TypesChanged(label)
        return error

    def _open(self) -> "closing[sqlite3.Connection]":
        uri = f"file:{quote(str(self._path))}?mode=ro"
        return closing(sqlite3.connect(uri, uri=True, timeout=10))

    def _are_kept(
        self, con: sqlite3.Connection, table: str, columns: Sequence[tuple[str, str]]
    ) -> bool:
        """Whether every value of the columns is what its declaration promises; one pass, shared by two threads."""
        broken = " OR ".join(broken_promise(name, kind) for name, kind in columns)
        last = _row_estimate(con, table)
        halves = [""]
        if last is not None and last > _WORTH_SHARING:
            halves = [f"rowid <= {last // 2} AND ", f"rowid > {last // 2} AND "]

        def is_broken(half: str) -> bool:
            with self._open() as own:
                query = f"SELECT EXISTS (SELECT 1 FROM {ident(table)} WHERE {half}({broken}))"
                return bool(own.execute(query).fetchone()[0])

        with ThreadPoolExecutor(len(halves)) as threads:
            return not any(threads.map(is_broken, halves))

    def _describe(self, con: sqlite3.Connection, resource: Resource) -> SourceTable | None:
        declared = _declared(con, resource)
        if not declared:
            return None
        origin = f"({resource.query}\n)" if resource.query else ident(resource.name)
        relation = qualified(SOURCE, resource.name)
        native = {} if resource.query else {c.name: c.type for c in self.columns_of(relation)}
        distrusted = resource.label in self._distrusted
        unclear = [
            (name, kind)
            for name, kind, _, _ in declared
            if distrusted or affinity(kind) in ("numeric", "none")
        ]
        promised = [] if distrusted or resource.query else [o for o in unclear if meaning(o[1])]
        looked_at = [one for one in promised if not is_told_by_the_scan(one[1])]
        stored = {name: kept(kind) for name, kind in promised if is_told_by_the_scan(kind)}
        if looked_at and self._are_kept(con, resource.name, looked_at):
            stored |= {name: kept(kind) for name, kind in looked_at}
        stored |= _profile(con, origin, [one for one in unclear if one[0] not in stored])
        decided = {name: decide(kind, stored.get(name)) for name, kind, _, _ in declared}
        expressions = {
            name: native_expression(
                name, native.get(name, ""), decided[name].type, stored.get(name)
            )
            for name in decided
        }
        for name, kind in promised:
            if is_told_by_the_scan(kind) and expressions[name] is not None:
                expressions[name] = watched(name, kind)
        # As text: what the scanner has, whatever is made of it after.
        raws = {
            name: f"CAST({ident(name)} AS VARCHAR)" if is_told_by_the_scan(kind) else ""
            for name, kind in promised
        }
        if any(expression is None for expression in expressions.values()):
            raws = {
                name: spelled(ident(name)) if one.type != "BLOB" else ""
                for name, one in decided.items()
            }
            inner, expressions = query_expressions(
                {name: decision.type for name, decision in decided.items()}
            )
            sql = f"SELECT {inner} FROM {origin}"
            relation = f"sqlite_query({quote_text(SOURCE)}, {quote_text(sql)})"
        return SourceTable(
            schema="" if resource.query else "main",
            name=resource.name,
            columns=tuple(
                SourceColumn(
                    name,
                    decided[name].type,
                    not required,
                    expressions[name] or "",
                    raws.get(name, ""),
                    decided[name].note,
                )
                for name, _, required, _ in declared
            ),
            primary_key=tuple(row[0] for row in sorted(declared, key=lambda row: row[3]) if row[3]),
            kind="query" if resource.query else "table",
            rows=None if resource.query else _row_estimate(con, resource.name),
            relation=relation,
        )


def _declared(con: sqlite3.Connection, resource: Resource) -> list[tuple[str, str, int, int]]:
    """Name, type, NOT NULL and place in the key of every column; a query declares nothing but names."""
    if resource.query:
        described = con.execute(f"SELECT * FROM ({resource.query}\n) LIMIT 0").description
        return [(one[0], "", 0, 0) for one in described]
    return con.execute(
        f'SELECT name, type, "notnull", pk FROM pragma_table_xinfo({quote_text(resource.name, Dialect.SQLITE)})'
        " WHERE hidden <> 1"
    ).fetchall()


def _profile(
    con: sqlite3.Connection, origin: str, columns: Sequence[tuple[str, str]]
) -> dict[str, Stored]:
    """What is stored in the columns, counted in one pass over the table or query."""
    found: dict[str, Stored] = {}
    # SQLite takes at most 2,000 result columns.
    for start in range(0, len(columns), 200):
        some = columns[start : start + 200]
        fields = ", ".join(profile_sql(name, kind) for name, kind in some)
        row = con.execute(f"SELECT {fields} FROM {origin}").fetchone()
        width = len(row) // len(some)
        for index, (name, _) in enumerate(some):
            found[name] = Stored(
                *(value or 0 for value in row[index * width : (index + 1) * width])
            )
    return found


def _row_estimate(con: sqlite3.Connection, table: str) -> int | None:
    """The highest rowid: at once, and close enough for a progress bar."""
    try:
        row = con.execute(f"SELECT max(rowid) FROM {ident(table)}").fetchone()
    except sqlite3.Error:
        # A view, or a table WITHOUT ROWID.
        return None
    return int(row[0]) if row and isinstance(row[0], int) else None
