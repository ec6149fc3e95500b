"""Operators' view of the graph, schedules and runs; what changes something goes through the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.errors import DatanikaError
from orchestration import services
from orchestration.models import (
    Dependency,
    Node,
    Run,
    RunLogLine,
    RunStep,
    RunStepResult,
    Schedule,
)
from tenants.actors import Actor


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """For rows that only the engine writes: to look at, never to change by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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


class RunStepInline(admin.TabularInline[RunStep, Run]):
    model = RunStep
    extra = 0
    can_delete = False
    fields = (
        "position",
        "name",
        "status",
        "attempt",
        "times_lost",
        "worker",
        "waiting_for",
        "lease_expires_at",
        "error",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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
    date_hierarchy = "requested_at"
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
        "status",
        "attempt",
        "times_lost",
        "worker",
        "lease_expires_at",
        "waiting_for",
    )
    list_filter = ("status", "kind", "organization")
    list_select_related = ("organization", "run")
    search_fields = ("name", "worker", "error_code", "=run__number")
    exclude = ("lease_token",)


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
    list_display = ("run", "number", "at", "level", "scope", "text")
    list_filter = ("level",)
    list_select_related = ("run",)
    search_fields = ("text", "scope", "=run__number")
    show_full_result_count = False


def operator(request: HttpRequest) -> Actor:
    """The person in the admin, as services and the audit log know them."""
    user: Any = request.user
    return Actor.operator(user, ip=str(request.META.get("REMOTE_ADDR", "")))
