"""The log in the Django admin: to be read there, never written."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.models import AuditEvent
from audit.words import sentence_of


@admin.register(AuditEvent)
class AuditEventAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("at", "organization", "sentence", "ip")
    list_filter = ("action", "actor_kind", "at")
    list_select_related = ("organization",)
    search_fields = (
        "actor_label",
        "target_label",
        "organization__name",
        "organization__slug",
        "ip",
    )
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="event")
    def sentence(self, event: AuditEvent) -> str:
        return sentence_of(event)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
