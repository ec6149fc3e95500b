"""allauth's forms in our words (``ACCOUNT_FORMS``)."""

from typing import Any

from allauth.account import forms as allauth
from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PASSWORD_HELP = _("At least 10 characters. A few unrelated words make a good one.")

_WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "login": (_("E-mail address"), ""),
    "email": (_("E-mail address"), ""),
    "password": (_("Password"), ""),
    "oldpassword": (_("Current password"), ""),
    "password1": (_("New password"), PASSWORD_HELP),
    "password2": (_("New password again"), ""),
}


def _reword(form: forms.Form) -> None:
    """Visible labels instead of placeholders."""
    for name, field in form.fields.items():
        label, help_text = _WORDS[name]
        field.label, field.help_text = str(label), str(help_text)
        field.widget.attrs.pop("placeholder", None)
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


class NewPasswordForm(allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self)


class PasswordChangeForm(allauth.ChangePasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self)
