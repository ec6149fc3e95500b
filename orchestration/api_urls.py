"""API routes of orchestration, below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from orchestration.api import (
    backfills,
    graph,
    problems,
    run_bulk,
    run_logs,
    runs,
    schedules,
    schema_changes,
    trash,
)

urlpatterns = [
    path("trash/", trash.TrashList.as_view(), name="api-trash-list"),
    path("trash/<slug:kind>/<int:pk>/", trash.TrashEntry.as_view(), name="api-trash-entry"),
    path(
        "trash/<slug:kind>/<int:pk>/restore/",
        trash.TrashRestore.as_view(),
        name="api-trash-restore",
    ),
    path("backfills/", backfills.BackfillList.as_view(), name="api-backfill-list"),
    path("backfills/preview/", backfills.BackfillPreview.as_view(), name="api-backfill-preview"),
    path("backfills/<int:number>/", backfills.BackfillDetail.as_view(), name="api-backfill-detail"),
    path(
        "backfills/<int:number>/slices/",
        backfills.BackfillSlices.as_view(),
        name="api-backfill-slices",
    ),
    path(
        "backfills/<int:number>/pause/",
        backfills.BackfillPause.as_view(),
        name="api-backfill-pause",
    ),
    path(
        "backfills/<int:number>/resume/",
        backfills.BackfillResume.as_view(),
        name="api-backfill-resume",
    ),
    path(
        "backfills/<int:number>/cancel/",
        backfills.BackfillCancel.as_view(),
        name="api-backfill-cancel",
    ),
    path(
        "backfills/<int:number>/retry/",
        backfills.BackfillRetry.as_view(),
        name="api-backfill-retry",
    ),
    path("runs/", runs.RunList.as_view(), name="api-run-list"),
    path("runs/cancel/", run_bulk.RunsCancel.as_view(), name="api-runs-cancel"),
    path("runs/retry/", run_bulk.RunsRetry.as_view(), name="api-runs-retry"),
    path("runs/<int:number>/", runs.RunDetail.as_view(), name="api-run-detail"),
    path("runs/<int:number>/cancel/", runs.RunCancel.as_view(), name="api-run-cancel"),
    path("runs/<int:number>/retry/", runs.RunRetry.as_view(), name="api-run-retry"),
    path("runs/<int:number>/logs/", run_logs.RunLogs.as_view(), name="api-run-logs"),
    path("runs/<int:number>/steps/", runs.RunSteps.as_view(), name="api-run-steps"),
    path(
        "pipelines/<slug:slug>/schema-changes/",
        schema_changes.PipelineSchemaChanges.as_view(),
        name="api-pipeline-schema-changes",
    ),
    path("problems/", problems.ProblemList.as_view(), name="api-problem-list"),
    path(
        "problems/<slug:fingerprint>/",
        problems.ProblemDetail.as_view(),
        name="api-problem-detail",
    ),
    path("dependencies/", graph.DependencyList.as_view(), name="api-dependency-list"),
    path("dependencies/<int:pk>/", graph.DependencyDetail.as_view(), name="api-dependency-detail"),
    path("graph/", graph.GraphView.as_view(), name="api-graph"),
    path("graph/selection/", graph.GraphSelection.as_view(), name="api-graph-selection"),
    path("graph/nodes/<str:key>/", graph.GraphNodeDetail.as_view(), name="api-graph-node"),
    path("schedules/", schedules.ScheduleList.as_view(), name="api-schedule-list"),
    path(
        "schedules/pause-all/", schedules.SchedulePauseAll.as_view(), name="api-schedule-pause-all"
    ),
    path(
        "schedules/resume-all/",
        schedules.ScheduleResumeAll.as_view(),
        name="api-schedule-resume-all",
    ),
    path("schedules/<slug:slug>/", schedules.ScheduleDetail.as_view(), name="api-schedule-detail"),
    path(
        "schedules/<slug:slug>/pause/", schedules.SchedulePause.as_view(), name="api-schedule-pause"
    ),
    path(
        "schedules/<slug:slug>/resume/",
        schedules.ScheduleResume.as_view(),
        name="api-schedule-resume",
    ),
]
