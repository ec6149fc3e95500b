"""Pages of orchestration, below ``/o/<organization>/``."""

from django.urls import path

from orchestration import (
    views_lineage,
    views_overview,
    views_palette,
    views_run_log,
    views_runs,
    views_schedules,
    views_trash,
)

app_name = "orchestration"
urlpatterns = [
    path("", views_overview.overview_page, name="overview"),
    path("runs/", views_runs.run_list, name="run-list"),
    path("runs/create/", views_runs.run_create, name="run-create"),
    path("runs/<int:number>/", views_runs.run_detail, name="run-detail"),
    path(
        "runs/<int:number>/configuration/",
        views_runs.run_configuration,
        name="run-configuration",
    ),
    path("runs/<int:number>/cancel/", views_runs.run_cancel, name="run-cancel"),
    path("runs/<int:number>/retry/", views_runs.run_retry, name="run-retry"),
    path("runs/<int:number>/log/", views_run_log.run_log, name="run-log"),
    path("runs/<int:number>/log.txt", views_run_log.run_log_download, name="run-log-download"),
    path("runs/<int:number>/stream/", views_run_log.run_stream, name="run-stream"),
    path("lineage/", views_lineage.lineage, name="lineage"),
    path("lineage/dependencies/create/", views_lineage.dependency_create, name="dependency-create"),
    path(
        "lineage/dependencies/<int:pk>/delete/",
        views_lineage.dependency_delete,
        name="dependency-delete",
    ),
    path("schedules/", views_schedules.schedule_list, name="schedule-list"),
    path("schedules/create/", views_schedules.schedule_create, name="schedule-create"),
    path("schedules/preview/", views_schedules.schedule_preview, name="schedule-preview"),
    path("schedules/<slug:slug>/edit/", views_schedules.schedule_update, name="schedule-update"),
    path("schedules/<slug:slug>/toggle/", views_schedules.schedule_toggle, name="schedule-toggle"),
    path("schedules/<slug:slug>/delete/", views_schedules.schedule_delete, name="schedule-delete"),
    path("palette/", views_palette.palette, name="palette"),
    path("trash/", views_trash.trash, name="trash"),
    path("trash/<slug:kind>/<int:pk>/restore/", views_trash.trash_restore, name="trash-restore"),
]
