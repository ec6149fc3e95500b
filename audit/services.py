"""The one way an event gets into the audit log."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import Model

from audit.actions import AuditAction
from audit.models import AuditEvent
from common import bulk

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
    entry = Entry(
        actor,
        target_id=str(target.pk) if target else "",
        target_label=str(target) if target else "",
        changes=changes or {},
    )
    event = AuditEvent(
        organization=organization,
        action=AuditAction(action),
        target_type=target._meta.model_name or "" if target else "",
        **entry.values(),
    )
    event.save()
    return event


@dataclass(frozen=True)
class Entry:
    """One of many events, for ``record_many``."""

    actor: EventActor
    target_id: str
    target_label: str
    changes: dict[str, Any]

    def values(self) -> dict[str, Any]:
        actor = self.actor
        return {
            "actor_kind": actor.kind,
            "actor_label": actor.label[:200],
            "actor_id": actor.identifier,
            "target_id": self.target_id,
            "target_label": self.target_label[:200],
            "changes": self.changes,
            "ip": actor.ip or None,
        }


def record_many(
    *,
    organization: "Organization",
    action: AuditAction,
    target_type: type[Model],
    entries: Iterable[Entry],
) -> None:
    """Write one event for each entry, in the caller's transaction."""
    bulk.insert(
        AuditEvent,
        [entry.values() for entry in entries],
        organization_id=organization.pk,
        action=AuditAction(action),
        target_type=target_type._meta.model_name,
    )


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
