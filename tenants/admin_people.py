"""People for operators: switched off and on, made operators, given a new password; each time through a service."""

from functools import partial
from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmation
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from common.errors import DatanikaError
from tenants import services
from tenants.admin_base import NotDeleted, carry_out, operator
from tenants.admin_second_factor import remove_second_factor
from tenants.models import User
from tenants.services import operators

# Groups give nothing here: roles do. Addresses of others are proven by mail, not by a tick in the admin.
for _model in (Group, EmailAddress, EmailConfirmation):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(User)
class UserAdmin(NotDeleted, BaseUserAdmin):  # type: ignore[type-arg]
    """An address is changed by its owner, who proves the new one."""

    add_form = AdminUserCreationForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff", "date_joined")
    search_fields = ("email", "name")
    actions = ("deactivate", "reactivate", remove_second_factor)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (
            "Access",
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": "Without “Active” sessions, API sign-ins and the keys the person made end at once. "
                "An operator needs both of the others.",
            },
        ),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "name", "usable_password", "password1", "password2"),
            },
        ),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who is no superuser changes none: a new password of theirs would make them one."""
        user: Any = request.user
        if obj is not None and obj.is_superuser and not user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        times = ("last_login", "date_joined")
        if obj is None:
            return times
        user: Any = request.user
        rights = () if user.is_superuser else ("is_staff", "is_superuser")
        return ("email", *rights, *times)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        actor = operator(request)
        if not change:
            operators.add_user(user=obj, actor=actor)
            return
        wanted = {name: getattr(obj, name) for name in ("name", "is_active", *_RIGHTS)}
        obj.refresh_from_db()
        if wanted["name"] != obj.name:
            carry_out(self, request, partial(services.rename_user, user=obj, name=wanted["name"]))
        if wanted["is_active"] != obj.is_active:
            self._switch(request, obj, on=wanted["is_active"])
        rights = {name: wanted[name] for name in _RIGHTS}
        carry_out(self, request, partial(operators.set_rights, user=obj, actor=actor, **rights))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A person has no related rows on the page; what the form holds is written by the services alone."""

    @transaction.atomic
    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> HttpResponse:
        before = self._password_of(request, id)
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and self._password_of(request, id) != before:
            user = self.get_object(request, id)
            assert user is not None
            operators.note_new_password(user=user, actor=operator(request))
        return response

    def _password_of(self, request: HttpRequest, id: str) -> str:  # noqa: A002
        user = self.get_object(request, id)
        return user.password if user else ""

    @admin.action(description="Switch the selected people off", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            if self.has_change_permission(request, user):
                self._switch(request, user, on=False)

    @admin.action(description="Switch the selected people on again", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            self._switch(request, user, on=True)

    def _switch(self, request: HttpRequest, user: User, *, on: bool) -> None:
        actor = operator(request)
        try:
            if on:
                services.reactivate_user(user=user, actor=actor)
                self.message_user(request, f"{user} may sign in again.")
                return
            ended = services.deactivate_user(user=user, actor=actor)
        except DatanikaError as error:
            self.message_user(request, f"{user}: {error}", messages.ERROR)
            return
        text = f"{user} is switched off: {ended.sessions} session(s) and {ended.keys} key(s) ended."
        self.message_user(request, text)
        for organization in ended.ownerless:
            self.message_user(
                request,
                f"{organization} has no owner who can sign in. Make another member one, under Memberships.",
                messages.WARNING,
            )


_RIGHTS = ("is_staff", "is_superuser")
