"""The second factor for operators: they may take it away from somebody who has lost it, and see nothing of it."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from common.errors import DatanikaError
from tenants.admin_base import operator
from tenants.models import User
from tenants.services import second_factor as services

# allauth's own page would show the encrypted secrets, and remove them past the audit log.
admin.site.unregister(Authenticator)


@admin.action(description="Remove the second factor of the selected people", permissions=["change"])
def remove_second_factor(page: Any, request: HttpRequest, queryset: QuerySet[User]) -> None:
    actor = operator(request)
    for user in filter(lambda row: page.has_change_permission(request, row), queryset):
        try:
            services.remove_second_factor(user=user, actor=actor)
        except DatanikaError as error:
            page.message_user(request, f"{user}: {error}", messages.ERROR)
        else:
            page.message_user(request, f"{user} signs in with the password alone again.")
