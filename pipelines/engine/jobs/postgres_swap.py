"""Putting a staged table in the place of the old one, so that a reader sees all of the old or all of the new."""

from collections.abc import Sequence
from typing import Any

import psycopg

from pipelines.engine import types
from pipelines.engine.errors import TypeConflict
from pipelines.engine.model import TablePlan
from pipelines.engine.sqltext import ident, qualified

#: Whether the table has what a new one would not have: views on it, foreign keys to it, indexes
#: and constraints, grants, triggers, policies, publications, a comment, partitions.
_TIES = """
SELECT c.oid, c.relkind::text,
  c.relacl IS NOT NULL OR c.relhasindex OR c.relhastriggers OR c.relrowsecurity OR c.relkind <> 'r' OR c.relispartition
  OR EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
             AND d.deptype = 'n'
             AND d.classid IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_proc'::regclass))
  OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
  OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel p WHERE p.prrelid = c.oid)
  OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
  OR EXISTS (SELECT FROM pg_catalog.pg_description s WHERE s.objoid = c.oid AND s.classoid = 'pg_class'::regclass)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def put_in_place(
    connection: "psycopg.Connection[Any]",
    dataset: str,
    plan: TablePlan,
    stage: str,
    names: Sequence[str],
) -> None:
    """Within the caller's transaction: rename where the old table stands alone, else delete and insert.

    A rename would silently take away views, grants, indexes and the like of the old table.
    """
    target = qualified(dataset, plan.target)
    connection.execute("SET LOCAL lock_timeout = '10min'")
    row = connection.execute(_TIES, [dataset, plan.target]).fetchone()
    if row is None or not row[2]:
        if row is not None:
            _run(connection, f"DROP TABLE {target}")
        _run(connection, f"ALTER TABLE {stage} RENAME TO {ident(plan.target)}")
        return
    _match_columns(connection, dataset, plan)
    listed = ", ".join(ident(name) for name in names)
    # DELETE, not TRUNCATE: a reader with an older snapshot would find a truncated table empty.
    _run(connection, f"DELETE FROM {target}")
    _run(connection, f"INSERT INTO {target} ({listed}) SELECT {listed} FROM {stage}")
    _run(connection, f"DROP TABLE {stage}")


def _match_columns(connection: "psycopg.Connection[Any]", dataset: str, plan: TablePlan) -> None:
    rows = connection.execute(
        """SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped""",
        [qualified(dataset, plan.target)],
    ).fetchall()
    there = {str(name): str(kind) for name, kind in rows}
    for column in plan.columns:
        kind = there.get(column.name)
        if kind is None:
            _run(
                connection,
                f"ALTER TABLE {qualified(dataset, plan.target)} ADD COLUMN {ident(column.name)} {column.type}",
            )
        elif not types.fits(column.type, kind):
            raise TypeConflict(
                f'The column "{column.name}" of {plan.target} is {kind} and has to become {column.type}, but views, '
                "indexes or grants hold on to the table.",
                remedy="Drop the table in the destination, then run again.",
            )


def _run(connection: "psycopg.Connection[Any]", statement: str) -> None:
    connection.execute(statement)
