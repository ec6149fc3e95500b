"""Operators who look into an organization: it can see that they did."""

from datetime import timedelta

from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from audit.models import AuditEvent
from tenants.actors import Actor
from tenants.models import Organization

#: Who goes on looking is named once in so long.
ONCE_IN = timedelta(hours=1)


def note_entry(*, organization: Organization, actor: Actor, page: str) -> bool:
    """Put into the organization's audit log that an operator opened ``page``; false when that stands there already."""
    rows = AuditEvent.objects.for_organization(organization).filter(
        action=AuditAction.ORGANIZATION_ENTERED,
        actor_kind=actor.kind,
        actor_id=actor.identifier,
        at__gt=timezone.now() - ONCE_IN,
    )
    if rows.exists():
        return False
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.ORGANIZATION_ENTERED,
        target=organization,
        changes={"page": [None, page[:200]]},
    )
    return True
