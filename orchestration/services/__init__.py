"""Every change to runs, dependencies and schedules."""

from orchestration.services.graph import add_dependency, remove_dependency
from orchestration.services.runs import cancel_run, request_run, retry_run
from orchestration.services.schedules import (
    create_schedule,
    delete_schedule,
    restore_schedule,
    set_schedule_active,
    update_schedule,
)

__all__ = [
    "add_dependency",
    "cancel_run",
    "create_schedule",
    "delete_schedule",
    "remove_dependency",
    "request_run",
    "restore_schedule",
    "retry_run",
    "set_schedule_active",
    "update_schedule",
]
