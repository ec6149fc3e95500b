"""The end of a run on somebody's word; who rings the bells is up to the caller."""

from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from orchestration.engine import log
from orchestration.engine.advance import advance
from orchestration.models import Run
from tenants.actors import Actor


def cancel(run: Run, actor: Actor) -> list[int]:
    """End what is queued now and what runs within seconds; the ids of steps that can start for it.

    The caller holds the run's row, in a transaction, and has seen that it is active. A second time changes nothing.
    """
    if run.cancel_requested_at is not None:
        return []
    run.cancel_requested_at, run.cancelled_by = timezone.now(), actor.label
    run.save(update_fields=["cancel_requested_at", "cancelled_by"])
    log.note(run, "warn", f"Cancelled by {actor.label}.")
    audit.record(
        organization=run.organization, actor=actor, action=AuditAction.RUN_CANCELLED, target=run
    )
    return advance(run.pk)
