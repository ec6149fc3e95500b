"""Advances backfills: one slice after the other becomes a run, whoever asks and however often."""

import logging
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from common.access import Role
from common.errors import UserError
from orchestration.models import (
    Backfill,
    BackfillSlice,
    BackfillStatus,
    Run,
    Status,
    Trigger,
)
from orchestration.requests import create_run
from pipelines.runner import LoadOptions
from tenants.actors import Actor

logger = logging.getLogger("datanika.runs")

#: So many slices failing one after the other have one cause; the rest waits until somebody has looked.
MOST_FAILURES_IN_A_ROW = 5


def slice_of(run: Run) -> BackfillSlice | None:
    """The slice whose run this is, or whose run this one repeats."""
    if run.backfill_id is None and run.retry_of_id is None:
        return None
    rows = BackfillSlice.all_organizations.filter(organization_id=run.organization_id)
    wanted = Q(run_id=run.pk)
    if run.retry_of_id is not None:
        wanted |= Q(run_id=run.retry_of_id)
    return rows.filter(wanted).first()


def keep_end(run: Run) -> int | None:
    """Write to the run's slice how it ended; the id of the backfill to advance, or None.

    Called within the transaction that ends the run, which must not wait for the backfill's row: whoever holds that
    may be waiting for the run.
    """
    found = slice_of(run)
    if found is None:
        return None
    if found.run_id == run.pk:
        values: dict[str, Any] = {}
    elif found.status == Status.SUCCEEDED:
        return None  # A repetition for its own sake.
    else:
        values = {"run": run, "attempts": found.attempts + 1}
    # Of a slice that is to run again meanwhile, this is the past.
    mine = BackfillSlice.all_organizations.filter(pk=found.pk, run_id=found.run_id)
    written = mine.update(
        **values, status=run.status, rows_loaded=run.rows_loaded, ended_at=run.finished_at
    )
    return found.backfill_id if written else None


def advance_backfill(backfill_id: int) -> list[int]:
    """Start the next slice, or end the backfill; the ids of steps that can start now.

    Twice at the same time it starts one: everybody takes turns on the backfill's row.
    """
    with transaction.atomic():
        rows = Backfill.all_organizations.select_for_update(of=("self",))
        backfill = rows.select_related("organization", "pipeline").get(pk=backfill_id)
        slices = BackfillSlice.all_organizations.filter(backfill=backfill)
        if backfill.status == BackfillStatus.FAILED:
            _mend(backfill)
        if backfill.status != BackfillStatus.RUNNING:
            return []
        # The run of a slice was deleted before its end was known.
        slices.filter(status=Status.RUNNING, run=None).update(status=Status.QUEUED)
        if slices.filter(status=Status.RUNNING).exists():
            return []
        following = slices.filter(status=Status.QUEUED).order_by("position").first()
        if following is None:
            _end(backfill)
            return []
        if problem := _failing(backfill):
            pause(backfill, problem)
            return []
        return _start(backfill, following)


def repair() -> None:
    """Go on with what a lost process left: an end that nobody followed, a start that nobody made."""
    rows = Backfill.all_organizations.filter(status=BackfillStatus.RUNNING)
    waiting = BackfillSlice.all_organizations.filter(backfill__status=BackfillStatus.RUNNING)
    busy = waiting.filter(status=Status.RUNNING, run__isnull=False).values("backfill")
    for backfill_id in rows.exclude(pk__in=busy).order_by("pk").values_list("pk", flat=True):
        advance_backfill(backfill_id)


def pause(backfill: Backfill, problem: str = "") -> None:
    backfill.status, backfill.problem = BackfillStatus.PAUSED, problem
    backfill.save(update_fields=["status", "problem"])


def _start(backfill: Backfill, following: BackfillSlice) -> list[int]:
    try:
        with transaction.atomic():
            run, ready = create_run(
                organization=backfill.organization,
                actor=_actor(backfill),
                target=f"pipeline:{backfill.pipeline.slug}",
                trigger=Trigger.BACKFILL,
                options=options_of(backfill, following.range_from, following.range_to),
            )
    except UserError as error:
        pause(backfill, f"Slice {following.position} could not be started: {error}")
        return []
    run.backfill = backfill
    run.save(update_fields=["backfill"])
    following.run, following.status = run, Status.RUNNING
    following.attempts += 1
    following.rows_loaded = following.ended_at = None
    following.save(update_fields=["run", "status", "attempts", "rows_loaded", "ended_at"])
    return ready


def options_of(backfill: Backfill, begin: str, end: str) -> LoadOptions:
    """What the run of one slice is asked for."""
    return LoadOptions(tables=(backfill.resource,), cursor_from=begin, cursor_to=end)


def _actor(backfill: Backfill) -> Actor:
    return Actor("backfill", backfill.requested_by, Role.EDITOR, str(backfill.pk))


def _failing(backfill: Backfill) -> str:
    """Why it had better not go on; empty when it may."""
    ended = BackfillSlice.all_organizations.filter(
        backfill=backfill, ended_at__gt=backfill.resumed_at
    )
    last = list(ended.order_by("-ended_at", "-position")[:MOST_FAILURES_IN_A_ROW])
    if len(last) < MOST_FAILURES_IN_A_ROW or any(one.status != Status.FAILED for one in last):
        return ""
    logger.warning("%s paused: %d slices failed in a row", backfill, len(last))
    return (
        f"{MOST_FAILURES_IN_A_ROW} slices failed one after the other, the last one is slice {last[0].position}."
        " Look at its run, put right what is wrong, then resume."
    )


def _end(backfill: Backfill) -> None:
    good = _has_succeeded(backfill)
    backfill.status = BackfillStatus.SUCCEEDED if good else BackfillStatus.FAILED
    backfill.finished_at, backfill.problem = timezone.now(), ""
    backfill.save(update_fields=["status", "finished_at", "problem"])


def _mend(backfill: Backfill) -> None:
    """Its last failed run was repeated by hand, and that one succeeded."""
    if _has_succeeded(backfill):
        _end(backfill)


def _has_succeeded(backfill: Backfill) -> bool:
    rows = BackfillSlice.all_organizations.filter(backfill=backfill)
    return not rows.exclude(status=Status.SUCCEEDED).exists()
