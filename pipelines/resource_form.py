"""The form of one table, query or set of files: how it is read and written."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from common.errors import UserError
from common.ui.forms import ChoiceCards, Switch
from pipelines.column_table import ColumnTable
from pipelines.definition import ResourceDefinition
from pipelines.definition.values import CONTRACT_KEYS
from pipelines.filter_form import FilterForm
from pipelines.forms import MONO, put_error
from pipelines.models import RowOrder, SchemaChange, Verify, WriteDisposition
from pipelines.settings_form import (
    AS_THE_PIPELINE,
    BASE,
    OpenChoice,
    SettingsForm,
    disposition_field,
    strategy_field,
    verify_field,
)
from pipelines.wording import contract_words

_CURSOR_KEYS = ("cursor_column", "cursor_initial", "cursor_lookback", "row_order")
_OWN = "own"


class NamesInput(forms.TextInput):
    """Names typed with commas; those ticked in a table that the source no longer fills are taken over."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        names = data.getlist(name) if isinstance(data, QueryDict) else []
        if len(names) < 2:
            return super().value_from_datadict(data, files, name)
        return "" if str(len(names)) == data.get(f"{name}-offered") else ", ".join(names)


class Ticks(forms.SelectMultiple):
    """The boxes of the table of columns."""

    def __init__(self, table: ColumnTable) -> None:
        super().__init__()
        self.table = table

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        if isinstance(data, QueryDict):
            return self.table.ticked(data, name)
        return super().value_from_datadict(data, files, name)


class ResourceForm(SettingsForm):
    """Everything of one resource.

    ``columns`` is None when the source could not be asked: then names are typed, and columns and keys are no
    table. ``defaults`` are the pipeline's settings where a table may leave something to it, else None.
    """

    is_selected = forms.BooleanField(
        label=_("Load this table"),
        required=False,
        help_text=_("Off leaves it out; what was loaded before stays."),
        widget=Switch,
    )
    query = forms.CharField(
        label=_("SQL"),
        help_text=_("One SELECT, run read-only in the source."),
        widget=forms.Textarea(attrs={**MONO, "rows": 8, "wrap": "off"}),
    )
    target = forms.CharField(
        label=_("Table in the destination"),
        max_length=63,
        required=False,
        widget=forms.TextInput(attrs=MONO),
    )
    cursor_column = forms.CharField(
        label=_("Cursor"),
        required=False,
        help_text=_("A column that only grows, such as updated_at or a running number."),
    )
    cursor_initial = forms.CharField(
        label=_("First value"),
        required=False,
        max_length=255,
        help_text=_("Where the first run begins. Empty: with everything."),
        widget=forms.TextInput(attrs={**MONO, "placeholder": "2024-01-01"}),
    )
    cursor_lookback = forms.CharField(
        label=_("Look back"),
        required=False,
        max_length=40,
        help_text=_(
            "Reads again what lies this far before the last value, for rows that came late: "
            "15 minutes, 3 days, or a number alone for a cursor of numbers."
        ),
        widget=forms.TextInput(attrs={**MONO, "placeholder": "15 minutes"}),
    )
    row_order = OpenChoice(
        label=_("When a key comes several times"),
        help_text=_("Which of its rows is kept, by the cursor."),
        may_be_missing=True,
    )
    primary_key = forms.CharField(label=_("Primary key"), required=False)
    columns = forms.CharField(label=_("Columns"), required=False)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    spans = {**SettingsForm.spans, "target": "f-3", **dict.fromkeys(_CURSOR_KEYS, "f-3")}

    def __init__(
        self,
        *args: Any,
        columns: list[dict[str, Any]] | None,
        filters: FilterForm,
        defaults: dict[str, Any] | None = None,
        dispositions: frozenset[str] = frozenset(WriteDisposition.values),
        may_leave_out: bool = False,
        is_query: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.source_columns, self.filters, self.defaults = columns, filters, defaults
        #: The source's own words against the query.
        self.query_detail = ""
        if not may_leave_out:
            del self.fields["is_selected"]
        if not is_query:
            del self.fields["query"]
        self._add_settings(dispositions)
        self._offer_orders()
        self.table = None if columns is None else ColumnTable(columns, self.initial, self._posted)
        if self.table is None:
            self._ask_for_names()
        else:
            self._offer_columns(self.table)

    @property
    def _posted(self) -> QueryDict | None:
        return self.data if self.is_bound and isinstance(self.data, QueryDict) else None

    def _add_settings(self, dispositions: frozenset[str]) -> None:
        base = self.defaults or dict.fromkeys(BASE, "")
        self.fields["write_disposition"] = disposition_field(
            dispositions, inherited=base["write_disposition"]
        )
        self.fields["merge_strategy"] = strategy_field(inherited=base["merge_strategy"])
        self.fields["verify"] = verify_field(inherited=base["verify"])
        own = self.initial.get("schema_contract") or {}
        self.add_contract_fields(own or base["schema_contract"] or {})
        for key in ("write_disposition", "merge_strategy", "verify"):
            if not self.initial.get(key) and self.defaults is None:
                self.initial[key] = BASE[key]
        if self.defaults is not None:
            self.fields["contract"] = OpenChoice(
                label=_("Who decides"),
                choices=[("", AS_THE_PIPELINE), (_OWN, _("Rules of its own"))],
                widget=ChoiceCards(
                    descriptions={
                        "": _("At present: %(choice)s")
                        % {"choice": contract_words(self.defaults["schema_contract"])},
                        _OWN: _("For this table alone."),
                    }
                ),
                initial=_OWN if own else "",
                may_be_missing=True,
            )

    def _offer_orders(self) -> None:
        usual = str(RowOrder.ASC) if self.initial.get("row_order") == RowOrder.ASC else ""
        field = self.fields["row_order"]
        assert isinstance(field, OpenChoice)
        field.choices = [(usual, RowOrder.ASC.label), (str(RowOrder.DESC), RowOrder.DESC.label)]

    def _ask_for_names(self) -> None:
        for name in ("primary_key", "columns", "cursor_column"):
            self.fields[name].widget = NamesInput(attrs=MONO)
        self.fields["primary_key"].help_text = _("Names of columns, separated by commas.")
        self.fields["columns"].help_text = _("Separated by commas. Empty: all, new ones included.")

    def _offer_columns(self, table: ColumnTable) -> None:
        choices = [(name, name) for name in table.names]
        for name in ("primary_key", "columns"):
            self.fields[name] = forms.MultipleChoiceField(
                choices=choices, required=False, widget=Ticks(table)
            )
        self.fields["cursor_column"] = forms.ChoiceField(
            label=_("Cursor"),
            choices=[("", _("None, read everything")), *choices],
            required=False,
            help_text=self.fields["cursor_column"].help_text,
        )

    # --- what the page shows ---------------------------------------------------------------------

    @property
    def more_cursor_is_open(self) -> bool:
        names = ("cursor_lookback", "row_order")
        return any(self[name].value() or self[name].errors for name in names)

    @property
    def contract_summary(self) -> str:
        """What holds now, beside the closed section."""
        own = self.initial.get("schema_contract") or {}
        if own or self.defaults is None:
            return contract_words(own)
        return str(AS_THE_PIPELINE)

    @property
    def verify_summary(self) -> str:
        value = self.initial.get("verify") or ""
        return str(Verify(value).label) if value else str(AS_THE_PIPELINE)

    @property
    def rare_errors(self) -> bool:
        """Whether something in the closed sections is wrong."""
        names = [*(one.name for one in self.contract_fields), "contract", "verify"]
        return any(name in self.errors for name in names)

    # --- what it says ----------------------------------------------------------------------------

    def chosen_columns(self) -> list[str]:
        """Columns to take; empty when all are, so that new ones of the source come along."""
        value = self.cleaned_data.get("columns") or []
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return [] if self.table and set(value) >= set(self.table.names) else list(value)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.table and not cleaned.get("columns"):
            self.add_error("columns", _("Take at least one column."))
        return cleaned

    def resource(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The settings as JSON, checked, over the ``stored`` ones, which the form does not show all of."""
        cleaned, columns = self.cleaned_data, self.chosen_columns()
        disposition = cleaned["write_disposition"]
        data = {
            **stored,
            "target": cleaned.get("target", ""),
            "is_selected": cleaned.get("is_selected", True),
            "write_disposition": disposition,
            "primary_key": cleaned.get("primary_key", []),
            **{key: cleaned.get(key, "") for key in _CURSOR_KEYS},
            "columns": columns,
            "filters": self.filters.items(),
            "merge_strategy": self._own("merge_strategy", stored),
            "verify": self._own("verify", stored),
            "schema_contract": self._own_contract(stored),
        }
        if "query" in self.fields:
            data["query"] = cleaned.get("query", "")
        if self.table:
            data["column_settings"] = self.table.settings(columns)
        self._drop_hidden(data, disposition or (self.defaults or BASE)["write_disposition"])
        return ResourceDefinition.parse(data, where="resource").as_dict()

    def _own(self, key: str, stored: dict[str, Any]) -> str:
        """The choice; empty where nothing was said before, and what is usual was left as it was."""
        value, before = str(self.cleaned_data.get(key, "")), str(stored.get(key, ""))
        if self.add_prefix(key) not in self.data:
            return before
        usual = self.defaults is None and value == BASE[key]
        return "" if usual and not before else value

    def _own_contract(self, stored: dict[str, Any]) -> dict[str, str]:
        if not any(one.html_name in self.data for one in self.contract_fields):
            return dict(stored.get("schema_contract") or {})
        if self.defaults is None:
            return self.chosen_contract()
        if self.cleaned_data.get("contract") != _OWN:
            return {}
        # Whole, so that it stays a table's own even where it follows the source in everything.
        return dict.fromkeys(CONTRACT_KEYS, str(SchemaChange.EVOLVE)) | self.chosen_contract()

    def _drop_hidden(self, data: dict[str, Any], disposition: str) -> None:
        """What the way of writing has no use for is not on the page, and so not meant."""
        if disposition == WriteDisposition.REPLACE:
            data |= dict.fromkeys(_CURSOR_KEYS, "")
        if disposition != WriteDisposition.MERGE:
            data["merge_strategy"] = ""

    def put_error(self, error: UserError) -> None:
        """At the field, the column or the filter row the error names."""
        path = error.field.removeprefix("resource.")
        text = f"{error.message} {error.remedy}".strip()
        if path.startswith("filters"):
            self.filters.put_error(path, text)
            self.add_error(None, _("One filter is not complete, or does not fit."))
        elif self.table and self.table.put_error(path, text):
            self.add_error(None, _("One column cannot be loaded as it is set."))
        elif path.startswith("schema_contract."):
            self.add_error(path.replace("schema_contract.", "contract_"), text)
        else:
            self.query_detail = error.detail if path == "query" else ""
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
