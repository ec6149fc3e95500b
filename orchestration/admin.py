"""Operators' view of the graph, schedules and runs; what changes something goes through the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

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
from orchestration.services.stuck import requeue_step
from tenants.services import note_entry

__all__ = ["admin_operators", "admin_problems"]


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ("key", "organization", "is_alive")
    list_filter = ("organization",)
    list_select_related = ("organization", "pipeline", "transformation")
    search_fields = ("pipeline__slug", "transformation__name")


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
class ScheduleAdmin(ReadOnlyAdmin):
    """What it says is changed on the pages of its organization, where the times that follow from it are."""

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
    actions = ("pause", "resume")

    @admin.action(description="Pause", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._set_active(request, queryset, active=False)

    @admin.action(description="Resume", permissions=["operate"])
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

    @admin.action(description="Cancel", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset.select_related("organization"):
            try:
                services.cancel_run(run=run, actor=operator(request))
            except DatanikaError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                self.message_user(request, f"{run} of {run.organization} is being cancelled.")

    @admin.action(
        description="Run again (a new run with today's configuration)", permissions=["operate"]
    )
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
    actions = ("requeue",)

    @admin.action(
        description="Take from its worker and put back into the queue", permissions=["operate"]
    )
    def requeue(self, request: HttpRequest, queryset: QuerySet[RunStep]) -> None:
        for step in queryset.select_related("run", "organization"):
            try:
                requeue_step(step=step, actor=operator(request))
            except DatanikaError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                self.message_user(request, f"{step} of {step.organization} is back in the queue.")


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
    """Searched by the number of the run; the text of a log is searched on the page of its run.

    Without a search it tells that there are lines, not what they say.
    """

    list_display = ("run", "organization", "number", "at", "level", "scope", "text")
    list_select_related = ("run", "organization")
    search_fields = ("=run__number",)
    search_help_text = "Number of the run; what its lines say is shown then."

    def get_list_display(self, request: HttpRequest) -> Any:
        names = super().get_list_display(request)
        return names if request.GET.get("q") else [name for name in names if name != "text"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: Any = super().changelist_view(request, extra_context)
        found = getattr(response, "context_data", None) or {}
        if "cl" in found and request.GET.get("q"):
            for organization in {line.organization for line in found["cl"].result_list}:
                note_entry(organization=organization, actor=operator(request), page="log lines")
        return response  # type: ignore[no-any-return]


# Beat's own pages would change when things run past the audit log; ours are schedules.
for _model in (PeriodicTask, CrontabSchedule, IntervalSchedule, ClockedSchedule, SolarSchedule):
    admin.site.unregister(_model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    """What beat sends, and when it last did; the installation sets it up itself."""

    ordering = ("name",)
    list_display = ("name", "task", "scheduler", "enabled", "last_run_at", "total_run_count")
    fields = ("name", "task", "scheduler", "queue", "enabled", "last_run_at", "total_run_count")
