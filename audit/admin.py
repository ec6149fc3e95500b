"""The log in the Django admin: to be read and verified there, never written."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from audit import database
from audit.models import AuditEvent
from audit.verification import Finding, Tally, verify
from audit.words import sentence_of
from common.ui.formats import format_count

#: A page must not be waited for longer; the command goes on to the end.
SECONDS = 20.0
MOST_SHOWN = 200


class Where(admin.SimpleListFilter):
    """Events of organizations, or of the installation."""

    title = "where"
    parameter_name = "where"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("installation", "The whole installation"), ("organizations", "Organizations")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent]
    ) -> QuerySet[AuditEvent]:
        if self.value() is None:
            return queryset
        return queryset.filter(organization__isnull=self.value() == "installation")


@admin.register(AuditEvent)
class AuditEventAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    change_list_template = "admin/audit/events.html"
    list_display = ("at", "place", "sentence", "ip")
    list_filter = (Where, "at", "actor_kind", "action")
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

    @admin.display(description="organization", ordering="organization__name")
    def place(self, event: AuditEvent) -> str:
        return event.organization.name if event.organization else "The whole installation"

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "verify/", self.admin_site.admin_view(self.verify_view), name="audit_auditevent_verify"
        )
        return [own, *super().get_urls()]

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Verify every chain, for as long as a page may take."""
        tally, findings = Tally(), list[Finding]()
        if request.method == "POST":
            for finding in verify(tally, seconds=SECONDS):
                if len(findings) < MOST_SHOWN:
                    findings.append(finding)
        context = {
            **self.admin_site.each_context(request),
            "title": "Verify the audit log",
            "opts": self.model._meta,
            "is_installed": database.is_installed(),
            "done": request.method == "POST",
            "tally": tally,
            "events": format_count(tally.events),
            "findings": findings,
            "seconds": int(SECONDS),
        }
        return TemplateResponse(request, "admin/audit/verify.html", context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
