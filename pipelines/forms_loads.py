"""Forms over what loads have left and would touch: cursors, and what a run is asked for."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.ui.forms import ChoiceCards
from pipelines.options import LoadOptions

_LONGEST_VALUE = 255
_MONO: dict[str, Any] = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


class ResetForm(forms.Form):
    """The cursor as it was looked at: what the change starts from."""

    resource = forms.CharField(widget=forms.HiddenInput)
    expected = forms.CharField(widget=forms.HiddenInput, required=False)

    @property
    def seen(self) -> str | None:
        """The value that was looked at; a cursor's own value is never empty."""
        found: str = self.cleaned_data["expected"]
        return found or None


class MoveForm(ResetForm):
    value = forms.CharField(
        label=_("Value"),
        max_length=_LONGEST_VALUE,
        # In the dialog it comes after the opening, so the focus has to be told.
        widget=forms.TextInput(attrs=_MONO | {"autofocus": True}),
    )


class ScopeForm(forms.Form):
    """What is to be loaded again, out of the query: everything, one table, or a range of one."""

    WHOLE, TABLE, RANGE = "all", "table", "range"
    WORDS: ClassVar[dict[str, tuple[Promise, Promise]]] = {
        WHOLE: (_("All tables"), _("Everything is read from the beginning and replaced")),
        TABLE: (_("One table"), _("The others stay as they are")),
        RANGE: (_("A range"), _("Rows between two values of a table's cursor")),
    }

    spans: ClassVar = {"cursor_from": "f-3", "cursor_to": "f-3"}

    what = forms.ChoiceField(label=_("What is loaded again"), required=False)
    table = forms.ChoiceField(label=_("Table"), required=False)
    cursor_from = forms.CharField(
        label=_("From"),
        max_length=_LONGEST_VALUE,
        required=False,
        help_text=_("This value is part of it."),
        widget=forms.TextInput(attrs=_MONO),
    )
    cursor_to = forms.CharField(
        label=_("Up to"),
        max_length=_LONGEST_VALUE,
        required=False,
        help_text=_("This value is not part of it."),
        widget=forms.TextInput(attrs=_MONO),
    )

    def __init__(
        self, query: dict[str, Any], *, tables: Sequence[str], ranged: Iterable[str]
    ) -> None:
        """``tables`` are the names of the resources, ``ranged`` those with a cursor."""
        self.ranged = list(ranged)
        kinds = [self.WHOLE, self.TABLE, *([self.RANGE] if self.ranged else [])]
        what = query.get("what") if query.get("what") in kinds else self.WHOLE
        offered = self.ranged if what == self.RANGE else list(tables)
        table = query.get("table") if query.get("table") in offered else next(iter(offered), "")
        super().__init__({**query, "what": what, "table": table})
        self.scope = str(what)
        field = self.fields["what"]
        assert isinstance(field, forms.ChoiceField)
        for name in ("table", *(("cursor_from", "cursor_to") if what == self.RANGE else ())):
            self.fields[name].required = what != self.WHOLE
        words = {kind: self.WORDS[kind] for kind in kinds}
        field.widget = ChoiceCards(descriptions={kind: text for kind, (_l, text) in words.items()})
        field.choices = [(kind, label) for kind, (label, _text) in words.items()]
        named = self.fields["table"]
        assert isinstance(named, forms.ChoiceField)
        named.choices = [(name, name) for name in offered]

    @property
    def is_complete(self) -> bool:
        """False while a bound is not typed yet, which is no mistake."""
        names = ("cursor_from", "cursor_to") if self.wants_range else ()
        return all(str(self.data.get(name) or "").strip() for name in names)

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_complete:
            for name in ("cursor_from", "cursor_to"):
                self.errors.pop(name, None)

    @property
    def wants_range(self) -> bool:
        return self.scope == self.RANGE

    @property
    def wants_table(self) -> bool:
        return self.scope != self.WHOLE

    @property
    def table_name(self) -> str:
        return str(self.cleaned_data.get("table") or "") if self.wants_table else ""

    def options(self) -> LoadOptions:
        """What a run would be asked for. Not checked against the pipeline."""
        given = self.cleaned_data
        named = [self.table_name] if self.wants_table else []
        if self.wants_range:
            return LoadOptions.of(
                tables=named,
                cursor_from=given.get("cursor_from", ""),
                cursor_to=given.get("cursor_to", ""),
            )
        return LoadOptions.of(full_refresh=True, tables=named)
