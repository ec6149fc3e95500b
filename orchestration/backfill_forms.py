"""The form of a backfill: it checks shape, the service checks the rest."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from orchestration.slices import proposed_size
from pipelines.models import Pipeline
from pipelines.selectors import RangedResource

_LONGEST_VALUE = 255
_MONO: dict[str, Any] = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


class BackfillForm(forms.Form):
    """Out of the query. A size that is not given is proposed, so that two bounds are enough to see slices."""

    spans: ClassVar = {
        "pipeline": "f-3",
        "resource": "f-3",
        "cursor_from": "f-2",
        "cursor_to": "f-2",
    }
    spans |= {"slice_size": "f-2"}

    pipeline = forms.ChoiceField(label=_("Pipeline"))
    resource = forms.ChoiceField(label=_("Table"), help_text=_("Tables with a cursor."))
    cursor_from = forms.CharField(
        label=_("From"),
        max_length=_LONGEST_VALUE,
        help_text=_("This value is part of it."),
        widget=forms.TextInput(attrs=_MONO),
    )
    cursor_to = forms.CharField(
        label=_("Up to"),
        max_length=_LONGEST_VALUE,
        help_text=_("This value is not part of it."),
        widget=forms.TextInput(attrs=_MONO),
    )
    slice_size = forms.CharField(
        label=_("Size of a slice"),
        max_length=32,
        required=False,
        help_text=_("1 day, 6 hours, 1 month, or a number."),
        widget=forms.TextInput(attrs=_MONO),
    )

    def __init__(
        self, query: dict[str, Any], *, pipelines: list[Pipeline], tables: list[RangedResource]
    ) -> None:
        """``tables`` are those of the pipeline that the query names."""
        names = [one.name for one in tables]
        table = query.get("resource") if query.get("resource") in names else next(iter(names), "")
        data = {**query, "resource": table}
        begin, end = (str(data.get(name) or "").strip() for name in ("cursor_from", "cursor_to"))
        if begin and end and not str(data.get("slice_size") or "").strip():
            data["slice_size"] = proposed_size(begin, end)
        self._has_bounds = bool(begin and end)
        super().__init__(data)
        offered = [("", _("Choose")), *((one.slug, one.name) for one in pipelines)]
        for name, choices in (("pipeline", offered), ("resource", [(n, n) for n in names])):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices
        self.table = next((one for one in tables if one.name == table), None)

    @property
    def is_complete(self) -> bool:
        """False while something is not typed or chosen yet, which is no mistake."""
        wanted = ("pipeline", "resource", "cursor_from", "cursor_to", "slice_size")
        return all(str(self.data.get(name) or "").strip() for name in wanted)

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_complete:
            return
        self.errors.clear()
        if self._has_bounds and self.table is not None:
            # Of bounds that are a range a size would have been proposed.
            self.add_error(
                "cursor_to",
                _(
                    "From and up to are no range. Give two numbers, or two dates, the smaller first."
                ),
            )
