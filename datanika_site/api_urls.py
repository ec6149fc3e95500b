"""The REST API: ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from datanika_site import api
from datanika_site import api_organizations as organizations

organization_urls: list[URLPattern | URLResolver] = [
    path("", organizations.OrganizationDetail.as_view(), name="api-organization-detail"),
    path("deletion/", organizations.Deletion.as_view(), name="api-organization-deletion"),
    path("hand-over/", organizations.HandOver.as_view(), name="api-organization-hand-over"),
    path("leave/", organizations.Leave.as_view(), name="api-organization-leave"),
    path("", include("connections.api_urls")),
    path("", include("pipelines.api_urls")),
    path("", include("transforms.api_urls")),
    path("", include("orchestration.api_urls")),
    path("", include("alerts.api_urls")),
    path("", include("tenants.api_urls")),
    # The log stands below the tenants in the layers, so its view is put together here.
    path("audit-events/", api.AuditEventList.as_view(), name="api-audit-event-list"),
    path("audit-events/export/", api.AuditExport.as_view(), name="api-audit-export"),
]

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", api.docs, name="api-docs"),
    path("auth/", include("tenants.auth_urls")),
    path("organizations/", api.OrganizationList.as_view(), name="api-organization-list"),
    path("organizations/<slug:organization>/", include(organization_urls)),
]
