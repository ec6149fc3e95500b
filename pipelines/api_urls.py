"""The API of pipelines, below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from pipelines import api

urlpatterns = [
    path("pipelines/", api.PipelineList.as_view(), name="api-pipeline-list"),
    path("pipelines/<slug:slug>/", api.PipelineDetail.as_view(), name="api-pipeline-detail"),
    path("pipelines/<slug:slug>/pause/", api.PipelinePause.as_view(), name="api-pipeline-pause"),
    path("pipelines/<slug:slug>/resume/", api.PipelineResume.as_view(), name="api-pipeline-resume"),
]
