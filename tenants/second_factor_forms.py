"""Forms around the second factor, and the one that asks again who somebody is."""

from typing import Any

from allauth.account import forms as account
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as mfa
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from django import forms
from django.utils.translation import gettext_lazy as _

from common.http import client_ip
from tenants.services import second_factor


def _code_field(help_text: Any, **attrs: Any) -> forms.CharField:
    return forms.CharField(
        label=_("Code"),
        max_length=20,
        help_text=help_text,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "spellcheck": "false",
                **attrs,
            }
        ),
    )


class SetUpForm(forms.Form):
    setup = forms.CharField(max_length=1000, widget=forms.HiddenInput)
    code = _code_field(_("The six digits that the app shows now."))


class _CodeForm:
    """allauth's form for a code, decided by our service; ``authenticator`` is what the code proved."""

    user: Any
    authenticator: Authenticator

    def clean_code(self) -> str:
        forget_attempts = check_rate_limit(self.user)
        code = str(self.cleaned_data["code"])  # type: ignore[attr-defined]
        factor = second_factor.prove(user=self.user, code=code, ip=client_ip(context.request))
        if factor is None:
            raise get_adapter().validation_error("incorrect_code")
        forget_attempts()
        self.authenticator = factor
        return code

    @property
    def was_recovery_code(self) -> bool:
        return bool(self.authenticator.type == Authenticator.Type.RECOVERY_CODES)


class SignInCodeForm(_CodeForm, mfa.AuthenticateForm):  # type: ignore[misc]
    code = _code_field(
        _("From your authenticator app, or one of your recovery codes."), autofocus=True
    )


class ReauthenticateCodeForm(_CodeForm, mfa.ReauthenticateForm):  # type: ignore[misc]
    code = _code_field(
        _("From your authenticator app, or one of your recovery codes."), autofocus=True
    )


class ReauthenticateForm(account.ReauthenticateForm):  # type: ignore[misc]
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
