"""The one way an event gets into the audit log."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import Model

from audit.actions import AuditAction
from audit.models import AuditEvent

if TYPE_CHECKING:
    from tenants.models import Organization

MASK = "••••••"


class EventActor(Protocol):
    """What the log keeps of an actor (``tenants.actors.Actor`` has it)."""

    @property
    def kind(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def identifier(self) -> str: ...
    @property
    def ip(self) -> str: ...


def record(
    *,
    organization: "Organization",
    actor: EventActor,
    action: AuditAction,
    target: Model | None = None,
    changes: dict[str, Any] | None = None,
) -> AuditEvent:
    """Write one event, in the caller's transaction, so that it stands or falls with the change."""
    event = event_of(
        organization=organization, actor=actor, action=action, target=target, changes=changes
    )
    event.save()
    return event


def event_of(
    *,
    organization: "Organization",
    actor: EventActor,
    action: AuditAction,
    target: Model | None = None,
    changes: dict[str, Any] | None = None,
) -> AuditEvent:
    """An event for ``record_many``."""
    return AuditEvent(
        organization=organization,
        actor_kind=actor.kind,
        actor_label=actor.label[:200],
        actor_id=actor.identifier,
        action=AuditAction(action),
        target_type=target._meta.model_name or "" if target else "",
        target_id=str(target.pk) if target else "",
        target_label=str(target)[:200] if target else "",
        changes=changes or {},
        ip=actor.ip or None,
    )


def record_many(events: Iterable[AuditEvent]) -> None:
    """Write events of ``event_of`` together, in the caller's transaction."""
    AuditEvent.all_organizations.bulk_create(list(events), batch_size=2_000)


def difference(
    before: dict[str, Any], after: dict[str, Any], *, secret: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The changed keys as ``{key: [before, after]}``; values of ``secret`` keys are masked."""
    changed: dict[str, Any] = {}
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        changed[key] = [MASK, MASK] if key in secret else [old, new]
    return changed
