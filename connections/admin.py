"""Connections for operators. Settings are changed in the product, where the connector's form checks them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.errors import DatanikaError
from common.http import client_ip
from connections import operating, services, usage
from connections.models import Connection, DatasetTable
from tenants.actors import Actor

_SHOWN = [
    "organization",
    "name",
    "slug",
    "type_label",
    "use_as",
    "shown_address",
    "config",
    "stored_secrets",
    "max_concurrent_runs",
    "queue",
    "check_status",
    "checked_at",
    "check_stages",
    "created_at",
    "updated_at",
    "deleted_at",
]


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin[Connection]):
    list_display = ["name", "organization", "type_label", "use_as", "check_status", "checked_at"]
    list_filter = ["connector", "use_as", "check_status", "deleted_at"]
    search_fields = ["name", "slug", "organization__name", "organization__slug"]
    list_select_related = ["organization"]
    fields = [*_SHOWN]
    readonly_fields = [name for name in _SHOWN if name not in operating.NAMES]
    actions = ["check_selected", "put_in_trash", "restore"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        wanted = {name: form.cleaned_data[name] for name in operating.NAMES}
        obj.refresh_from_db()
        try:
            operating.set_places(connection=obj, actor=_operator(request), **wanted)
        except DatanikaError as error:
            self.message_user(request, str(error), messages.ERROR)

    @admin.display(description="type", ordering="connector")
    def type_label(self, connection: Connection) -> str:
        return connection.type.label

    @admin.display(description="address")
    def shown_address(self, connection: Connection) -> str:
        return connection.address

    @admin.display(description="stored secrets")
    def stored_secrets(self, connection: Connection) -> str:
        """Their names; the values are shown nowhere."""
        return (
            ", ".join(sorted(key for key, value in connection.secrets.items() if value)) or "none"
        )

    @admin.action(description="Check the selected connections")
    def check_selected(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset.select_related("organization"):
            try:
                services.check_connection(connection=connection, actor=_operator(request))
            except DatanikaError as error:
                self.message_user(request, f"{connection}: {error}", messages.ERROR)
                continue
            self.message_user(request, f"{connection}: {connection.check_status}")

    @admin.action(description="Delete the selected connections (they can be restored)")
    def put_in_trash(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset.filter(deleted_at=None).select_related("organization"):
            users = [use.name for use in usage.uses_of(connection)]
            try:
                services.delete_connection(
                    connection=connection, actor=_operator(request), users=users
                )
            except DatanikaError as error:
                self.message_user(request, str(error), messages.ERROR)

    @admin.action(description="Restore the selected connections")
    def restore(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset.exclude(deleted_at=None).select_related("organization"):
            services.restore_connection(connection=connection, actor=_operator(request))


@admin.register(DatasetTable)
class DatasetTableAdmin(admin.ModelAdmin[DatasetTable]):
    """What is known to stand in warehouses; runs keep it, so nothing is edited here."""

    list_display = [
        "__str__",
        "connection",
        "organization",
        "loaded_by",
        "loaded_at",
        "row_count",
    ]
    list_filter = ["schema", "loaded_at"]
    search_fields = ["schema", "name", "loaded_by", "connection__name", "organization__name"]
    list_select_related = ["connection", "organization"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _operator(request: HttpRequest) -> Actor:
    user: Any = request.user
    return Actor.operator(user, ip=client_ip(request))
