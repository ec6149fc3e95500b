"""What the admin pages of this app share."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest

from common.errors import DatanikaError
from common.http import client_ip
from tenants.actors import Actor
from tenants.models import User


def operator(request: HttpRequest) -> Actor:
    """The person in the admin, as services and the audit log know them."""
    return Actor.operator(cast(User, request.user), ip=client_ip(request))


def carry_out(page: Any, request: HttpRequest, change: Any) -> Any:
    """Call the service; its refusal becomes a message, because the admin has no field for it. None when refused."""
    try:
        return change()
    except DatanikaError as error:
        page.message_user(request, str(error), messages.ERROR)
        return None


class NotDeleted:
    """What others hang on is switched off instead: deleting would go past the audit log."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnly(NotDeleted):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
