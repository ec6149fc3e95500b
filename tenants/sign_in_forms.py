"""Forms of the ways in: allauth's in our words (``ACCOUNT_FORMS``), and those for newcomers."""

import json
from typing import Any

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from django import forms
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from tenants import tasks
from tenants.models import User
from tenants.passwords import LONGEST

PASSWORD_HELP = _("At least 10 characters. A few unrelated words make a good one.")

_WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "login": (_("E-mail address"), ""),
    "email": (_("E-mail address"), ""),
    "password": (_("Password"), ""),
    "oldpassword": (_("Current password"), ""),
    "password1": (_("New password"), PASSWORD_HELP),
    "password2": (_("New password again"), ""),
}


class NewPasswordInput(forms.PasswordInput):
    """Says while it is typed how strong the password is; without script the help text has to do."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "new-password", **(attrs or {})})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        words = {
            "short": __("Too short."),
            "same": __("The same few characters again and again: easily guessed."),
            "weak": __("Weak: easily guessed when somebody tries for long."),
            "good": __("Good."),
            "strong": __("Strong."),
        }
        context["widget"]["attrs"]["data-strength"] = json.dumps(words)
        return context


def new_password_field(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        strip=False,
        max_length=LONGEST,
        widget=NewPasswordInput(),
        help_text=PASSWORD_HELP,
    )


def present_password(user: Any, password: str) -> str:
    """The password, if it is that of ``user``. Wrong ones count, and are logged, as at the sign-in page."""
    adapter = get_adapter()
    if not adapter.reauthenticate(user, password):
        raise adapter.validation_error("enter_current_password")
    return password


def _reword(form: forms.Form) -> None:
    """Visible labels instead of placeholders."""
    for name, field in form.fields.items():
        label, help_text = _WORDS[name]
        field.label, field.help_text = str(label), str(help_text)
        field.widget.attrs.pop("placeholder", None)
        if name == "password1":
            field.widget = NewPasswordInput()
            field.widget.is_required = field.required
        if name in ("login", "email"):
            # Browsers offer stored sign-ins for a field called username.
            field.widget.attrs["autocomplete"] = "username"


class SignInForm(allauth.LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self)
        self.fields["login"].widget.attrs["autofocus"] = True


class PasswordResetForm(allauth.ResetPasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self)

    def clean_email(self) -> str:
        """Who has the address is looked up by whoever writes the mail."""
        return str(self.cleaned_data["email"]).lower()

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email: str = self.cleaned_data["email"]
        tasks.ask("reset", email)
        return email


class NewPasswordForm(allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self)


class PasswordChangeForm(allauth.ChangePasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self)

    def clean_oldpassword(self) -> str:
        return present_password(self.user, self.cleaned_data["oldpassword"])


class SignUpForm(forms.Form):
    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True}),
    )
    email = forms.EmailField(
        label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = new_password_field(_("Password"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound:
            # What was refused is not always the name.
            del self.fields["name"].widget.attrs["autofocus"]


class ConfirmForm(forms.Form):
    """For a browser that did not sign up: whoever chose the password has to be the one who reads the mail."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=LONGEST,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
        help_text=_("The one you chose when you signed up."),
    )


class EmailChangeForm(forms.Form):
    email = forms.EmailField(
        label=_("New e-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    password = forms.CharField(
        label=_("Current password"),
        strip=False,
        max_length=LONGEST,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not user.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        return present_password(self.user, self.cleaned_data["password"])
