"""The form of the editor: one transformation with its columns and tests, saved as a whole."""

import json
import re
from typing import Any

import yaml
from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext_lazy as _

from connections.models import Connection
from transforms.models import Materialization, Severity, TestKind, Transformation

STRATEGIES = ("append", "delete+insert", "merge")
ON_SCHEMA_CHANGE = ("ignore", "append_new_columns", "sync_all_columns", "fail")
#: Keys of dbt's config that have a field of their own and stand nowhere else.
_OWN_KEYS = frozenset({"materialized", "schema", "tags", "unique_key"})
_SIMPLE_LIST = re.compile(r"\w+(\s*,\s*\w+)*")
_MOST_TESTS = 300
_MOST_COLUMNS = 2000
_CODE = {"class": "mono", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}


class TransformationForm(forms.Form):
    """The SQL and the settings. ``connection`` is asked for only before the first save."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    sql = forms.CharField(
        label=_("SQL"),
        strip=False,
        required=False,
        max_length=500_000,
        widget=forms.Textarea({**_CODE, "rows": 24}),
    )
    materialization = forms.ChoiceField(
        label=_("Materialization"),
        choices=Materialization.choices,
        widget=forms.Select({"class": "input-sm w-auto"}),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=63,
        widget=forms.TextInput(_CODE),
        help_text=_("Names the table or view, and what ref() calls it."),
    )
    folder = forms.CharField(
        label=_("Folder"),
        max_length=120,
        required=False,
        widget=forms.TextInput({**_CODE, "list": "folders"}),
        help_text=_("A path such as marts/finance."),
    )
    connection = forms.ChoiceField(
        label=_("Warehouse"), help_text=_("Where it is built; it cannot be moved later.")
    )
    schema = forms.CharField(
        label=_("Schema"),
        max_length=63,
        required=False,
        widget=forms.TextInput(_CODE),
        help_text=_("Empty: the organization's default schema."),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea({"rows": 3}),
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=500,
        widget=forms.TextInput(_CODE),
        help_text=_("Separated by commas; runs select by tag:name."),
    )
    unique_key = forms.CharField(
        label=_("Unique key"),
        required=False,
        max_length=500,
        widget=forms.TextInput(_CODE),
        help_text=_("Columns, separated by commas. For incremental builds."),
    )
    incremental_strategy = forms.ChoiceField(
        label=_("Incremental strategy"),
        required=False,
        choices=[("", _("The warehouse's own")), *((s, s) for s in STRATEGIES)],
    )
    on_schema_change = forms.ChoiceField(
        label=_("When columns change"),
        required=False,
        choices=[("", _("dbt's own (ignore)")), *((s, s) for s in ON_SCHEMA_CHANGE)],
    )
    more_config = forms.CharField(
        label=_("More configuration"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea({**_CODE, "rows": 4}),
        help_text=_("dbt's config as YAML; every key is kept."),
    )

    def __init__(
        self,
        *args: Any,
        row: Transformation | None = None,
        warehouses: list[Connection] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if row is not None:
            del self.fields["connection"]
            return
        field = self.fields["connection"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(w.slug, w.name) for w in warehouses or []]

    def clean_folder(self) -> str:
        return str(self.cleaned_data["folder"]).strip("/")

    def clean_tags(self) -> tuple[str, ...]:
        tags = re.split(r"[,\s]+", self.cleaned_data["tags"])
        return tuple(dict.fromkeys(tag for tag in tags if tag))

    def clean_more_config(self) -> dict[str, Any]:
        config = _mapping(self.cleaned_data["more_config"])
        if own := sorted(_OWN_KEYS & set(config)):
            raise ValidationError(_("%s has a field of its own; remove it here.") % own[0])
        return config

    def config(self) -> dict[str, Any]:
        """dbt's config: the fields that are filled in, and every other key."""
        data = self.cleaned_data
        config = dict(data["more_config"])
        if key := data["unique_key"].strip():
            config["unique_key"] = _columns_or_expression(key)
        for name in ("incremental_strategy", "on_schema_change"):
            if data[name]:
                config[name] = data[name]
        return config


class ColumnForm(forms.Form):
    """What people say of one column."""

    name = forms.CharField(max_length=255, widget=forms.HiddenInput)
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=5_000,
        widget=forms.TextInput({"class": "input-sm", "placeholder": _("Describe it")}),
    )


class TestForm(forms.Form):
    """One test. Which arguments count depends on the kind."""

    __test__ = False

    column = forms.CharField(
        label=_("Column"),
        max_length=255,
        widget=forms.TextInput({**_CODE, "list": "columns"}),
    )
    kind = forms.ChoiceField(label=_("Test"), choices=TestKind.choices)
    values = forms.CharField(
        label=_("Accepted values"),
        required=False,
        max_length=5_000,
        widget=forms.TextInput(_CODE),
        help_text=_("Separated by commas."),
    )
    to = forms.CharField(
        label=_("Is found in"),
        required=False,
        max_length=255,
        widget=forms.TextInput({**_CODE, "list": "transformations"}),
        help_text=_("A transformation."),
    )
    field = forms.CharField(
        label=_("Its column"), required=False, max_length=255, widget=forms.TextInput(_CODE)
    )
    severity = forms.ChoiceField(label=_("When it fails"), choices=Severity.choices)
    where = forms.CharField(
        label=_("Only where"),
        required=False,
        max_length=500,
        widget=forms.TextInput(_CODE),
        help_text=_("An SQL condition that narrows the rows tested."),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        kind = data.get("kind")
        if kind == TestKind.ACCEPTED_VALUES and not data.get("values"):
            self.add_error("values", _("Name at least one value."))
        if kind == TestKind.RELATIONSHIPS:
            for name in ("to", "field"):
                if not data.get(name):
                    self.add_error(name, _("A relationship needs it."))
        return data

    def as_test(self, stored: dict[str, Any] | None = None) -> dict[str, Any]:
        """The test as services take it; arguments that have no field here stay as ``stored``."""
        data = self.cleaned_data
        arguments = dict((stored or {}).get("arguments", {}))
        if data["kind"] == TestKind.ACCEPTED_VALUES:
            typed = [value.strip() for value in data["values"].split(",")]
            kept = _listed(arguments.get("values"))
            # Numbers stay numbers: only what was changed in the field is text now.
            same = kept and typed == [str(value).strip() for value in kept]
            arguments["values"] = kept if same else [value for value in typed if value]
        if data["kind"] == TestKind.RELATIONSHIPS:
            arguments["to"], arguments["field"] = data["to"], data["field"]
        return {
            "column": data["column"],
            "kind": data["kind"],
            "arguments": arguments,
            "severity": data["severity"],
            "where": data["where"],
        }


class StoredTestForm(TestForm):
    """A test in the list: column and kind are what it is, so they do not change."""

    __test__ = False

    column = forms.CharField(max_length=255, widget=forms.HiddenInput)
    kind = forms.ChoiceField(choices=TestKind.choices, widget=forms.HiddenInput)
    remove = forms.BooleanField(label=_("Remove this test"), required=False)


ColumnForms: type[BaseFormSet[ColumnForm]] = formset_factory(
    ColumnForm, extra=0, max_num=_MOST_COLUMNS, absolute_max=_MOST_COLUMNS
)
TestForms: type[BaseFormSet[StoredTestForm]] = formset_factory(
    StoredTestForm, extra=0, max_num=_MOST_TESTS, absolute_max=_MOST_TESTS
)


def initial_of(row: Transformation) -> dict[str, Any]:
    """The stored transformation as the form shows it."""
    config = dict(row.config)
    key = config.pop("unique_key", "")
    shown = {"unique_key": ", ".join(map(str, key)) if isinstance(key, list) else key}
    # A strategy we do not offer (microbatch, a warehouse's own) stays in the YAML.
    if config.get("incremental_strategy") in STRATEGIES:
        shown["incremental_strategy"] = config.pop("incremental_strategy")
    if config.get("on_schema_change") in ON_SCHEMA_CHANGE:
        shown["on_schema_change"] = config.pop("on_schema_change")
    return {
        "version": row.version,
        "sql": row.sql,
        "materialization": row.materialization,
        "name": row.name,
        "folder": row.folder,
        "schema": row.schema,
        "description": row.description,
        "tags": ", ".join(row.tags),
        "more_config": as_yaml(config) if config else "",
        **shown,
    }


def initial_of_test(test: dict[str, Any]) -> dict[str, Any]:
    """A test as the form shows it."""
    arguments = test["arguments"]
    return {
        "column": test["column"],
        "kind": test["kind"],
        "values": ", ".join(map(str, _listed(arguments.get("values")))),
        "to": arguments.get("to", ""),
        "field": arguments.get("field", ""),
        "severity": test["severity"],
        "where": test["where"],
    }


def as_yaml(value: Any) -> str:
    """Plain data as people read it."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=80)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _columns_or_expression(text: str) -> str | list[str]:
    if "," not in text or not _SIMPLE_LIST.fullmatch(text):
        return text
    return [part.strip() for part in text.split(",")]


def _mapping(text: str) -> dict[str, Any]:
    """YAML as JSON data; a ``ValidationError`` names the line."""
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise ValidationError(_("YAML aliases (*name) are not supported; write the value out."))
        loaded = yaml.safe_load(text) or {}
        # Dates and the like become text: the configuration is kept as JSON.
        value = json.loads(json.dumps(loaded, default=str, allow_nan=False))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValidationError(
            _("Line %(line)d is not YAML: %(words)s.") % {"line": line, "words": error.problem}
        ) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise ValidationError(_("This is not YAML that can be kept.")) from None
    if not isinstance(value, dict):
        raise ValidationError(_("Write keys and values, for example “enabled: true”."))
    return value
