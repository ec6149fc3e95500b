"""Every change to runs, dependencies and schedules."""

from orchestration.services.backfills import (
    BackfillConflict,
    cancel_backfill,
    estimate_backfill,
    pause_backfill,
    plan_backfill,
    request_backfill,
    resume_backfill,
    retry_backfill,
)
from orchestration.services.bulk import cancel_runs, retry_runs
from orchestration.services.graph import (
    add_dependency,
    remove_dependency,
    set_rule,
    update_dependency,
)
from orchestration.services.runs import cancel_run, request_run, retry_run
from orchestration.services.schedules import (
    create_schedule,
    delete_schedule,
    pause_all_schedules,
    restore_schedule,
    resume_all_schedules,
    set_schedule_active,
    update_schedule,
)
from orchestration.services.trash import (
    find_in_trash,
    in_trash,
    paused_schedules_of,
    purge_from_trash,
    restore_from_trash,
)

__all__ = [
    "BackfillConflict",
    "add_dependency",
    "cancel_backfill",
    "cancel_run",
    "cancel_runs",
    "create_schedule",
    "delete_schedule",
    "estimate_backfill",
    "find_in_trash",
    "in_trash",
    "pause_all_schedules",
    "pause_backfill",
    "paused_schedules_of",
    "plan_backfill",
    "purge_from_trash",
    "remove_dependency",
    "request_backfill",
    "request_run",
    "restore_from_trash",
    "restore_schedule",
    "resume_all_schedules",
    "resume_backfill",
    "retry_backfill",
    "retry_run",
    "retry_runs",
    "set_rule",
    "set_schedule_active",
    "update_dependency",
    "update_schedule",
]
