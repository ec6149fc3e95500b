"""Operators' list of errors that the catalogue does not explain."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orchestration.models import UnexplainedError
from orchestration.unexplained import unexplained


@admin.register(UnexplainedError)
class UnexplainedErrorAdmin(admin.ModelAdmin[UnexplainedError]):
    """One page to read; a step itself is looked at where steps are."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Errors without an explanation",
            "opts": self.opts,
            "rows": unexplained(),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/orchestration/unexplained.html", context)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
