"""Operators' view of the graph, schedules and runs; what changes something goes through the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.errors import DatanikaError
from orchestration import admin_operators, admin_problems, services
from orchestration.admin_base import ReadOnlyAdmin, ReadOnlyInline, operator
from orchestration.models import (
    Dependency,
    Node,
    Run,
    RunLogLine,
    RunStep,
    RunStepAttempt,
    RunStepResult,
    Schedule,
)

__all__ = ["admin_operators", "admin_problems"]


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ("key", "organization", "is_alive")
    list_filter = ("organization",)
    list_select_related = ("organization", "pipeline", "transformation")
    search_fields = ("pipeline__slug", "transformation__name")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Dependency)
class DependencyAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = (
        "organization",
        "upstream__pipeline",
        "upstream__transformation",
        "downstream__pipeline",
        "downstream__transformation",
    )
    search_fields = ("upstream__pipeline__slug", "downstream__transformation__name")


@admin.register(Schedule)
class ScheduleAdmin(admin.ModelAdmin[Schedule]):
    list_display = (
        "name",
        "organization",
        "cron",
        "time_zone",
        "is_active",
        "next_run_at",
        "last_run_at",
        "note",
        "deleted_at",
    )
    list_filter = ("is_active", "missed", "overlap", "organization")
    list_select_related = ("organization", "crontab")
    search_fields = ("name", "slug", "select")
    raw_id_fields = ("node", "organization", "crontab")
    # Times are derived from the expression, which the pages change together with them.
    readonly_fields = (
        "organization",
        "slug",
        "node",
        "crontab",
        "is_active",
        "starts_at",
        "ends_at",
        "next_run_at",
        "last_run_at",
        "note",
        "created_at",
        "deleted_at",
    )
    actions = ("pause", "resume")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._set_active(request, queryset, active=False)

    @admin.action(description="Resume")
    def resume(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._set_active(request, queryset, active=True)

    def _set_active(
        self, request: HttpRequest, queryset: QuerySet[Schedule], *, active: bool
    ) -> None:
        rows = queryset.filter(deleted_at__isnull=True, is_active=not active)
        for schedule in rows.select_related("organization", "crontab"):
            services.set_schedule_active(schedule=schedule, actor=operator(request), active=active)
            word = "active" if active else "paused"
            self.message_user(request, f"{schedule} of {schedule.organization} is {word}.")


class RunStepInline(ReadOnlyInline):
    model = RunStep
    show_change_link = True
    fields = (
        "position",
        "name",
        "queue",
        "status",
        "attempt",
        "times_lost",
        "worker",
        "waiting_for",
        "lease_expires_at",
        "error",
    )
    readonly_fields = fields


class AttemptInline(ReadOnlyInline):
    model = RunStepAttempt
    fields = ("number", "worker", "status", "started_at", "finished_at", "error_code", "error")
    readonly_fields = fields


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "__str__",
        "organization",
        "title",
        "status",
        "trigger",
        "requested_by",
        "requested_at",
        "took",
        "rows_loaded",
    )
    list_filter = ("status", "trigger", "organization")
    list_select_related = ("organization",)
    search_fields = ("=number", "title", "target", "requested_by", "error")
    raw_id_fields = ("node", "schedule", "retry_of", "after", "backfill")
    inlines = (RunStepInline,)
    actions = ("cancel", "requeue")

    @admin.action(description="Cancel")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset.select_related("organization"):
            try:
                services.cancel_run(run=run, actor=operator(request))
            except DatanikaError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                self.message_user(request, f"{run} of {run.organization} is being cancelled.")

    @admin.action(description="Run again (a new run with today's configuration)")
    def requeue(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset.select_related("organization"):
            try:
                again = services.retry_run(run=run, actor=operator(request))
            except DatanikaError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                self.message_user(request, f"{again} of {run.organization} is queued.")


@admin.register(RunStep)
class RunStepAdmin(ReadOnlyAdmin):
    list_display = (
        "__str__",
        "organization",
        "kind",
        "queue",
        "status",
        "is_ready",
        "attempt",
        "times_lost",
        "worker",
        "lease_expires_at",
        "waiting_for",
    )
    list_filter = ("status", "is_ready", "kind", "organization")
    list_select_related = ("organization", "run")
    search_fields = ("name", "worker", "error_code", "=run__number")
    exclude = ("lease_token",)
    inlines = (AttemptInline,)


@admin.register(RunStepResult)
class RunStepResultAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "organization",
        "kind",
        "status",
        "rows_read",
        "rows_loaded",
        "rows_rejected",
        "finished_at",
    )
    list_filter = ("kind", "status", "organization")
    list_select_related = ("organization",)
    search_fields = ("name", "target", "message")


@admin.register(RunLogLine)
class RunLogLineAdmin(ReadOnlyAdmin):
    """Searched by the number of the run; the text of a log is searched on the page of its run."""

    list_display = ("run", "number", "at", "level", "scope", "text")
    list_select_related = ("run",)
    search_fields = ("=run__number",)
    search_help_text = "Number of the run."
