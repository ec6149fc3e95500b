"""Organizations, memberships, invitations and keys for operators. Changes go through the services, so the audit
log has them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest

from common.access import Role
from tenants import admin_people, admin_platform, admin_providers, selectors, services
from tenants.admin_base import NotDeleted, ReadOnly, carry_out, operator
from tenants.models import ApiKey, Invitation, Membership, Organization
from tenants.platform_forms import OrganizationForm

#: Pages that are registered by being imported.
__all__ = ["admin_people", "admin_platform", "admin_providers"]

_AT_REST = (
    "suspended_at", "suspended_by", "suspended_reason", "deletion_requested_at",
    "deletion_requested_by", "delete_after",
)  # fmt: skip


class ReasonForm(ActionForm):
    reason = forms.CharField(
        required=False, max_length=300, label="Reason, for a suspension; members see it:"
    )


@admin.register(Organization)
class OrganizationAdmin(NotDeleted, admin.ModelAdmin):  # type: ignore[type-arg]
    form = OrganizationForm
    list_display = (
        "name", "slug", "member_count", "max_concurrent_runs", "queue", "schedules_paused_at",
        "created_at", "suspended_at", "delete_after",
    )  # fmt: skip
    search_fields = ("name", "slug")
    readonly_fields = (
        "slug", "last_run_number", "schedules_paused_at", "schedules_paused_by", "created_at", *_AT_REST,
    )  # fmt: skip
    action_form = ReasonForm
    actions = ("suspend", "resume", "restore")
    fieldsets = (
        (None, {"fields": ("name", "slug", "time_zone", "default_schema")}),
        (
            "Runs",
            {
                "fields": (
                    "max_concurrent_runs", "queue", "last_run_number", "schedules_paused_at",
                    "schedules_paused_by",
                )
            },
        ),
        (
            "Limits of one step",
            {
                "fields": (
                    "step_timeout_seconds", "step_memory_mb", "step_cpu_seconds", "step_disk_mb",
                ),
                "description": "Over a limit the step fails and says which.",
            },
        ),
        (
            "Rest",
            {
                "fields": _AT_REST,
                "description": "While it is suspended or deleted its members may look, and nothing runs or changes. "
                "The actions of the list change it.",
            },
        ),
        (None, {"fields": ("created_at",)}),
    )  # fmt: skip

    @admin.action(description="Suspend the selected organizations", permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        reason = request.POST.get("reason", "")
        self._each(request, queryset, partial(services.suspend_organization, reason=reason))

    @admin.action(description="End the suspension", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        self._each(request, queryset, services.resume_organization)

    @admin.action(description="Take the deletion back", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        self._each(request, queryset, services.restore_organization)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Organization], change: Callable[..., Any]
    ) -> None:
        for organization in queryset:
            carry_out(
                self,
                request,
                partial(change, organization=organization, actor=operator(request)),
            )

    @admin.display(description="members")
    def member_count(self, organization: Organization) -> int:
        return selectors.members_of(organization).count()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An organization begins with an owner: on its page, or by ``create_organization``."""
        return False

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        wanted = {
            name: getattr(obj, name)
            for name in ("name", "time_zone", "default_schema", "max_concurrent_runs")
        }
        obj.refresh_from_db()
        carry_out(
            self,
            request,
            lambda: services.update_organization(
                organization=obj, actor=operator(request), **wanted, operated=form.operated
            ),
        )


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("user", "organization", "role", "created_at", "last_seen_at")
    list_filter = ("role", "organization")
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "user__name", "organization__name", "organization__slug")
    autocomplete_fields = ("user", "organization")
    readonly_fields = ("created_at", "last_seen_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("user", "organization") if obj else ()
        return (*fixed, "created_at", "last_seen_at")

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        role, actor = Role(obj.role), operator(request)
        if change:
            obj.refresh_from_db()
            carry_out(
                self,
                request,
                lambda: services.change_role(membership=obj, role=role, actor=actor),
            )
        else:
            made = services.add_member(
                organization=obj.organization, user=obj.user, role=role, actor=actor
            )
            obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        carry_out(
            self,
            request,
            lambda: services.remove_member(membership=obj, actor=operator(request)),
        )

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)


@admin.register(Invitation)
class InvitationAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("email", "organization", "role", "invited_by", "expires_at", "open")
    list_filter = ("role", "expires_at", "organization")
    list_select_related = ("organization",)
    search_fields = ("email", "invited_by", "organization__name", "organization__slug")
    exclude = ("token_hash",)
    actions = ("revoke",)

    @admin.display(boolean=True)
    def open(self, invitation: Invitation) -> bool:
        return invitation.is_open

    @admin.action(description="Revoke the selected invitations")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        for invitation in queryset:
            carry_out(
                self,
                request,
                lambda invitation=invitation: services.revoke_invitation(
                    invitation=invitation, actor=operator(request)
                ),
            )


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        "name", "prefix", "organization", "role", "created_by", "expires_at", "last_used_at", "state",
    )  # fmt: skip
    list_filter = ("role", "organization", "expires_at")
    list_select_related = ("organization", "created_by")
    search_fields = ("name", "prefix", "created_by__email", "organization__name")
    exclude = ("key_hash",)
    actions = ("revoke",)

    def state(self, key: ApiKey) -> str:
        return selectors.key_state(key)

    @admin.action(description="Revoke the selected keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            carry_out(
                self,
                request,
                lambda key=key: services.revoke_api_key(key=key, actor=operator(request)),
            )
