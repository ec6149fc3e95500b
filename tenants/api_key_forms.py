"""The forms of the API keys' pages."""

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.access import Role
from common.ui.forms import ChoiceCards
from tenants.actors import Actor
from tenants.forms import ROLE_WORDS, role_choices
from tenants.scopes import SCOPES
from tenants.selectors import most_key_days, usual_key_days

#: Label and meaning of each scope.
SCOPE_WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "read": (_("Read"), _("Look at everything")),
    "run": (_("Run"), _("Start, cancel and retry runs, test connections")),
    "write": (_("Write"), _("Create, change and delete")),
    "keys": (_("Keys"), _("List, make and revoke API keys")),
    "audit": (_("Audit"), _("Read the audit log")),
    "manage": (_("Manage"), _("Members and settings")),
}
_LIVES = (7, 30, 90, 365)
_OVERLAPS = (0, 1, 3, 7)
_NEVER = "never"


class ScopeCards(forms.CheckboxSelectMultiple):
    """Checkboxes as cards, each with what it allows."""

    template_name = "components/choice_cards.html"

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        option["description"] = SCOPE_WORDS[str(option["value"])][1]
        return option


class _ExpiryForm(forms.Form):
    """Offers what operators allow, and starts with what they have set."""

    days = forms.ChoiceField(label=_("Expires"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most, usual = most_key_days(), usual_key_days()
        lives = {*_LIVES, usual} if most is None else {*_LIVES, usual, most}
        choices = [(str(days), _in_days(days)) for days in sorted(lives) if days <= (most or days)]
        if most is None:
            choices.append((_NEVER, str(_("Never"))))
        self.fields["days"].choices = choices  # type: ignore[attr-defined]
        self.fields["days"].initial = str(usual)

    def clean_days(self) -> int | None:
        text = self.cleaned_data["days"]
        return None if text == _NEVER else int(text)


class ApiKeyForm(_ExpiryForm):
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("What uses it, such as “Nightly export”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label=_("Role"), initial=Role.VIEWER.value)
    scopes = forms.MultipleChoiceField(
        label=_("Only for"),
        required=False,
        choices=[(word, SCOPE_WORDS[word][0]) for word in SCOPES],
        widget=ScopeCards,
        help_text=_("Narrows the role. With none chosen the key may do all that its role may."),
    )
    spans = {"days": "f-3"}
    field_order = ("name", "role", "scopes", "days")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = {str(role.value): text for role, text in ROLE_WORDS.items()}
        self.fields["role"].widget = ChoiceCards(descriptions=words)
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            choice for choice in role_choices(actor.role) if choice[0] != Role.GUEST
        ]


class ApiKeyRotateForm(_ExpiryForm):
    overlap_days = forms.TypedChoiceField(
        label=_("The old key works"),
        coerce=int,
        initial="1",
        help_text=_("Time to put the new key in its place. Both work until then."),
    )
    spans = {"overlap_days": "f-3", "days": "f-3"}
    field_order = ("overlap_days", "days")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["overlap_days"].choices = [  # type: ignore[attr-defined]
            (str(days), _for_days(days)) for days in _OVERLAPS
        ]
        self.fields["days"].label = _("The new key expires")


def _in_days(days: int) -> str:
    return ngettext("In %(days)d day", "In %(days)d days", days) % {"days": days}


def _for_days(days: int) -> str:
    if not days:
        return str(_("No longer"))
    return ngettext("For %(days)d more day", "For %(days)d more days", days) % {"days": days}
