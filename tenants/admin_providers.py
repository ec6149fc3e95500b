"""The sign-ins with Google, GitHub and OpenID Connect for operators: the secret is written, never shown."""

from typing import Any, cast

from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from common.errors import UserError
from common.http import client_ip
from tenants.actors import Actor
from tenants.models import IdentityProvider, ProviderKind, User
from tenants.providers_check import check_provider
from tenants.services import providers as services

# allauth's own pages would show secrets, and change links past the audit log.
for _model in (SocialApp, SocialToken, SocialAccount):
    admin.site.unregister(_model)


class ProviderForm(forms.ModelForm[IdentityProvider]):
    client_secret = forms.CharField(
        required=False,
        strip=True,
        label="Client secret",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Stored encrypted and never shown. Empty keeps the one that is stored.",
    )
    domain_lines = forms.CharField(
        required=False,
        label="Domains",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Of the e-mail addresses that may come this way, one a line. Empty: every one.",
    )

    server_url = forms.CharField(
        required=False,
        label="Server",
        max_length=300,
        help_text="The issuer of an OpenID Connect server; Google and GitHub need none.",
    )

    class Meta:
        model = IdentityProvider
        fields = ("kind", "slug", "name", "client_id", "server_url", "is_enabled")
        labels = {"slug": "Short name", "client_id": "Client id"}
        help_texts = {
            "slug": "In the address people are sent back to. Google and GitHub have their own.",
            "name": "On the button of the sign-in page.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["domain_lines"] = "\n".join(self.instance.domains)
        if "slug" in self.fields:
            self.fields["slug"].required = False

    #: Set by the page: the service needs to know who it is.
    actor: Actor

    def clean(self) -> dict[str, Any]:
        """Carry it out here, so that a refusal stands at its field; it is one transaction with the page."""
        values = super().clean() or self.cleaned_data
        if self.errors:
            return values
        named = {name: values[name] for name in services.NAMES if name in values}
        named["domains"] = values["domain_lines"].split()
        secret = values["client_secret"]
        try:
            if self.instance._state.adding:
                made = services.create_provider(actor=self.actor, client_secret=secret, **named)
            else:
                made = services.update_provider(
                    provider=self.instance, actor=self.actor, client_secret=secret, **named
                )
        except UserError as error:
            field = "domain_lines" if error.field == "domains" else error.field
            self.add_error(field if field in self.fields else None, str(error))
        else:
            self.made = made
        return values

    def _post_clean(self) -> None:
        """The service has validated; the instance stays what was stored."""

    def save(self, commit: bool = True) -> IdentityProvider:
        return self.made

    def save_m2m(self) -> None:
        """The admin asks for it; there is none."""


@admin.register(IdentityProvider)
class IdentityProviderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProviderForm
    list_display = ("name", "kind", "slug", "is_enabled", "links")
    actions = ("check_now",)
    fields = (
        "kind", "slug", "name", "client_id", "client_secret", "server_url", "domain_lines",
        "is_enabled", "callback",
    )  # fmt: skip

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kw: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kw)
        form.actor = _operator(request)  # type: ignore[attr-defined]
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("kind", "slug", "callback") if obj else ("callback",)

    @admin.display(description="linked people")
    def links(self, provider: IdentityProvider) -> int:
        return services.linked_to(provider)

    @admin.display(description="Callback address to enter at the provider")
    def callback(self, provider: IdentityProvider) -> str:
        if provider._state.adding:
            return "Shown once it is saved."
        if provider.kind == ProviderKind.OPENID_CONNECT:
            path = reverse("openid_connect_callback", kwargs={"provider_id": provider.slug})
        else:
            path = reverse(f"{provider.kind}_callback")
        return f"{settings.BASE_URL.rstrip('/')}{path}"

    def save_model(
        self, request: HttpRequest, obj: IdentityProvider, form: Any, change: bool
    ) -> None:
        """Done by the form."""

    def delete_model(self, request: HttpRequest, obj: IdentityProvider) -> None:
        services.delete_provider(provider=obj, actor=_operator(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[IdentityProvider]) -> None:
        for provider in queryset:
            self.delete_model(request, provider)

    @admin.action(description="Check the selected sign-ins")
    def check_now(self, request: HttpRequest, queryset: QuerySet[IdentityProvider]) -> None:
        """Ask each provider whether it is there and knows our client id and secret."""
        for provider in queryset:
            try:
                check_provider(provider, request)
            except UserError as error:
                self.message_user(request, f"{provider}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"{provider} answers and knows the client.")


def _operator(request: HttpRequest) -> Actor:
    return Actor.operator(cast(User, request.user), ip=client_ip(request))
