"""Transformations for operators. Changes go through the services, so the audit log has them."""

from dataclasses import replace
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.errors import DatanikaError
from common.http import client_ip
from tenants.actors import Actor
from tenants.models import User
from transforms import services
from transforms.models import Transformation, TransformationColumn, TransformationTest

#: What an operator may correct; the rest is a fact, or belongs to the people of the organization.
_EDITABLE = ("folder", "sql", "materialization", "schema", "description", "tags", "config")


def _operator(request: HttpRequest) -> Actor:
    return Actor.operator(cast(User, request.user), ip=client_ip(request))


class TransformationAdminForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses on the form what the service would refuse."""

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        try:
            _definition(self.instance, data).checked()
        except DatanikaError as error:
            self.add_error(error.field if error.field in self.fields else None, str(error))
        return data


class _ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ColumnInline(_ReadOnlyInline):
    model = TransformationColumn
    fields = readonly_fields = ("position", "name", "data_type", "description")


class TestInline(_ReadOnlyInline):
    __test__ = False
    model = TransformationTest
    fields = readonly_fields = (
        "column", "kind", "arguments", "severity", "last_status", "last_failures",
    )  # fmt: skip


@admin.register(Transformation)
class TransformationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = TransformationAdminForm
    inlines = (ColumnInline, TestInline)
    list_display = (
        "name", "organization", "folder", "connection", "materialization", "build_status",
        "built_at", "row_count", "deleted_at",
    )  # fmt: skip
    list_filter = (
        "build_status",
        "materialization",
        ("deleted_at", admin.EmptyFieldListFilter),
        "organization",
    )
    list_select_related = ("organization", "connection")
    search_fields = ("name", "folder", "description", "organization__slug", "organization__name")
    date_hierarchy = "built_at"
    readonly_fields = (
        "name", "organization", "connection", "version", "build_status", "built_at",
        "build_seconds", "row_count", "build_message", "compiled_sql", "created_at", "updated_at",
        "deleted_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("organization", "connection", "name", "deleted_at")}),
        ("Definition", {"fields": _EDITABLE}),
        (
            "Last build",
            {"fields": ("build_status", "built_at", "build_seconds", "row_count", "build_message")},
        ),
        ("Compiled", {"classes": ("collapse",), "fields": ("compiled_sql",)}),
        ("Record", {"fields": ("version", "created_at", "updated_at")}),
    )
    actions = ("restore", "put_in_trash")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """One begins in the editor of its organization."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The trash instead: runs and the audit log speak of it."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Transformation, form: Any, change: bool
    ) -> None:
        definition = _definition(obj, form.cleaned_data)
        obj.refresh_from_db()
        self._carry_out(
            request,
            lambda: services.update_transformation(
                transformation=obj, actor=_operator(request), definition=definition
            ),
        )

    @admin.action(description="Restore the selected transformations from the trash")
    def restore(self, request: HttpRequest, queryset: QuerySet[Transformation]) -> None:
        for row in queryset.filter(deleted_at__isnull=False):
            self._carry_out(
                request,
                lambda row=row: services.restore_transformation(
                    transformation=row, actor=_operator(request)
                ),
            )

    @admin.action(description="Put the selected transformations in the trash")
    def put_in_trash(self, request: HttpRequest, queryset: QuerySet[Transformation]) -> None:
        for row in queryset.filter(deleted_at__isnull=True):
            self._carry_out(
                request,
                lambda row=row: services.delete_transformation(
                    transformation=row, actor=_operator(request)
                ),
            )

    def _carry_out(self, request: HttpRequest, change: Any) -> None:
        """Call the service; its refusal becomes a message, because the admin has no field for it."""
        try:
            change()
        except DatanikaError as error:
            self.message_user(request, str(error), messages.ERROR)


@admin.register(TransformationColumn)
class TransformationColumnAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "transformation", "organization", "data_type", "description")
    list_filter = ("organization",)
    list_select_related = ("transformation", "organization")
    search_fields = ("name", "transformation__name", "description")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TransformationTest)
class TransformationTestAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """How tests went, over all organizations; they are changed in the editor."""

    list_display = (
        "transformation", "column", "kind", "severity", "last_status", "last_failures",
        "last_run_at", "organization",
    )  # fmt: skip
    list_filter = ("last_status", "kind", "severity", "organization")
    list_select_related = ("transformation", "organization")
    search_fields = ("transformation__name", "column", "organization__slug")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _definition(row: Transformation, data: dict[str, Any]) -> services.TransformationDefinition:
    values = {name: data[name] for name in _EDITABLE if name in data}
    values["tags"] = tuple(values.get("tags") or ())
    values["config"] = values.get("config") or {}
    return replace(services.definition_of(row), **values)
