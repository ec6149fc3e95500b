"""What goes on now, and what waits for what."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Subquery

from orchestration.models import IS_ACTIVE, Run, RunStep, Status
from tenants.models import Organization

SHOWN_RUNNING = SHOWN_QUEUED = 5


@dataclass(frozen=True)
class Activity:
    """What goes on now: runs that run, runs that wait with what they wait for, and how many there are."""

    running: list[Run]
    running_count: int
    queued: list[Run]
    queued_count: int


def activity(organization: Organization) -> Activity:
    rows = Run.objects.for_organization(organization).filter(IS_ACTIVE).order_by()
    counted = dict(rows.values_list("status").annotate(Count("pk")))
    # By one status each, and not of the few that are active: their index has the order, and nothing is looked through.
    slim = Run.objects.for_organization(organization).defer("capsule", "error")
    running = slim.filter(status=Status.RUNNING).order_by("-number")[:SHOWN_RUNNING]
    waiting = RunStep.all_organizations.filter(run=OuterRef("pk"), status=Status.QUEUED)
    reasons = waiting.exclude(waiting_for="").order_by("position").values("waiting_for")
    queued = slim.filter(status=Status.QUEUED).annotate(waits=Subquery(reasons[:1]))
    return Activity(
        running=list(running),
        running_count=counted.get(Status.RUNNING, 0),
        queued=list(queued.order_by("number")[:SHOWN_QUEUED]),
        queued_count=counted.get(Status.QUEUED, 0),
    )


def tell_waits(organization: Organization, runs: Iterable[Run]) -> None:
    """Gives each run what its first waiting step waits for, as ``waits``."""
    found = list(runs)
    steps = RunStep.objects.for_organization(organization).filter(
        run__in=[run.pk for run in found], status=Status.QUEUED
    )
    told = steps.exclude(waiting_for="").order_by("-position")
    reasons = dict(told.values_list("run_id", "waiting_for"))
    for run in found:
        run.waits = reasons.get(run.pk, "")  # type: ignore[attr-defined]
