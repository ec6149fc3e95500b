"""API routes of orchestration, below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from orchestration.api import graph, runs, schedules, schema_changes

urlpatterns = [
    path("runs/", runs.RunList.as_view(), name="api-run-list"),
    path("runs/<int:number>/", runs.RunDetail.as_view(), name="api-run-detail"),
    path("runs/<int:number>/cancel/", runs.RunCancel.as_view(), name="api-run-cancel"),
    path("runs/<int:number>/retry/", runs.RunRetry.as_view(), name="api-run-retry"),
    path("runs/<int:number>/logs/", runs.RunLogs.as_view(), name="api-run-logs"),
    path("runs/<int:number>/steps/", runs.RunSteps.as_view(), name="api-run-steps"),
    path(
        "pipelines/<slug:slug>/schema-changes/",
        schema_changes.PipelineSchemaChanges.as_view(),
        name="api-pipeline-schema-changes",
    ),
    path("dependencies/", graph.DependencyList.as_view(), name="api-dependency-list"),
    path("dependencies/<int:pk>/", graph.DependencyDetail.as_view(), name="api-dependency-detail"),
    path("graph/", graph.GraphView.as_view(), name="api-graph"),
    path("schedules/", schedules.ScheduleList.as_view(), name="api-schedule-list"),
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
