"""What stands in a PostgreSQL database, and what this user may do there: catalogue queries. Child
side.
"""

from typing import TYPE_CHECKING, Any

from common.errors import NotFound, UserError
from connections.connectors import catalog
from connections.connectors.base import CatalogPage, Column, StageStatus, Table, Target
from connections.connectors.checks import Outcome, counted

if TYPE_CHECKING:
    import psycopg

_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
_OLDEST_VERSION = 12
#: Members of these reach the files or the shell of the server, so a leaked password is worth far
#: more than the data.
_POWERFUL_ROLES = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")

# A partition is read through its parent, else its rows would be loaded twice.
_FROM = """
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_toast%%' AND n.nspname NOT LIKE 'pg\\_temp%%'
  AND (cardinality(%(schemas)s::text[]) = 0 OR n.nspname = ANY(%(schemas)s::text[]))
"""
_READABLE = """coalesce(has_schema_privilege(n.oid, 'USAGE')
  AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')), false)"""

# COLLATE "C" makes the order that of the page keys, whatever the database's own is.
_TABLES = f"""
SELECT n.nspname, c.relname, c.relkind, c.reltuples::bigint {_FROM}
  AND {_READABLE}
  AND (%(schema)s::text = '' OR n.nspname = %(schema)s::text)
  AND strpos(lower(c.relname), lower(%(search)s::text)) > 0
  AND (%(first)s::boolean OR (n.nspname::text COLLATE "C", c.relname::text COLLATE "C")
       > (%(after_schema)s::text COLLATE "C", %(after_name)s::text COLLATE "C"))
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C" LIMIT %(limit)s
"""
_SCHEMAS = f"""SELECT DISTINCT n.nspname::text COLLATE "C" {_FROM} AND {_READABLE} ORDER BY 1"""
_COUNTS = f"""
SELECT count(*) FILTER (WHERE readable), count(*) FILTER (WHERE NOT readable),
  coalesce((array_agg(name ORDER BY name) FILTER (WHERE NOT readable))[1:5], ARRAY[]::text[])
FROM (SELECT n.nspname || '.' || c.relname AS name, {_READABLE} AS readable {_FROM}) AS tables
"""
_TABLE = f"""
SELECT c.oid, c.relkind, c.reltuples::bigint, pg_table_size(c.oid) {_FROM}
  AND n.nspname = %(schema)s::text AND c.relname = %(table)s::text
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %s::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_PRIMARY_KEY = """
SELECT a.attname FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %s::oid AND i.indisprimary ORDER BY k.position
"""
_MISSING_SCHEMAS = """
SELECT wanted FROM unnest(%s::text[]) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = wanted) ORDER BY 1
"""
_ROLE = """
SELECT rolsuper, ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r
  WHERE r.rolname = ANY(%s::text[]) AND pg_has_role(current_user, r.oid, 'MEMBER') ORDER BY 1)
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""


def discover(
    connection: "psycopg.Connection[Any]",
    target: Target,
    *,
    search: str,
    schema: str,
    after: str,
    limit: int,
) -> CatalogPage:
    """One page of the tables and views this user may read."""
    start = catalog.decode_key(after)
    values = {
        "schemas": schemas_of(target),
        "schema": schema,
        "search": search,
        "first": start is None,
        "after_schema": start[0] if start else "",
        "after_name": start[1] if start else "",
        "limit": limit + 1,
    }
    rows = connection.execute(_TABLES, values).fetchall()
    tables = [
        Table(nspname, name, _KINDS[kind], estimate if estimate >= 0 and kind != "v" else None)
        for nspname, name, kind, estimate in rows
    ]
    names = connection.execute(_SCHEMAS, values).fetchall()
    return catalog.page_of(tables, limit, tuple(name for (name,) in names))


def describe(
    connection: "psycopg.Connection[Any]", target: Target, *, schema: str, table: str
) -> tuple[Table, int | None]:
    """The table with columns and key, and its size in bytes (None where it has none of its own)."""
    values = {"schemas": schemas_of(target), "schema": schema, "table": table}
    found = connection.execute(_TABLE, values).fetchone()
    if found is None:
        raise NotFound(
            f'There is no table "{schema}.{table}" in {target.config["database"]}.',
            field="table",
            remedy="Refresh the catalogue and choose again.",
        )
    oid, kind, estimate, size = found
    columns = connection.execute(_COLUMNS, (oid,)).fetchall()
    key = connection.execute(_PRIMARY_KEY, (oid,)).fetchall()
    described = Table(
        schema,
        table,
        _KINDS[kind],
        estimate if estimate >= 0 and kind != "v" else None,
        tuple(Column(name, declared, nullable) for name, declared, nullable in columns),
        tuple(name for (name,) in key),
    )
    return described, size if kind in {"r", "m"} else None


def schemas_of(target: Target) -> list[str]:
    """The schemas the connection is limited to; none means all."""
    return [str(name) for name in target.config.get("schemas") or ()]


# --- stages of the check -------------------------------------------------------------------------


def check_role(connection: "psycopg.Connection[Any]") -> Outcome:
    """Signed in as whom; more power than a pipeline needs is a warning."""
    version = connection.info.server_version // 10000
    text = f'Signed in as "{connection.info.user}", PostgreSQL {version}.'
    row = connection.execute(_ROLE, (list(_POWERFUL_ROLES),)).fetchone()
    superuser, powers = row or (False, [])
    if version < _OLDEST_VERSION:
        return Outcome(
            f"{text} Versions before {_OLDEST_VERSION} are not tested.",
            StageStatus.WARN,
            remedy="Upgrade the server.",
        )
    if superuser or powers:
        power = "a superuser" if superuser else f"a member of {', '.join(powers)}"
        return Outcome(
            f"{text} That user is {power}.",
            StageStatus.WARN,
            remedy="Use a user with only the rights in the grant script.",
        )
    return Outcome(text)


def check_read(connection: "psycopg.Connection[Any]", target: Target) -> Outcome:
    """How many tables can be read, and some of those that cannot."""
    schemas = schemas_of(target)
    missing = [name for (name,) in connection.execute(_MISSING_SCHEMAS, (schemas,)).fetchall()]
    if missing:
        raise UserError(
            f"There is no schema {', '.join(missing)} in {target.config['database']}.",
            field="schemas",
            remedy="Correct the list of schemas, or leave it empty for all.",
        )
    row = connection.execute(_COUNTS, {"schemas": schemas}).fetchone()
    readable, unreadable, names = row or (0, 0, [])
    text = f"{counted(readable, 'table')} can be read."
    if unreadable:
        more = ", …" if unreadable > len(names) else ""
        return Outcome(
            f"{text} {counted(unreadable, 'table')} cannot: {', '.join(names)}{more}.",
            StageStatus.WARN,
            remedy="GRANT USAGE on the schema and SELECT on its tables if they are wanted.",
        )
    if not readable:
        return Outcome(
            "There is no table to read.",
            StageStatus.WARN,
            remedy="Check the database and the list of schemas.",
        )
    return Outcome(text)


def check_write(connection: "psycopg.Connection[Any]", target: Target) -> Outcome:
    """Whether schemas can be created, which every load needs."""
    row = connection.execute(
        "SELECT has_database_privilege(current_database(), 'CREATE'), pg_is_in_recovery()"
    ).fetchone()
    may_create, standby = row or (False, False)
    database, user = target.config["database"], target.config["user"]
    if standby:
        raise UserError("The server is a read-only standby.", remedy="Connect to the primary.")
    if not may_create:
        raise UserError(
            f'User "{user}" may not create schemas in {database}.',
            field="user",
            remedy=f'Run: GRANT CREATE ON DATABASE "{database}" TO "{user}";',
        )
    return Outcome("Schemas and tables can be created.")
