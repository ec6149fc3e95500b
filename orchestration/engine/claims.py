"""Who may execute a step now: one conditional update decides, and says what is waited for."""

import os
import socket
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from connections.models import Connection
from orchestration.models import FINAL_STATUSES, Run, RunStep, Status
from tenants.models import Organization


def worker_name() -> str:
    """``host:pid``: a worker that is gone can be told from one that is slow."""
    return f"{socket.gethostname()}:{os.getpid()}"


def lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)


@transaction.atomic
def claim(step_id: int) -> RunStep | None:
    """Make the step this worker's, or walk away with None.

    Claims of one organization take turns on its row, so that two of them cannot both take the last slot.
    """
    step: RunStep | None = RunStep.all_organizations.filter(pk=step_id).first()
    if step is None or step.status != Status.QUEUED:
        return None
    organization = Organization.objects.select_for_update().get(pk=step.organization_id)
    step = RunStep.all_organizations.select_related("run", "pipeline", "connection").get(pk=step_id)
    if not is_ready(step):
        return None
    if reason := _waiting_for(organization, step):
        RunStep.all_organizations.filter(pk=step.pk).update(waiting_for=reason)
        return None
    now = timezone.now()
    taken = RunStep.all_organizations.filter(pk=step.pk, status=Status.QUEUED).update(
        status=Status.RUNNING,
        lease_token=uuid.uuid4(),
        lease_expires_at=lease_end(),
        worker=worker_name(),
        waiting_for="",
        started_at=step.started_at or now,
        not_before=None,
        error="",
        error_code="",
        error_remedy="",
        error_detail="",
    )
    if not taken:
        return None
    Run.all_organizations.filter(pk=step.run_id, status=Status.QUEUED).update(
        status=Status.RUNNING, started_at=now
    )
    step.refresh_from_db()
    step.run.refresh_from_db()
    return step


def is_ready(step: RunStep) -> bool:
    """Queued, its time has come, its run is not being cancelled, and every upstream step has ended."""
    if step.status != Status.QUEUED or step.run.cancel_requested_at is not None:
        return False
    if step.not_before and step.not_before > timezone.now():
        return False
    siblings = RunStep.all_organizations.filter(run_id=step.run_id, position__in=step.upstream)
    return not siblings.exclude(status__in=FINAL_STATUSES).exists()


def renew(step: RunStep) -> bool:
    """Prolong the lease; False when it is another's by now, and then nothing more may be written."""
    mine = RunStep.all_organizations.filter(pk=step.pk, lease_token=step.lease_token)
    return bool(mine.update(lease_expires_at=lease_end()))


def _waiting_for(organization: Organization, step: RunStep) -> str:
    """What stands in the way, in words; empty when nothing does."""
    running = list(
        RunStep.all_organizations.filter(organization=organization, status=Status.RUNNING)
        .select_related("run")
        .exclude(pk=step.pk)
    )
    if len(running) >= organization.max_concurrent_runs:
        return (
            f"one of the {organization.max_concurrent_runs} places of this organization"
            f" ({_named(running)})"
        )
    same = [r for r in running if step.pipeline_id and r.pipeline_id == step.pipeline_id]
    if same:
        return f"run #{same[0].run.number}, which loads the same pipeline"
    if step.connection_id:
        same = [r for r in running if r.connection_id == step.connection_id]
        if same:
            return f"run #{same[0].run.number}, which builds in the same warehouse"
    for connection in Connection.all_organizations.filter(pk__in=step.connection_ids):
        slots = connection.slots
        users = [r for r in running if connection.pk in r.connection_ids]
        if slots is not None and len(users) >= slots:
            return f"“{connection.name}”, in use by {_named(users)}"
    return ""


def _named(steps: Iterable[RunStep]) -> str:
    return ", ".join(sorted({f"run #{step.run.number}" for step in steps}))


def waiting_steps(organization_id: int | None = None, *, most: int = 500) -> list[int]:
    """Ids of queued steps that could be claimed now, the oldest first."""
    rows = RunStep.all_organizations.filter(status=Status.QUEUED).select_related("run")
    rows = rows.filter(Q(not_before__isnull=True) | Q(not_before__lte=timezone.now()))
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    return [step.pk for step in rows.order_by(F("queued_at"))[:most] if is_ready(step)]
