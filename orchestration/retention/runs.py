"""Old runs, what hangs on them, and what they keep of how they were run."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from orchestration import upkeep
from orchestration.models import (
    ACTIVE_STATUSES,
    FINAL_STATUSES,
    IS_ACTIVE,
    Backfill,
    BackfillSlice,
    Node,
    Run,
    RunLogLine,
    RunStepResult,
    Status,
)
from orchestration.retention.pruners import (
    Pace,
    Pruner,
    counted,
    cutoff,
    first_kept,
    keys_between,
    rows_by_age,
)
from tenants.models import PlatformSettings
from tenants.selectors import platform_settings

#: A run is as much work as so many plain rows.
ROWS_PER_RUN = 10
#: Runs that a short count of capsules looks at, for each it may count.
LOOKED_AT = 10


def active_runs() -> QuerySet[Any]:
    return Run.all_organizations.filter(IS_ACTIVE).values("pk")


def ended_before(before: datetime) -> QuerySet[Any]:
    """Runs that ended before it, without those that something still looks back at.

    That is the last success of each node and of each target (what has changed since is told from it), what an active
    run comes after, and runs of a backfill that is not over.
    """
    same = {"organization": OuterRef("organization")}
    newer_success = Run.all_organizations.filter(
        **same,
        target=OuterRef("target"),
        select="",
        status=Status.SUCCEEDED,
        number__gt=OuterRef("number"),
    )
    made_a_node_good = Node.all_organizations.filter(
        **same,
        succeeded_at__gte=OuterRef("started_at"),
        succeeded_at__lte=OuterRef("finished_at"),
    )
    awaited = Run.all_organizations.filter(after=OuterRef("pk"), status__in=ACTIVE_STATUSES)
    rows = Run.all_organizations.filter(status__in=FINAL_STATUSES, requested_at__lt=before)
    return rows.filter(
        Q(finished_at__isnull=True) | Q(finished_at__lt=before),
        # Selections are too many to keep the last of each; their nodes keep what matters.
        ~Q(status=Status.SUCCEEDED) | ~Q(select="") | Exists(newer_success),
        Q(backfill__isnull=True) | Q(backfill__finished_at__isnull=False),
        ~Exists(made_a_node_good),
        ~Exists(awaited),
    )


# --- runs ----------------------------------------------------------------------------------------


def _run_batches(now: datetime, pace: Pace) -> Iterator[int]:
    before = cutoff(now, platform_settings().run_retention_days)
    if before is None:
        return
    end = first_kept(Run.all_organizations.all(), "requested_at", before)
    cursor = -1
    while keys := _next_runs(cursor, end, pace):
        cursor = keys[-1]
        doomed = list(ended_before(before).filter(pk__in=keys).values_list("pk", flat=True))
        yield from _lines_of(doomed, pace)
        yield _delete(doomed, before)


def _next_runs(cursor: int, end: int, pace: Pace) -> list[int]:
    most = max(5, pace.size // ROWS_PER_RUN)
    return keys_between(Run.all_organizations.all(), cursor, end, most)


def _lines_of(run_ids: list[int], pace: Pace) -> Iterator[int]:
    """The log first, in batches of its own: one run may have a hundred thousand lines."""
    lines = RunLogLine.all_organizations.filter(run_id__in=run_ids).order_by()
    while run_ids and (keys := list(lines.values_list("pk", flat=True)[: pace.size])):
        with transaction.atomic():
            RunLogLine.all_organizations.filter(pk__in=keys).delete()
        yield 0


@transaction.atomic
def _delete(run_ids: list[int], before: datetime) -> int:
    """What somebody else holds at this moment is left for the next time."""
    rows = Run.all_organizations.filter(pk__in=run_ids)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    mine = list(rows.values_list("pk", flat=True))
    mine = list(ended_before(before).filter(pk__in=mine).values_list("pk", flat=True))
    RunStepResult.all_organizations.filter(step__run_id__in=mine).delete()
    Run.all_organizations.filter(pk__in=mine).delete()
    return len(mine)


def _count_runs(now: datetime, most: int | None) -> int:
    before = cutoff(now, platform_settings().run_retention_days)
    if before is None:
        return 0
    end = first_kept(Run.all_organizations.all(), "requested_at", before)
    return counted(ended_before(before).filter(pk__lt=end), most)


# --- capsules ------------------------------------------------------------------------------------


def _capsule_batches(now: datetime, pace: Pace) -> Iterator[int]:
    before = cutoff(now, platform_settings().capsule_retention_days)
    if before is None:
        return
    end = first_kept(Run.all_organizations.all(), "requested_at", before)
    cursor = _emptied_up_to()
    while keys := _next_runs(cursor, end, pace):
        cursor = keys[-1]
        with transaction.atomic():
            taken = _full_capsules(before).filter(pk__in=keys).update(capsule=_left_behind())
            upkeep.note(upkeep.CAPSULES, details={"up_to": cursor})
        yield taken


def _emptied_up_to() -> int:
    """The last run that was looked at: those before it need not be read every hour again."""
    row = upkeep.last(upkeep.CAPSULES)
    return int(row.details.get("up_to", -1)) if row else -1


def _full_capsules(before: datetime) -> QuerySet[Any]:
    # Not by the row's own emptiness alone: the note of one that was emptied is a capsule too.
    return ended_before(before).exclude(capsule={}).filter(capsule__emptied_at__isnull=True)


def _left_behind() -> dict[str, str]:
    return {
        "emptied_at": timezone.now().isoformat(timespec="seconds"),
        "note": "What was run exactly is kept for a time that operators set; it is over for this run.",
    }


def _count_capsules(now: datetime, most: int | None) -> int:
    before = cutoff(now, platform_settings().capsule_retention_days)
    if before is None:
        return 0
    end = first_kept(Run.all_organizations.all(), "requested_at", before)
    start = _emptied_up_to()
    if most is not None:
        # Where most are empty already, the full ones would be looked for in all of them.
        near = keys_between(Run.all_organizations.all(), start, end, most * LOOKED_AT)
        end = near[-1] + 1 if near else end
    return counted(_full_capsules(before).filter(pk__gt=start, pk__lt=end), most)


# --- backfills -----------------------------------------------------------------------------------


def _old_backfills(now: datetime) -> QuerySet[Any]:
    before = cutoff(now, platform_settings().run_retention_days)
    rows = Backfill.all_organizations.order_by("pk")
    return rows.none() if before is None else rows.filter(finished_at__lt=before)


def _backfill_batches(now: datetime, pace: Pace) -> Iterator[int]:
    while ids := list(_old_backfills(now).values_list("pk", flat=True)[:20]):
        slices = BackfillSlice.all_organizations.filter(backfill_id__in=ids).order_by()
        while keys := list(slices.values_list("pk", flat=True)[: pace.size]):
            with transaction.atomic():
                BackfillSlice.all_organizations.filter(pk__in=keys).delete()
            yield 0
        with transaction.atomic():
            Backfill.all_organizations.filter(pk__in=ids).delete()
        yield len(ids)


def _log_days(platform: PlatformSettings) -> int | None:
    return platform.log_retention_days


LOG_LINES = rows_by_age(
    "log_lines",
    "Log lines",
    RunLogLine.all_organizations.all,
    "at",
    _log_days,
    narrow=lambda rows: rows.exclude(run_id__in=active_runs()),
)
RUNS = Pruner("runs", "Runs, with steps, results and attempts", _run_batches, _count_runs)
CAPSULES = Pruner("capsules", "Capsules, emptied", _capsule_batches, _count_capsules)
BACKFILLS = Pruner(
    "backfills",
    "Backfills, with their slices",
    _backfill_batches,
    lambda now, most: counted(_old_backfills(now), most),
)
