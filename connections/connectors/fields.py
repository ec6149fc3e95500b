"""Form fields the connectors share. They take the text of a page and the plain JSON of the API
alike.
"""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.errors import UserError
from connections import policy


class HostField(forms.CharField):
    """A single host name or address. An address that no policy allows is refused here, what a name means when it is
    dialled.
    """

    default_error_messages = {"required": _("A host is needed.")}

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("Host"))
        options.setdefault("help_text", _("A name such as db.example.com, or an IP address."))
        super().__init__(max_length=253, **options)
        self.widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        return _judged(policy.check_far_host, super().clean(value))


class PathField(forms.CharField):
    """A path below the files directory; where it leads is judged when it is opened."""

    default_error_messages = {"required": _("A path is needed.")}

    def __init__(self, *, placeholder: str, **options: Any) -> None:
        options.setdefault("label", _("Path"))
        super().__init__(max_length=1000, **options)
        self.widget.attrs.update(
            {"autocomplete": "off", "spellcheck": "false", "placeholder": placeholder}
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return _judged(policy.check_path_syntax, text) if text or self.required else ""


class NamesField(forms.CharField):
    """Names separated by commas; cleaned to a list without doubles. Takes a JSON list as well."""

    def to_python(self, value: Any) -> Any:
        parts = value if isinstance(value, list | tuple) else str(value or "").split(",")
        return list(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        for name in value:
            super().run_validators(name)


class OptionField(forms.ChoiceField):
    """A choice that falls back to its initial value when it is left out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def clean(self, value: Any) -> Any:
        return super().clean(value) or self.initial


class SecretField(forms.CharField):
    """A password: stored encrypted, never rendered back, spaces kept."""

    def __init__(self, **options: Any) -> None:
        # "new-password" keeps the browser from filling in the person's own password.
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=False)
        super().__init__(strip=False, widget=widget, **options)


def _judged(check: Any, value: str) -> str:
    """The policy's judgement as the form's."""
    if not value:
        return value
    try:
        judged: str = check(value)
    except UserError as error:
        raise ValidationError(f"{error.message} {error.remedy}".strip(), code="policy") from error
    return judged
