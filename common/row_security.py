"""Row-level security of PostgreSQL: each table of organizations shows and takes only rows of the session's scope.

It holds for the owner of the tables too, which is the role of the application. A session that says nothing sees
nothing. Superusers and roles with BYPASSRLS are beyond it: ``doctor`` warns of them.
"""

from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from common.scope import EVERYWHERE, SETTING
from common.scoping import OrganizationOwned

POLICY = "datanika_organization"
#: Kept with each policy: another number here, and the next migration makes them anew.
VERSION = "1"

# Subqueries without a reference to the row are computed once for a statement, not once for a row.
_SCOPE = f"(SELECT current_setting('{SETTING}', true))"
_ID = f"(SELECT nullif(nullif(current_setting('{SETTING}', true), '{EVERYWHERE}'), '')::bigint)"
_RULE = f"{_SCOPE} = '{EVERYWHERE}' OR organization_id = {_ID}"

_STATE = """
SELECT class.relname, class.relrowsecurity AND class.relforcerowsecurity
       AND obj_description(policy.oid, 'pg_policy') IS NOT DISTINCT FROM %s
FROM pg_class class LEFT JOIN pg_policy policy ON policy.polrelid = class.oid AND policy.polname = %s
WHERE class.relnamespace = current_schema()::regnamespace AND class.relname = ANY(%s)
"""


def tables() -> list[str]:
    """Every table whose rows belong to an organization."""
    models = (model for model in apps.get_models() if issubclass(model, OrganizationOwned))
    return sorted({model._meta.db_table for model in models})


def unprotected(connection: BaseDatabaseWrapper) -> list[str]:
    """The tables there are whose policy is missing or an older one."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [VERSION, POLICY, tables()])
        return sorted(name for name, is_protected in cursor.fetchall() if not is_protected)


def is_bypassed(connection: BaseDatabaseWrapper) -> bool:
    """Whether the role of this session is beyond row-level security."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def protect(*, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Give every table its policy; a receiver of ``post_migrate``, so that no new table is forgotten."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    with transaction.atomic(using=using):
        for table in unprotected(connection):
            _protect(connection, connection.ops.quote_name(table))


def _protect(connection: BaseDatabaseWrapper, table: str) -> None:
    with connection.cursor() as cursor:
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS {POLICY} ON {table}",
            f"CREATE POLICY {POLICY} ON {table} USING ({_RULE})",
            f"COMMENT ON POLICY {POLICY} ON {table} IS '{VERSION}'",
        ):
            cursor.execute(statement)
