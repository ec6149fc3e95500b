"""What happens to runs and schedules when an organization rests, or what they start goes into the trash.

Receivers of the signals of the apps below; ``OrchestrationConfig.ready`` connects them.
"""

from orchestration.engine import log
from orchestration.engine.cancelling import cancel
from orchestration.models import IS_ACTIVE, BackfillSlice, Node, Run, Status
from orchestration.services.schedules import pause_schedules_of, reckon_again
from orchestration.tasks import ring_on_commit
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Organization
from transforms.models import Transformation


def lay_to_rest(*, organization: Organization, actor: Actor, **_: object) -> None:
    """No schedule is due any more, and what runs or waits is cancelled. The caller holds the organization's row."""
    reckon_again(organization)
    runs = Run.all_organizations.filter(IS_ACTIVE, organization=organization)
    # A slice lets go of its run, so that its backfill takes it again when it goes on.
    BackfillSlice.all_organizations.filter(run__in=runs).update(run=None, status=Status.QUEUED)
    reason = organization.suspended_reason
    why = f"The organization is suspended: {reason}" if reason else "The organization is deleted."
    # The newest first: no run that waits for another begins only to be cancelled.
    for run_id in list(runs.order_by("-number").values_list("pk", flat=True)):
        run = Run.all_organizations.select_for_update().get(pk=run_id)
        if run.is_active and run.cancel_requested_at is None:
            log.note(run, "warn", why)
            ring_on_commit(cancel(run, actor))


def wake(*, organization: Organization, **_: object) -> None:
    """Schedules go on with their next time; what passed meanwhile is not made up for."""
    reckon_again(organization)


def pipeline_has_gone(*, pipeline: Pipeline, actor: Actor, **_: object) -> None:
    _pause(Node.all_organizations.filter(pipeline=pipeline).first(), actor)


def transformation_has_gone(*, transformation: Transformation, actor: Actor, **_: object) -> None:
    _pause(Node.all_organizations.filter(transformation=transformation).first(), actor)


def _pause(node: Node | None, actor: Actor) -> None:
    if node is not None:
        kind = "pipeline" if node.pipeline_id else "transformation"
        reason = f"Paused: its {kind} “{node.title}” was deleted."
        pause_schedules_of(node, actor, reason)
