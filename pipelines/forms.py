"""The forms of pipelines. They read what was typed; ``definition`` decides whether it is right."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from common.errors import UserError
from common.ui.forms import ChoiceCards
from connections.models import Connection

MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


def put_error(form: forms.Form, error: UserError, *, within: str = "") -> None:
    """Show a service's refusal at the field it names, or above the form."""
    name = error.field.removeprefix(within).lstrip(".").split(".")[0].split("[")[0]
    text = f"{error.message} {error.remedy}".strip()
    form.add_error(name if name in form.fields else None, text)


class DestinationForm(forms.Form):
    """Where it goes and what the pipeline is called."""

    name = forms.CharField(label=_("Name of the pipeline"), max_length=80)
    destination = forms.ChoiceField(label=_("Destination"), widget=ChoiceCards)
    dataset = forms.CharField(
        label=_("Schema in the destination"),
        required=False,
        max_length=63,
        help_text=_("Made by the first run, and this pipeline's alone. Empty: made from the name."),
        widget=forms.TextInput(attrs=MONO),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        help_text=_("What these data are, and who to ask about them."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    sections = (
        ("", ("destination", "dataset")),
        (_("What it is called"), ("name", "description")),
    )

    def __init__(self, *args: Any, destinations: Sequence[Connection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["destination"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(one.slug, one.name) for one in destinations]
        field.widget.descriptions = {
            one.slug: f"{one.type.label} · {one.address}" for one in destinations
        }


class YamlForm(forms.Form):
    text = forms.CharField(
        label=_("Definition"),
        strip=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 28, "wrap": "off"}),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


class FilesForm(forms.Form):
    """Files to load: ticked ones, and patterns typed by hand."""

    chosen = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    patterns = forms.CharField(
        label=_("Paths and patterns"),
        required=False,
        help_text=_(
            "One a line, below the organization's files. "
            "* stands for any characters, ** for any directories. Each line becomes one table."
        ),
        widget=forms.Textarea(attrs={**MONO, "rows": 3, "placeholder": "weather/*.csv"}),
    )

    def __init__(self, *args: Any, choices: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["chosen"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(name, name) for name in choices]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not self.names():
            raise forms.ValidationError(_("Choose a file, or type a path or pattern."))
        return cleaned

    def names(self) -> list[str]:
        """The resources, in the order chosen, each once."""
        typed = [line.strip() for line in self.cleaned_data.get("patterns", "").splitlines()]
        return list(dict.fromkeys([*self.cleaned_data.get("chosen", []), *filter(None, typed)]))
