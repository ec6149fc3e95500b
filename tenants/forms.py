"""The forms of this app's pages: they check the shape, the services the rules."""

import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from common.access import Role
from common.errors import DatanikaError
from common.ui.forms import ChoiceCards
from tenants.models import Membership, Organization
from tenants.selectors import roles_up_to
from tenants.services import INVITATION_DAYS, MOST_INVITATION_DAYS
from tenants.sign_in_forms import new_password_field

#: What each role may do, in the words of the pages.
ROLE_WORDS = {
    Role.GUEST: _("Sees only the connections and pipelines that are shared with them"),
    Role.VIEWER: _("Looks at everything, changes nothing"),
    Role.EDITOR: _("Builds and runs pipelines and transformations"),
    Role.ADMIN: _("Also manages members, settings and every API key"),
    Role.OWNER: _("Everything; an organization keeps at least one"),
}


def put_error(form: forms.Form, error: DatanikaError) -> None:
    """The service's refusal, on the field it is about or above the form."""
    form.add_error(error.field if error.field in form.fields else None, str(error))


def role_choices(role: Role) -> list[tuple[str, str]]:
    """The roles somebody with ``role`` may give."""
    return [(other.value, other.value.title()) for other in roles_up_to(role)]


def _person_field() -> forms.CharField:
    return forms.CharField(
        label=_("Your name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class WelcomeForm(forms.Form):
    organization_name = forms.CharField(
        label=_("Organization"),
        max_length=80,
        help_text=_("Your team or company. It can be renamed later."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    name = _person_field()
    email = forms.EmailField(
        label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = new_password_field(_("Password"))


class JoinForm(forms.Form):
    name = _person_field()
    password = new_password_field(_("Password"))


class OrganizationForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Your team or company. It can be renamed later."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


class ProfileForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        help_text=_("Shown to the members of your organizations and in the audit log."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class SettingsForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("Schedules start in it unless they name another."),
    )
    default_schema = forms.CharField(
        label=_("Default schema"),
        max_length=63,
        widget=forms.TextInput(attrs={"class": "mono"}),
        help_text=_("Where transformations land when they name no schema."),
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        kwargs.setdefault(
            "initial",
            {
                "name": organization.name,
                "time_zone": organization.time_zone,
                "default_schema": organization.default_schema,
            },
        )
        super().__init__(*args, **kwargs)
        zones = sorted(available_timezones())
        self.fields["time_zone"].choices = [(z, z) for z in zones]  # type: ignore[attr-defined]


class InviteForm(forms.Form):
    emails = forms.CharField(
        label=_("E-mail addresses"),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One or many, separated by commas, spaces or lines."),
    )
    role = forms.ChoiceField(label=_("Role"), initial=Role.EDITOR.value)
    days = forms.IntegerField(
        label=_("Good for"),
        min_value=1,
        max_value=MOST_INVITATION_DAYS,
        initial=INVITATION_DAYS,
        required=False,
        help_text=_("Days, from 1 to 30. A link works once."),
    )
    spans = {"days": "f-2"}

    def __init__(self, *args: Any, actor_role: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_roles(self, actor_role)

    def clean_emails(self) -> list[str]:
        return [part for part in re.split(r"[\s,;]+", self.cleaned_data["emails"]) if part]

    def clean_days(self) -> int:
        return self.cleaned_data["days"] or INVITATION_DAYS


class HandOverForm(forms.Form):
    member = forms.TypedChoiceField(label=_("New owner"), coerce=int)

    def __init__(self, *args: Any, members: Iterable[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(row.pk, f"{row.user.display_name} ({row.user.email})") for row in members]
        self.fields["member"].choices = [("", _("Choose a member")), *choices]  # type: ignore[attr-defined]


class DeleteForm(forms.Form):
    confirmation = forms.CharField(
        max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["confirmation"].label = _("Type %(name)s to delete it") % {"name": name}


def _offer_roles(form: forms.Form, role: Role) -> None:
    field = form.fields["role"]
    words = {str(key.value): text for key, text in ROLE_WORDS.items()}
    field.widget = ChoiceCards(descriptions=words)
    field.choices = role_choices(role)  # type: ignore[attr-defined]


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=[(role.value, role.value) for role in Role])
