"""Below ``/api/v1/auth/``: of no organization, because the tokens name theirs."""

from django.urls import path

from tenants import api_tokens as api

urlpatterns = [
    path("token/", api.TokenCreate.as_view(), name="api-token-create"),
    path("refresh/", api.TokenRefresh.as_view(), name="api-token-refresh"),
    path("revoke/", api.TokenRevoke.as_view(), name="api-token-revoke"),
    path("sessions/", api.ApiSessionList.as_view(), name="api-session-list"),
    path("sessions/<int:pk>/", api.ApiSessionDetail.as_view(), name="api-session-detail"),
]
