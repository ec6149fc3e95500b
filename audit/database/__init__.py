"""What the database itself does for the log: it links events to their chain and refuses to change them."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from audit.database import postgres, sqlite
from audit.database.adoption import adopt

_TABLES = frozenset({"audit_auditevent", "audit_auditlink", "audit_auditchain"})


def install(*, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make the triggers that are missing, and link the events that were written without; after ``migrate``."""
    connection = connections[using]
    if is_installed(using) or not _is_migrated(connection):
        return
    with transaction.atomic(using=using):
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                # Nobody writes an event between the last that is linked here and the first that the trigger links.
                cursor.execute("LOCK TABLE audit_auditevent IN ACCESS EXCLUSIVE MODE")
            else:
                remove(using=using)
        _without_triggers(connection, using)
        with connection.cursor() as cursor:
            for statement in _statements(connection):
                cursor.execute(statement)


def is_installed(using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether every trigger is there as this version wants it."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(postgres.STATE, [list(postgres.TRIGGERS)])
            return bool(cursor.fetchone() == (len(postgres.TRIGGERS), postgres.VERSION))
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        there = {text for (text,) in cursor.fetchall()}
    return there >= set(sqlite.statements())


def remove(*, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Before migrations: SQLite rebuilds tables, and would stumble over triggers that name them."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for statement in sqlite.removals():
            cursor.execute(statement)


def _statements(connection: Any) -> list[str]:
    return postgres.statements() if connection.vendor == "postgresql" else sqlite.statements()


def _without_triggers(connection: Any, using: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name, (table, _rest) in postgres.TRIGGERS.items():
                if table != "audit_unlinked":
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
    adopt(using)


def _is_migrated(connection: Any) -> bool:
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    return there >= _TABLES
