"""What the admin pages of this app share."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

from common.http import client_ip
from tenants.actors import Actor


class ShortPaginator(Paginator[Any]):
    """Counts to ten thousand and offers no more: counting millions would take longer than showing a hundred."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """For rows that only the engine writes: to look at, never to change by hand. The newest come first."""

    # By key: an order for which there is no index would sort millions for one page.
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    paginator = ShortPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """For actions, which go through the services: whoever might change the rows, if they could be changed."""
        name = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return bool(request.user.has_perm(name))


class ReadOnlyInline(admin.TabularInline[Any, Any]):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def operator(request: HttpRequest) -> Actor:
    """The person in the admin, as services and the audit log know them."""
    user: Any = request.user
    return Actor.operator(user, ip=client_ip(request))
