"""Events of any time, and ways around the log's triggers that only who may change the database's schema has."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection

from audit import database
from audit.actions import AuditAction
from audit.models import AuditEvent
from tenants.models import Organization

#: Table → its triggers, in PostgreSQL.
TABLES = ("audit_auditevent", "audit_auditlink", "audit_auditchain")


def add(
    organization: Organization | None, at: datetime, label: str = "Olga", **more: Any
) -> AuditEvent:
    """An event of that moment."""
    values: dict[str, Any] = {"action": AuditAction.PIPELINE_UPDATED, **more}
    event = AuditEvent(
        organization=organization, at=at, actor_kind="user", actor_label=label, **values
    )
    event.save()
    return event


@contextmanager
def no_triggers() -> Iterator[None]:
    """As an intruder would do it: the triggers are away for a while, then there again."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        else:
            database.remove()
    yield
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        else:
            for statement in database.sqlite.statements():
                cursor.execute(statement)


def age(at: datetime) -> int:
    """Every event becomes one of that moment; how many."""
    with no_triggers():
        return AuditEvent.all_organizations.update(at=at)
