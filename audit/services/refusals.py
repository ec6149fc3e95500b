"""Refusals of permissions, as somebody's tries are worth knowing; a loop of them must not fill the log."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django.utils import timezone

from audit.actions import AuditAction
from audit.models import AuditEvent
from audit.services.events import EventActor, record
from common.errors import PermissionDenied

if TYPE_CHECKING:
    from tenants.models import Organization

logger = logging.getLogger("datanika.audit")

#: The same actor, permission and path is written once in this time, and of one actor no more than so many.
EVERY = timedelta(minutes=1)
MOST = 20


def record_refusal(
    *,
    organization: "Organization",
    actor: EventActor,
    error: PermissionDenied,
    method: str,
    path: str,
) -> bool:
    """Write that ``actor`` was refused; False where the log has it, or has enough. ``path`` is one without a query.

    Outside the transaction of what was refused. That the log cannot be written changes no answer.
    """
    changes: dict[str, Any] = {
        "permission": [None, str(error.permission)],
        "request": [None, f"{method} {path[:500]}"],
        "reason": [None, error.message],
    }
    try:
        if _is_enough(organization, actor, changes):
            return False
        record(
            organization=organization,
            actor=actor,
            action=AuditAction.PERMISSION_REFUSED,
            changes=changes,
            label=f"{method} {path}",
        )
    except DatabaseError:
        logger.exception("a refusal could not be written to the audit log")
        return False
    return True


def _is_enough(organization: "Organization", actor: EventActor, changes: dict[str, Any]) -> bool:
    rows = AuditEvent.objects.for_organization(organization).filter(
        action=AuditAction.PERMISSION_REFUSED,
        at__gt=timezone.now() - EVERY,
        actor_kind=actor.kind,
        actor_id=actor.identifier,
    )
    latest = list(rows.order_by("-at").values_list("changes", flat=True)[:MOST])
    return len(latest) == MOST or changes in latest
