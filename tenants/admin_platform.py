"""The platform settings for operators: one row, and each field says what is in force and where that comes from."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminEmailInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from common.errors import UserError
from common.http import client_ip
from tenants import limits, services
from tenants.actors import Actor
from tenants.models import PlatformSettings, User
from tenants.platform_forms import STEP_WORDS, PlatformForm

PAGE = "admin:tenants_platformsettings_change"


class TestMailForm(forms.Form):
    __test__ = False
    address = forms.EmailField(label="To", widget=AdminEmailInputWidget)


@admin.register(PlatformSettings)
class PlatformSettingsAdmin(admin.ModelAdmin[PlatformSettings]):
    form = PlatformForm
    readonly_fields = ("updated_at",)
    change_form_template = "admin/platform_settings.html"
    fieldsets = (
        ("Accounts", {"fields": limits.SIGN_UP}),
        ("What everybody reads", {"fields": ("banner",)}),
        ("Steps", {"fields": ("max_concurrent_steps",)}),
        (
            "Limits of one step",
            {
                "fields": tuple(STEP_WORDS),
                "description": "Over a limit the step fails and says which. Organizations may have their own limits. "
                "Empty takes what the environment says.",
            },
        ),
        (
            "Retention",
            {
                "fields": tuple(limits.RETENTION),
                "description": "What is older is taken away every hour. What that would be now, and how much room "
                "there is, stands under Orchestration, Storage.",
            },
        ),
        ("What was deleted", {"fields": tuple(limits.TRASH)}),
        ("API keys", {"fields": tuple(limits.KEYS)}),
        ("Connections", {"fields": (*limits.RESTRICTIONS, *limits.UPLOADS)}),
        (
            "Mail",
            {
                "fields": (
                    "mail_host", "mail_port", "mail_security", "mail_user", "mail_password", "mail_from",
                ),
                "description": "Invitations, addresses to verify, new passwords and alerts go through it.",
            },
        ),
        ("When the scheduler dies", {"fields": ("heartbeat_url",)}),
        (None, {"fields": ("updated_at",)}),
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlatformSettings]:
        """Without the secret of the mail server: the page has no use for it."""
        return super().get_queryset(request).defer("mail_secrets")

    def get_urls(self) -> list[URLPattern]:
        test = path(
            "test-mail/",
            self.admin_site.admin_view(self.test_mail_view),
            name="tenants_platformsettings_test_mail",
        )
        return [test, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse(PAGE, args=["1"]))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> PlatformSettings | None:
        """The row, or its defaults until it is saved for the first time."""
        if object_id != "1":
            return None
        return super().get_object(request, object_id, from_field) or PlatformSettings(pk=1)

    def save_model(
        self, request: HttpRequest, obj: PlatformSettings, form: Any, change: bool
    ) -> None:
        services.update_platform(actor=_operator(request), **form.values)

    def test_mail_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for an address and sends a mail there through the server in force."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        operator = cast(User, request.user)
        form = TestMailForm(request.POST or None, initial={"address": operator.email})
        if request.method == "POST" and form.is_valid():
            address = form.cleaned_data["address"]
            try:
                services.send_test_mail(actor=_operator(request), address=address)
            except UserError as error:
                form.add_error(error.field if error.field in form.fields else None, str(error))
            else:
                self.message_user(request, f"A test mail went to {address}.", messages.SUCCESS)
                return HttpResponseRedirect(reverse(PAGE, args=["1"]))
        context = {
            **self.admin_site.each_context(request),
            "title": "Send a test mail",
            "opts": self.opts,
            "form": form,
            "in_force": limits.origin(PlatformSettings.objects.defer("mail_secrets").first()
                                      or PlatformSettings(), "mail"),
        }  # fmt: skip
        return TemplateResponse(request, "admin/test_mail.html", context)


def _operator(request: HttpRequest) -> Actor:
    return Actor.operator(cast(User, request.user), ip=client_ip(request))
