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
    source = postgres if connection.vendor == "postgresql" else sqlite
    with transaction.atomic(using=using):
        if connection.vendor == "postgresql":
            # Nobody writes an event between the last that is linked here and the first that the trigger links.
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE audit_auditevent IN ACCESS EXCLUSIVE MODE")
        remove(using=using)
        adopt(using)
        with connection.cursor() as cursor:
            for statement in source.statements():
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


def remove(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Before migrations of the log's tables, which triggers that name them would not survive."""
    connection = connections[using]
    source = postgres if connection.vendor == "postgresql" else sqlite
    with connection.cursor() as cursor:
        for statement in source.removals():
            cursor.execute(statement)


def _is_migrated(connection: Any) -> bool:
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    return there >= _TABLES
