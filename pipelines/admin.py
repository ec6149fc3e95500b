"""Pipelines for operators, across organizations. Changes are made in the product; here one looks and helps."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.errors import UserError
from common.http import client_ip
from pipelines import services
from pipelines.models import Pipeline, PipelineDraft, PipelineResource
from tenants.actors import Actor


class ReadOnly:
    """A row that the product's services alone may write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PipelineResourceInline(ReadOnly, admin.TabularInline[PipelineResource, Pipeline]):
    model = PipelineResource
    extra = 0
    can_delete = False
    exclude = ("organization",)


@admin.register(Pipeline)
class PipelineAdmin(admin.ModelAdmin[Pipeline]):
    list_display = (
        "name",
        "organization",
        "source",
        "destination",
        "dataset",
        "mode",
        "is_paused",
        "version",
        "updated_at",
        "deleted_at",
    )
    list_filter = ("mode", "is_paused", ("deleted_at", admin.EmptyFieldListFilter), "organization")
    list_select_related = ("organization", "source", "destination")
    search_fields = ("name", "slug", "dataset", "organization__name", "organization__slug")
    date_hierarchy = "created_at"
    inlines = (PipelineResourceInline,)
    actions = ("pause", "resume", "restore")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Pipeline | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Pipeline | None = None) -> list[str]:
        # Everything: a definition that did not pass the services' checks would fail in a run.
        return [field.name for field in Pipeline._meta.fields]

    @admin.action(description="Pause the selected pipelines", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Pipeline]) -> None:
        self._set_paused(request, queryset, paused=True)

    @admin.action(description="Resume the selected pipelines", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Pipeline]) -> None:
        self._set_paused(request, queryset, paused=False)

    def _set_paused(
        self, request: HttpRequest, queryset: QuerySet[Pipeline], *, paused: bool
    ) -> None:
        rows = queryset.filter(deleted_at__isnull=True, is_paused=not paused)
        for pipeline in rows.select_related("organization"):
            services.set_paused(pipeline=pipeline, actor=_operator(request), paused=paused)
        word = "paused" if paused else "resumed"
        self.message_user(request, f"The selected pipelines are {word}.", messages.SUCCESS)

    @admin.action(description="Restore the selected pipelines", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Pipeline]) -> None:
        for pipeline in queryset.filter(deleted_at__isnull=False).select_related("organization"):
            try:
                services.restore_pipeline(pipeline=pipeline, actor=_operator(request))
            except UserError as error:
                self.message_user(request, f"{pipeline}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"{pipeline} is restored.", messages.SUCCESS)


def _operator(request: HttpRequest) -> Actor:
    assert request.user.is_authenticated
    return Actor.operator(request.user, ip=client_ip(request))


@admin.register(PipelineDraft)
class PipelineDraftAdmin(ReadOnly, admin.ModelAdmin[PipelineDraft]):
    """Unfinished wizards, which nothing hangs on; old ones may be deleted."""

    list_display = ("pk", "organization", "created_by", "updated_at")
    list_filter = ("organization",)
    list_select_related = ("organization", "created_by")
    search_fields = ("organization__name", "created_by__email")
