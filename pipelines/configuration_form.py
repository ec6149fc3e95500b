"""The form of a pipeline's configuration: what it is called, what it copies, and how."""

import re
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from pipelines.choosing import Picking
from pipelines.forms import MONO
from pipelines.holders import PipelineHolder
from pipelines.models import Mode
from pipelines.settings_form import BASE, DefaultForm, disposition_field

#: Together they take every table.
_EVERYTHING = "*"


class PatternsField(forms.CharField):
    """Patterns of table names, one a line; a list of them on both sides."""

    def __init__(self, *, rows: int = 3, placeholder: str = "", **kwargs: Any) -> None:
        attrs = {**MONO, "rows": rows, "placeholder": placeholder}
        super().__init__(required=False, widget=forms.Textarea(attrs=attrs), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        return lines_of(super().clean(value))


class TagsField(forms.CharField):
    """Tags with commas or blanks between them; a list of them on both sides."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Tags"),
            required=False,
            max_length=500,
            widget=forms.TextInput(attrs={**MONO, "placeholder": "nightly, finance"}),
            help_text=_("Separated by commas; selections find it by tag:name."),
        )

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        tags = re.split(r"[,\s]+", super().clean(value))
        return list(dict.fromkeys(filter(None, tags)))


def lines_of(text: str) -> list[str]:
    """Each line that says something, once."""
    return list(dict.fromkeys(filter(None, (line.strip() for line in text.splitlines()))))


class ConfigurationForm(DefaultForm):
    """What of an existing pipeline as a whole may change.

    A single table with all its settings on its own page has none here.
    """

    name = forms.CharField(label=_("Name"), max_length=80)
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    tags = TagsField()
    include = PatternsField(
        label=_("Take"),
        placeholder="ord*",
        help_text=_("One a line; * stands for any characters, ? for one. Empty: every table."),
    )
    exclude = PatternsField(
        label=_("Leave out"), placeholder="*_tmp", help_text=_("Of those that are taken.")
    )
    version = forms.IntegerField(widget=forms.HiddenInput)
    spans = {**DefaultForm.spans, "include": "f-3", "exclude": "f-3"}

    def __init__(self, data: QueryDict | None = None, *, holder: PipelineHolder) -> None:
        definition = holder.definition
        super().__init__(data, initial=definition.as_dict())
        self.initial = {
            **self.initial,
            "name": definition.name,
            "description": definition.description,
            "tags": definition.tags,
            "include": definition.include,
            "exclude": definition.exclude,
            "version": holder.version,
        }
        self.has_defaults = holder.inherited is not None
        self.fields["write_disposition"] = disposition_field(holder.dispositions)
        gone = [] if holder.mode == Mode.FULL_DATABASE else ["include", "exclude"]
        if not self.has_defaults:
            gone += [name for name in self.fields if name in BASE or name.startswith("contract_")]
        for name in gone:
            del self.fields[name]

    def picking(self) -> Picking:
        """What the patterns as they were typed take; none at all take everything."""
        include, exclude = (lines_of(self.data.get(one, "")) for one in ("include", "exclude"))
        return Picking.of_patterns(include or [_EVERYTHING], exclude)

    def values(self) -> dict[str, Any]:
        """What changes, as the definition names it."""
        plain = ("name", "description", "tags", "include", "exclude")
        values = {name: self.cleaned_data[name] for name in plain if name in self.fields}
        return values | (super().values() if self.has_defaults else {})
