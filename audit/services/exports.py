"""What leaves the installation as a file is in the log before the first byte of it."""

from typing import TYPE_CHECKING, Any

from django.db.models import Model

from audit.actions import AuditAction
from audit.models import AuditEvent
from audit.services.events import EventActor, record

if TYPE_CHECKING:
    from tenants.models import Organization


def record_export(
    *, organization: "Organization", actor: EventActor, target: Model, what: str
) -> AuditEvent:
    """``what`` is in the words of the page: ``log``, ``rejected rows``."""
    return record(
        organization=organization,
        actor=actor,
        action=AuditAction.DATA_EXPORTED,
        target=target,
        changes={"what": [None, what]},
    )


def record_audit_export(
    *, organization: "Organization", actor: EventActor, shape: str, filters: dict[str, Any]
) -> AuditEvent:
    """The log itself, as ``csv`` or ``jsonl``; ``filters`` as they stand in the address."""
    return record(
        organization=organization,
        actor=actor,
        action=AuditAction.AUDIT_EXPORTED,
        changes={"as": [None, shape], "filters": [None, filters]},
    )
