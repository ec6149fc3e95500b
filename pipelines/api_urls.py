"""The API of pipelines, below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from pipelines.api import loads, views

_ONE = "pipelines/<slug:slug>/"

urlpatterns = [
    path("pipelines/", views.PipelineList.as_view(), name="api-pipeline-list"),
    path(_ONE, views.PipelineDetail.as_view(), name="api-pipeline-detail"),
    path(f"{_ONE}grants/", views.PipelineGrants.as_view(), name="api-pipeline-grants"),
    path(
        f"{_ONE}grants/<int:member>/",
        views.PipelineGrant.as_view(),
        name="api-pipeline-grant",
    ),
    path(f"{_ONE}pause/", views.PipelinePause.as_view(), name="api-pipeline-pause"),
    path(f"{_ONE}resume/", views.PipelineResume.as_view(), name="api-pipeline-resume"),
    path(f"{_ONE}state/", loads.PipelineState.as_view(), name="api-pipeline-state"),
    # Files are resources too, and their names are paths.
    path(
        f"{_ONE}state/<path:resource>/",
        loads.PipelineResourceState.as_view(),
        name="api-pipeline-resource-state",
    ),
    path(f"{_ONE}rejects/", loads.PipelineRejects.as_view(), name="api-pipeline-rejects"),
    path(
        f"{_ONE}rejects/discard/",
        loads.PipelineRejectsDiscard.as_view(),
        name="api-pipeline-rejects-discard",
    ),
    path(f"{_ONE}estimate/", loads.PipelineEstimate.as_view(), name="api-pipeline-estimate"),
]
