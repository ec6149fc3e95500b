"""Below ``/accounts/``; the names are allauth's, which reverses them itself."""

from django.urls import path

from tenants import providers_views as views

urlpatterns = [
    path("with/<slug:slug>/", views.start, name="provider_login"),
    path(
        "google/login/callback/", views.callback, {"provider_id": "google"}, name="google_callback"
    ),
    path(
        "github/login/callback/", views.callback, {"provider_id": "github"}, name="github_callback"
    ),
    path("oidc/<slug:provider_id>/login/callback/", views.callback, name="openid_connect_callback"),
    path("cancelled/", views.cancelled, name="socialaccount_login_cancelled"),
    path("error/", views.error, name="socialaccount_login_error"),
    path("connections/", views.connections, name="socialaccount_connections"),
]
