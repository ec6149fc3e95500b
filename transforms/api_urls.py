"""The API of transformations, below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from transforms import api

urlpatterns = [
    path("transformations/", api.TransformationList.as_view(), name="api-transformation-list"),
    path(
        "transformations/<slug:name>/",
        api.TransformationDetail.as_view(),
        name="api-transformation-detail",
    ),
    path(
        "transformations/<slug:name>/compile/",
        api.TransformationCompile.as_view(),
        name="api-transformation-compile",
    ),
    path(
        "transformations/<slug:name>/preview/",
        api.TransformationPreview.as_view(),
        name="api-transformation-preview",
    ),
]
