"""Putting a staged table in the place of the old one, so that a reader sees all of the old or all of the new."""

from typing import TYPE_CHECKING, Any

import psycopg

from pipelines.engine.errors import TypeConflict
from pipelines.engine.model import TablePlan
from pipelines.engine.types import hub, to_postgres

if TYPE_CHECKING:
    from pipelines.engine.destinations.postgres import PostgresDestination

#: Whether the table has what a new one would not have: views on it, foreign keys to it, indexes
#: and constraints, grants, triggers, policies, publications, a comment, partitions.
#: Our own index on the key is made anew.
_TIES = """
SELECT c.relacl IS NOT NULL OR c.relhastriggers OR c.relrowsecurity OR c.relkind <> 'r' OR c.relispartition
  OR EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
             WHERE i.indrelid = c.oid AND ic.relname NOT LIKE '\\_dlt\\_key\\_%%')
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
    destination: "PostgresDestination",
    plan: TablePlan,
    stage: str,
) -> None:
    """Within the caller's transaction: rename where the old table stands alone, else delete and insert.

    A rename would silently take away views, grants, indexes and the like of the old table.
    """
    target = destination.table(plan.target)
    row = connection.execute(_TIES, [destination.dataset, plan.target]).fetchone()
    if row is None or not row[0]:
        if row is not None:
            destination.run(f"DROP TABLE {target}")
        destination.run(f"ALTER TABLE {stage} RENAME TO {destination.ident(plan.target)}")
        return
    _match_columns(destination, plan)
    names = destination.names(plan)
    # DELETE, not TRUNCATE: a reader with an older snapshot would find a truncated table empty.
    destination.run(f"DELETE FROM {target}")
    destination.run(f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage}")
    destination.run(f"DROP TABLE {stage}")


def _match_columns(destination: "PostgresDestination", plan: TablePlan) -> None:
    there = destination.existing([plan.target])[plan.target].columns
    target = destination.table(plan.target)
    for name, definition in destination.definitions(plan):
        if name not in there:
            destination.run(f"ALTER TABLE {target} ADD COLUMN {definition}")
    for column in plan.kept:
        kind = there.get(column.name, column.type)
        own = to_postgres.hub_of(kind)
        if kind != column.type and not (own and hub.fits(column.hub, own)):
            raise TypeConflict(
                f'The column "{column.name}" of {plan.target} is {kind} and has to become {column.type}, but views, '
                "indexes or grants hold on to the table.",
                field=f"resources.{plan.name}",
                remedy="Drop the table in the destination, then run again.",
            )
