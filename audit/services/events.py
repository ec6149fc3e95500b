"""The one way an event gets into the audit log."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import Model
from django.utils import timezone

from audit.actions import AuditAction
from audit.digests import canonical_json, content_digest
from audit.models import AuditEvent
from common import bulk, scope

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
    organization: "Organization | None",
    actor: EventActor,
    action: AuditAction,
    target: Model | None = None,
    changes: dict[str, Any] | None = None,
    label: str = "",
) -> AuditEvent:
    """Write one event, in the caller's transaction, so that it stands or falls with the change.

    Without an organization it is an event of the whole installation, which operators read. ``label`` names
    what is no row.
    """
    entry = Entry(
        actor,
        target_id=str(target.pk) if target else "",
        target_label=str(target) if target else label,
        changes=changes or {},
    )
    event = AuditEvent(
        organization=organization,
        action=AuditAction(action),
        target_type=target._meta.model_name or "" if target else "",
        **entry.values(),
    )
    # The row of no organization is seen and taken everywhere only.
    with scope.everywhere() if organization is None else nullcontext():
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
    same = {
        "organization_id": organization.pk,
        "at": timezone.now(),
        "action": AuditAction(action),
        "target_type": target_type._meta.model_name or "",
    }
    written: dict[int, str] = {}
    rows = [entry.values() for entry in entries]
    for row in rows:
        changes = row["changes"]
        # Runs of one kind share their changes.
        if (text := written.get(id(changes))) is None:
            text = written[id(changes)] = canonical_json(changes)
        row["content_digest"] = content_digest(same | row, changes=text)
    bulk.insert(AuditEvent, rows, **same)


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
