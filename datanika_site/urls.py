"""Where everything is."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from datanika_site import views

# The admin's own form would ask neither for a second factor nor count failed attempts.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

#: Below ``/o/<organization>/``: the tenants middleware takes the organization out of the arguments.
organization_urls = [
    path("", include("orchestration.urls")),
    path("alerts/", include("alerts.urls")),
    path("connections/", include("connections.urls")),
    path("pipelines/", include("pipelines.urls")),
    path("transformations/", include("transforms.urls")),
    path("audit/", include("audit.urls")),
]

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz/", views.healthz, name="healthz"),
    path("theme/", views.theme, name="theme"),
    path("accounts/", include("tenants.sign_in_urls")),
    path("accounts/", include("tenants.providers_urls")),
    path("accounts/", include("tenants.second_factor_urls")),
    # Brings its own part below /o/<organization>/, because a namespace cannot stand in two places.
    path("", include("tenants.urls")),
    path("o/<slug:organization>/", include(organization_urls)),
    path("api/v1/", include("datanika_site.api_urls")),
    path(settings.ADMIN_PATH, admin.site.urls),
    # Always routed, so that reverse() works; the view answers 404 unless the kit is shown.
    path("_kit/", views.kit, name="kit"),
]

handler400 = "datanika_site.views_refused.bad_request"
handler403 = "datanika_site.views.forbidden"
handler429 = "tenants.doors.handler429"
handler404 = "datanika_site.views.not_found"
handler500 = "datanika_site.views.server_error"
