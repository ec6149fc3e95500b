"""Loading a range again in slices: starting, pausing, resuming, cancelling, and repeating what failed."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.errors import Conflict
from orchestration.engine.backfills import advance_backfill, keep_end, pause
from orchestration.errors import PipelinePaused
from orchestration.models import (
    ACTIVE_STATUSES,
    Backfill,
    BackfillSlice,
    BackfillStatus,
    Run,
    Status,
)
from orchestration.services.runs import cancel_run
from orchestration.slices import InvalidBackfill, Slice, cut, parse_size
from orchestration.tasks import ring
from pipelines.models import Pipeline
from pipelines.runner import LoadOptions, check_options, estimate
from pipelines.selectors import check_bounds, ranged_resources
from tenants.actors import Actor
from tenants.models import Organization

#: Slices that are run again by a retry.
_REPEATED = (Status.FAILED, Status.CANCELLED)


class BackfillConflict(Conflict):
    """The backfill is not in a state for this."""

    code = "backfill_conflict"


@dataclass(frozen=True)
class Plan:
    """What a backfill would do; nothing is written."""

    pipeline: Pipeline
    resource: str
    cursor_from: str
    cursor_to: str
    slice_size: str
    slices: list[Slice]

    @property
    def options(self) -> LoadOptions:
        """The whole range as one run would be asked for it."""
        return LoadOptions(
            tables=(self.resource,), cursor_from=self.cursor_from, cursor_to=self.cursor_to
        )


@dataclass(frozen=True)
class Estimate:
    """Rows of the whole range; None where they could not be counted."""

    source_rows: int | None
    target_rows: int | None


def plan_backfill(
    *, pipeline: Pipeline, resource: str, cursor_from: str, cursor_to: str, slice_size: str
) -> Plan:
    """Cut and check, nothing started. ``InvalidBackfill`` and its kin name the field, the cause and the remedy."""
    size = parse_size(slice_size)
    plan = Plan(
        pipeline,
        resource.strip(),
        cursor_from.strip(),
        cursor_to.strip(),
        str(size),
        cut(cursor_from.strip(), cursor_to.strip(), size),
    )
    _check_resource(plan)
    check_options(pipeline, plan.options)
    bounds = {"cursor_from": plan.cursor_from, "cursor_to": plan.cursor_to}
    check_bounds(pipeline, plan.resource, bounds)
    if len(plan.slices) > 1:
        # Hours of a cursor that knows only days.
        check_bounds(pipeline, plan.resource, {"slice_size": plan.slices[0].end})
    return plan


def _check_resource(plan: Plan) -> None:
    names = [one.name for one in ranged_resources(plan.pipeline)]
    if plan.resource in names:
        return
    raise InvalidBackfill(
        f"{plan.resource!r} has no ranges in this pipeline."
        if plan.resource
        else "A backfill loads one table.",
        field="resource",
        remedy=f"It has: {', '.join(names)[:300]}."
        if names
        else "Give a table a cursor that is not replaced and does not keep versions.",
    )


def estimate_backfill(plan: Plan) -> Estimate:
    """Asks both ends, for half a minute at most. Raises ``UserError`` when one of them is silent."""
    found = estimate(plan.pipeline, plan.options)
    mine = next((one for one in found if one["name"] == plan.resource), {})
    return Estimate(mine.get("range_rows"), mine.get("range_target_rows"))


@transaction.atomic
def request_backfill(
    *,
    organization: Organization,
    actor: Actor,
    pipeline: Pipeline,
    resource: str,
    cursor_from: str,
    cursor_to: str,
    slice_size: str,
    estimated_rows: int | None = None,
) -> Backfill:
    """Load the half-open range of the resource's cursor again, in slices that run one after the other.

    Each slice is a run that deletes its rows and loads them again; the cursor stays where it is.
    """
    actor.require(Permission.RUN, on=pipeline)
    if pipeline.is_paused:
        raise PipelinePaused(field="pipeline", remedy="Resume it, then start the backfill.")
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    plan = plan_backfill(
        pipeline=pipeline,
        resource=resource,
        cursor_from=cursor_from,
        cursor_to=cursor_to,
        slice_size=slice_size,
    )
    rows = Backfill.objects.for_organization(organization)
    _refuse_second(pipeline, plan.resource, besides=None)
    backfill: Backfill = Backfill.all_organizations.create(
        organization=organization,
        number=(rows.aggregate(last=Max("number"))["last"] or 0) + 1,
        pipeline=pipeline,
        resource=plan.resource,
        range_from=plan.cursor_from,
        range_to=plan.cursor_to,
        slice_size=plan.slice_size,
        estimated_rows=estimated_rows,
        requested_by=actor.label,
    )
    BackfillSlice.all_organizations.bulk_create(
        BackfillSlice(
            organization=organization,
            backfill=backfill,
            position=position,
            range_from=one.begin,
            range_to=one.end,
        )
        for position, one in enumerate(plan.slices, start=1)
    )
    _record(backfill, actor, AuditAction.BACKFILL_REQUESTED, _words_of(plan))
    advance_on_commit(backfill.pk)
    return backfill


@transaction.atomic
def pause_backfill(*, backfill: Backfill, actor: Actor) -> Backfill:
    """What runs goes on to its end; no further slice starts. A slice that only waits for a place is taken back."""
    actor.require(Permission.RUN, on=backfill.pipeline)
    backfill = _locked(backfill)
    if backfill.status != BackfillStatus.RUNNING:
        raise BackfillConflict(f"{backfill} is not running.", remedy="There is nothing to pause.")
    pause(backfill)
    for run in _active_runs(backfill).filter(status=Status.QUEUED):
        # The slice first lets go of its run, so that the run's end is nobody's.
        _slices(backfill).filter(run=run).update(run=None, status=Status.QUEUED)
        cancel_run(run=run, actor=actor)
    _record(backfill, actor, AuditAction.BACKFILL_PAUSED)
    return backfill


@transaction.atomic
def resume_backfill(*, backfill: Backfill, actor: Actor) -> Backfill:
    """Goes on with the next slice that has not run."""
    actor.require(Permission.RUN, on=backfill.pipeline)
    backfill = _locked(backfill)
    if backfill.status != BackfillStatus.PAUSED:
        raise BackfillConflict(
            f"{backfill} is not paused.", remedy="Only a paused backfill can be resumed."
        )
    _go_on(backfill)
    _record(backfill, actor, AuditAction.BACKFILL_RESUMED)
    return backfill


@transaction.atomic
def cancel_backfill(*, backfill: Backfill, actor: Actor) -> Backfill:
    """No further slice starts, and the run of the slice that runs is cancelled. What is loaded stays."""
    actor.require(Permission.RUN, on=backfill.pipeline)
    backfill = _locked(backfill)
    if not backfill.is_open:
        raise BackfillConflict(f"{backfill} has ended already.")
    backfill.status, backfill.finished_at = BackfillStatus.CANCELLED, timezone.now()
    backfill.problem = ""
    backfill.save(update_fields=["status", "finished_at", "problem"])
    for run in _active_runs(backfill):
        cancel_run(run=run, actor=actor)
    _slices(backfill).filter(status=Status.QUEUED).update(status=Status.CANCELLED)
    _record(backfill, actor, AuditAction.BACKFILL_CANCELLED)
    return backfill


@transaction.atomic
def retry_backfill(*, backfill: Backfill, actor: Actor) -> Backfill:
    """Again only the slices that failed or were cancelled; those that succeeded stay as they are."""
    actor.require(Permission.RUN, on=backfill.pipeline)
    backfill = _locked(backfill)
    _refuse_second(backfill.pipeline, backfill.resource, besides=backfill)
    wanted = _slices(backfill).filter(status__in=_REPEATED)
    positions = list(wanted.order_by("position").values_list("position", flat=True))
    if not positions:
        raise BackfillConflict(
            f"No slice of {backfill} failed.", remedy="Start another backfill to load them again."
        )
    wanted.update(status=Status.QUEUED, run=None, rows_loaded=None, ended_at=None)
    _go_on(backfill)
    words = {"slices": [None, f"{len(positions)}, from slice {positions[0]} on"]}
    _record(backfill, actor, AuditAction.BACKFILL_RETRIED, words)
    return backfill


def advance_on_commit(backfill_id: int) -> None:
    """A slice starts in a transaction of its own: the end of a run must not wait for the start of another.

    What goes wrong there is logged and no concern of who committed; the sweep goes on.
    """
    transaction.on_commit(lambda: ring(advance_backfill(backfill_id)), robust=True)


def run_has_ended(*, run: Run, **_: object) -> None:
    """Receiver of ``run_ended``."""
    backfill_id = keep_end(run)
    if backfill_id is not None:
        advance_on_commit(backfill_id)


def _go_on(backfill: Backfill) -> None:
    backfill.status, backfill.problem = BackfillStatus.RUNNING, ""
    backfill.resumed_at, backfill.finished_at = timezone.now(), None
    backfill.save(update_fields=["status", "problem", "resumed_at", "finished_at"])
    advance_on_commit(backfill.pk)


def _locked(backfill: Backfill) -> Backfill:
    rows = Backfill.objects.for_organization(backfill.organization)
    rows = rows.select_related("organization", "pipeline").select_for_update(of=("self",))
    return rows.get(pk=backfill.pk)


def _slices(backfill: Backfill) -> QuerySet[BackfillSlice]:
    return BackfillSlice.objects.for_organization(backfill.organization).filter(backfill=backfill)


def _active_runs(backfill: Backfill) -> QuerySet[Run]:
    """Locked: before their slices, in the order in which the end of a run takes them."""
    running = _slices(backfill).filter(status=Status.RUNNING, run__isnull=False)
    rows = Run.objects.for_organization(backfill.organization).filter(pk__in=running.values("run"))
    rows = rows.filter(status__in=ACTIVE_STATUSES).select_related("organization")
    return rows.select_for_update(of=("self",)).order_by("pk")


def _refuse_second(pipeline: Pipeline, resource: str, *, besides: Backfill | None) -> None:
    """Two of them over one table would take rows from under each other."""
    rows = Backfill.objects.for_organization(pipeline.organization).filter(
        pipeline=pipeline,
        resource=resource,
        status__in=[BackfillStatus.RUNNING, BackfillStatus.PAUSED],
    )
    other = rows.exclude(pk=besides.pk).first() if besides else rows.first()
    if other is not None:
        raise BackfillConflict(
            f"{other} of {resource} has not ended yet.",
            field="resource",
            remedy="Wait for it, or cancel it first.",
        )


def _words_of(plan: Plan) -> dict[str, list[str | None]]:
    return {
        "pipeline": [None, plan.pipeline.slug],
        "resource": [None, plan.resource],
        "range": [None, f"{plan.cursor_from} up to {plan.cursor_to}"],
        "slices": [None, f"{len(plan.slices)} of {plan.slice_size}"],
    }


def _record(
    backfill: Backfill,
    actor: Actor,
    action: AuditAction,
    changes: dict[str, list[str | None]] | None = None,
) -> None:
    audit.record(
        organization=backfill.organization,
        actor=actor,
        action=action,
        target=backfill,
        changes=changes or {},
    )
