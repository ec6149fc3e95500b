"""The Django admin under our name, with a page that says how the installation is."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse


class OperatorSite(admin.AdminSite):
    site_title = "Datanika operators"
    site_header = "Datanika operators"
    index_title = "Installation"
    index_template = "admin/operators.html"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        health = path("health/", self.admin_view(self.health_view), name="health")
        return [health, *super().get_urls()]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """By the one door there is: with its limits, providers and second factor."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied
        wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
        return redirect_to_login(wanted or reverse("admin:index"))

    def password_change(  # type: ignore[override]  # Django answers with a redirect too
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """On the account's own page, which tells and ends what has to end."""
        return redirect("account_change_password")

    def health_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_superuser:
            raise PermissionDenied
        # Importing it earlier would need the apps, which are not there when this site is made.
        from datanika_site.admin_health import health_context  # noqa: PLC0415

        context: dict[str, Any] = {
            **self.each_context(request),
            "title": "Health",
            **health_context(),
        }
        return TemplateResponse(request, "admin/health.html", context)
