"""The forms of pipelines. They read what was typed; ``definition`` decides whether it is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from common.errors import UserError
from common.ui.forms import ChoiceCards, Switch
from connections.models import Connection
from pipelines.definition import ResourceDefinition
from pipelines.filter_form import FilterForm
from pipelines.models import Mode, WriteDisposition
from pipelines.wording import DISPOSITIONS

_MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


def _disposition_field(choices: Sequence[WriteDisposition]) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=_("How it is written"),
        choices=[(one.value, one.label) for one in choices],
        widget=ChoiceCards(descriptions=DISPOSITIONS),
        initial=WriteDisposition.REPLACE,
    )


def put_error(form: forms.Form, error: UserError, *, within: str = "") -> None:
    """Show a service's refusal at the field it names, or above the form."""
    name = error.field.removeprefix(within).lstrip(".").split(".")[0].split("[")[0]
    text = f"{error.message} {error.remedy}".strip()
    form.add_error(name if name in form.fields else None, text)


class DefaultForm(forms.Form):
    """How tables without settings of their own are written."""

    write_disposition = _disposition_field([WriteDisposition.REPLACE, WriteDisposition.APPEND])


class DestinationForm(forms.Form):
    """Where it goes and what the pipeline is called."""

    name = forms.CharField(label=_("Name of the pipeline"), max_length=80)
    destination = forms.ChoiceField(label=_("Destination"), widget=ChoiceCards)
    dataset = forms.CharField(
        label=_("Schema in the destination"),
        required=False,
        max_length=63,
        help_text=_("Made by the first run, and this pipeline's alone. Empty: made from the name."),
        widget=forms.TextInput(attrs=_MONO),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        help_text=_("What these data are, and who to ask about them."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    sections = (
        (_("Where it goes"), ("destination", "dataset")),
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


class PipelineForm(forms.Form):
    """What of an existing pipeline as a whole may change."""

    name = forms.CharField(label=_("Name"), max_length=80)
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    write_disposition = _disposition_field(list(WriteDisposition))
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, mode: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mode != Mode.FULL_DATABASE:
            del self.fields["write_disposition"]
        else:
            self.fields["write_disposition"].label = _("Tables without settings of their own")


class YamlForm(forms.Form):
    text = forms.CharField(
        label=_("Definition"),
        strip=False,
        widget=forms.Textarea(attrs={**_MONO, "rows": 28, "wrap": "off"}),
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
        widget=forms.Textarea(attrs={**_MONO, "rows": 3, "placeholder": "weather/*.csv"}),
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


@dataclass(frozen=True)
class ColumnRow:
    """A column of the source in the form's table."""

    name: str
    type: str
    is_taken: bool
    is_key: bool
    #: Named in the settings, but the source has it no more.
    is_gone: bool = False


class ResourceForm(forms.Form):
    """How one table is read and written. ``columns`` is None when the source could not be asked.

    Columns and keys are ticked in a table the template draws from ``column_rows``; without the
    source's answer they are typed.
    """

    is_selected = forms.BooleanField(
        label=_("Load this table"),
        required=False,
        help_text=_("Off leaves it out; what was loaded before stays."),
        widget=Switch,
    )
    target = forms.CharField(
        label=_("Table in the destination"),
        max_length=63,
        required=False,
        widget=forms.TextInput(attrs=_MONO),
    )
    write_disposition = _disposition_field(list(WriteDisposition))
    cursor_column = forms.CharField(
        label=_("Cursor"),
        required=False,
        help_text=_("A column that only grows, such as updated_at. Replace does not use it."),
    )
    cursor_initial = forms.CharField(
        label=_("First value"),
        required=False,
        max_length=255,
        help_text=_("Where the first run begins. Empty: with everything."),
        widget=forms.TextInput(attrs=_MONO),
    )
    primary_key = forms.CharField(label=_("Primary key"), required=False)
    columns = forms.CharField(label=_("Columns"), required=False)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    spans = {"cursor_column": "f-3", "cursor_initial": "f-3"}

    def __init__(
        self,
        *args: Any,
        columns: list[dict[str, Any]] | None,
        filters: FilterForm,
        dispositions: frozenset[str] = frozenset(WriteDisposition.values),
        may_leave_out: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.source_columns, self.filters = columns, filters
        self.names: list[str] = []
        field = self.fields["write_disposition"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (value, WriteDisposition(value).label)
            for value in DISPOSITIONS
            if value in dispositions
        ]
        if not may_leave_out:
            del self.fields["is_selected"]
        if columns is None:
            self._ask_for_names()
        else:
            self._offer_columns(columns)

    def _ask_for_names(self) -> None:
        for name in ("primary_key", "columns", "cursor_column"):
            self.fields[name].widget = forms.TextInput(attrs=_MONO)
        self.fields["primary_key"].help_text = _("Names of columns, separated by commas.")
        self.fields["columns"].help_text = _("Separated by commas. Empty: all, new ones included.")

    def _offer_columns(self, columns: list[dict[str, Any]]) -> None:
        stored = self.initial
        named = {*stored.get("columns", []), *stored.get("primary_key", [])}
        named |= {stored.get("cursor_column", "")} - {""}
        gone = sorted(named - {one["name"] for one in columns})
        self.names = [*(one["name"] for one in columns), *gone]
        choices = [(name, name) for name in self.names]
        for name in ("primary_key", "columns"):
            self.fields[name] = forms.MultipleChoiceField(choices=choices, required=False)
        self.fields["cursor_column"] = forms.ChoiceField(
            label=_("Cursor"),
            choices=[("", _("None, read everything")), *choices],
            required=False,
            help_text=self.fields["cursor_column"].help_text,
        )

    @property
    def column_rows(self) -> list[ColumnRow]:
        """The table of columns, as ticked."""
        taken, keys = set(self._ticked("columns")), set(self._ticked("primary_key"))
        everything = not taken and not self.is_bound
        types = {one["name"]: one.get("type", "") for one in self.source_columns or []}
        return [
            ColumnRow(
                name,
                types.get(name, ""),
                everything or name in taken,
                name in keys,
                name not in types,
            )
            for name in self.names
        ]

    @property
    def takes_all(self) -> bool:
        return all(row.is_taken for row in self.column_rows)

    def _ticked(self, name: str) -> list[str]:
        if self.is_bound and isinstance(self.data, QueryDict):
            return self.data.getlist(name)
        return list(self.initial.get(name, []))

    def chosen_columns(self) -> list[str]:
        """Columns to take; empty when all are, so that new ones of the source come along."""
        value = self.cleaned_data.get("columns") or []
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return [] if set(value) >= set(self.names) else list(value)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.source_columns is not None and not cleaned.get("columns"):
            self.add_error("columns", _("Take at least one column."))
        return cleaned

    def resource(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The settings as JSON, checked, over the ``stored`` ones, which the form does not show all of."""
        data = {
            **stored,
            "target": self.cleaned_data.get("target", ""),
            "is_selected": self.cleaned_data.get("is_selected", True),
            "write_disposition": self.cleaned_data.get("write_disposition"),
            "primary_key": self.cleaned_data.get("primary_key", []),
            "cursor_column": self.cleaned_data.get("cursor_column", ""),
            "cursor_initial": self.cleaned_data.get("cursor_initial", ""),
            "columns": self.chosen_columns(),
            "filters": self.filters.items(),
        }
        return ResourceDefinition.parse(data, where="resource").as_dict()

    def put_error(self, error: UserError) -> None:
        """At the field or the filter row the error names."""
        path = error.field.removeprefix("resource.")
        if path.startswith("filters"):
            self.filters.put_error(path, f"{error.message} {error.remedy}".strip())
            self.add_error(None, _("One filter is not complete, or does not fit."))
            return
        put_error(self, error, within="resource.")


def initial_of(resource: dict[str, Any], described: dict[str, Any] | None) -> dict[str, Any]:
    """What the form begins with: the settings, and for a new table the key the source declares."""
    initial = {"is_selected": True, **resource}
    if "primary_key" not in resource and described:
        initial["primary_key"] = list(described["primary_key"])
    if described is None:
        for name in ("primary_key", "columns"):
            initial[name] = ", ".join(initial.get(name, []))
    return initial
