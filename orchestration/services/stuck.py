"""A step that does not get on: an operator takes it from its worker and puts it back into the queue."""

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.errors import Conflict, PermissionDenied
from orchestration.engine import log
from orchestration.models import RunStep, RunStepAttempt, Status
from orchestration.tasks import ring_on_commit
from tenants.actors import Actor


@transaction.atomic
def requeue_step(*, step: RunStep, actor: Actor) -> RunStep:
    """Put a running step back, or end the wait of one that is to be tried again later.

    Its worker notices at the next renewal of its lease that the step is another's, and ends the child. The attempt
    that was taken away counts as lost; there is always one more.
    """
    if actor.kind != "operator":
        raise PermissionDenied("Steps are put back by operators of this installation.")
    rows = RunStep.all_organizations.select_related("run", "organization")
    step = rows.select_for_update(of=("self",)).get(pk=step.pk)
    _check(step)
    if step.status == Status.RUNNING:
        _take_away(step, actor)
    step.not_before, step.waiting_for = None, ""
    step.save(
        update_fields=[
            "status", "attempt", "max_attempts", "times_lost", "lease_token", "lease_expires_at",
            "not_before", "waiting_for",
        ]
    )  # fmt: skip
    log.note(step.run, "warn", f"Put back into the queue by {actor.label}.", step.name)
    audit.record(
        organization=step.organization,
        actor=actor,
        action=AuditAction.STEP_REQUEUED,
        target=step.run,
        changes={"step": [None, step.name], "attempt": [None, step.attempt]},
    )
    ring_on_commit([step.pk])
    return step


def _check(step: RunStep) -> None:
    what = f"Step “{step.name}” of run #{step.run.number}"
    if step.status not in (Status.RUNNING, Status.QUEUED):
        raise Conflict(f"{what} has ended.", remedy="Run the run again.")
    if step.run.cancel_requested_at is not None:
        raise Conflict(f"{what} is being cancelled.", remedy="Wait until it has ended.")
    if step.status == Status.QUEUED and not step.is_ready:
        raise Conflict(f"{what} waits for other steps.", remedy="Look at those.")
    if step.organization.is_at_rest:
        raise Conflict(f"{what}: its organization is suspended or deleted.")


def _take_away(step: RunStep, actor: Actor) -> None:
    attempts = RunStepAttempt.all_organizations.filter(step=step, number=step.attempt)
    attempts.update(
        status="lost",
        finished_at=timezone.now(),
        error=f"Taken from the worker {step.worker} by {actor.label}.",
        error_code="step_requeued",
    )
    step.status = Status.QUEUED
    step.attempt += 1
    step.times_lost += 1
    step.max_attempts = max(step.max_attempts, step.attempt)
    step.lease_token = step.lease_expires_at = None
