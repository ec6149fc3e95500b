"""The API of connections, below ``/api/v1/organizations/<organization>/``."""

from django.urls import path

from connections.api import views as api

urlpatterns = [
    path("connections/", api.ConnectionList.as_view(), name="api-connection-list"),
    path("connections/<slug:slug>/", api.ConnectionDetail.as_view(), name="api-connection-detail"),
    path(
        "connections/<slug:slug>/grants/",
        api.ConnectionGrants.as_view(),
        name="api-connection-grants",
    ),
    path(
        "connections/<slug:slug>/grants/<int:member>/",
        api.ConnectionGrant.as_view(),
        name="api-connection-grant",
    ),
    path(
        "connections/<slug:slug>/check/",
        api.ConnectionCheck.as_view(),
        name="api-connection-check",
    ),
    path(
        "connections/<slug:slug>/discover/",
        api.ConnectionDiscover.as_view(),
        name="api-connection-discover",
    ),
    path(
        "connections/<slug:slug>/describe/",
        api.ConnectionDescribe.as_view(),
        name="api-connection-describe",
    ),
    path("connectors/", api.ConnectorList.as_view(), name="api-connector-list"),
    path(
        "connectors/<slug:connector>/check/",
        api.ConnectorCheck.as_view(),
        name="api-connector-check",
    ),
    path("files/", api.FileList.as_view(), name="api-file-list"),
    path("files/<str:name>/", api.FileDetail.as_view(), name="api-file-detail"),
]
