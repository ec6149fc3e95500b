"""Operators' view of alerts: to look at. Rules and channels belong to the organizations, deliveries to the engine."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from alerts.models import AlertDelivery, AlertIncident, AlertRule


class _ReadOnly(admin.ModelAdmin[Any]):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AlertRule)
class AlertRuleAdmin(_ReadOnly):
    list_display = ("name", "organization", "scope", "is_muted", "muted_until", "checked_at")
    list_filter = ("organization", "scope", "is_muted")
    list_select_related = ("organization",)
    search_fields = ("name", "slug")


@admin.register(AlertIncident)
class AlertIncidentAdmin(_ReadOnly):
    list_display = ("name", "condition", "organization", "rule", "since", "told_at", "closed_at")
    list_filter = ("organization", "condition")
    list_select_related = ("organization", "rule")
    search_fields = ("name", "subject")


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(_ReadOnly):
    """Channels are not here: what of them is not secret stands beside each delivery."""

    list_display = (
        "title",
        "organization",
        "channel_name",
        "event",
        "status",
        "attempts",
        "next_attempt_at",
        "created_at",
    )
    list_filter = ("organization", "status", "event", "channel_kind")
    list_select_related = ("organization",)
    search_fields = ("channel_name", "last_error")
    exclude = ("channel",)
    date_hierarchy = "created_at"
