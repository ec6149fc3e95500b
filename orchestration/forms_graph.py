"""Forms of the graph: dependencies, rules and selections. They check shape, the services check the rest."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from common.ui.forms import ChoiceCards
from orchestration.forms import Choices
from orchestration.graph import pipeline_key, transformation_key
from orchestration.models import UpstreamRule
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import Transformation

MINUTE, HOUR, DAY = 60, 3_600, 86_400
UNITS = ((MINUTE, _("minutes")), (HOUR, _("hours")), (DAY, _("days")))
#: More cannot be chosen from a list; they are typed.
LONGEST_LIST = 500
RULE_WORDS = {
    "": _("Unless it was changed: all have succeeded"),
    UpstreamRule.ALL_SUCCEEDED: _("It is skipped when one of them did not succeed"),
    UpstreamRule.ANY_SUCCEEDED: _("Once all have ended; skipped only if none did"),
    UpstreamRule.ALL_FINISHED: _("It runs whatever came of them"),
}


def node_choices(organization: Organization) -> Choices | None:
    """Everything that can depend on something, as grouped choices; None for too many."""
    pipelines = Pipeline.objects.for_organization(organization)
    transformations = Transformation.objects.for_organization(organization).order_by("name")
    if pipelines.count() + transformations.count() > LONGEST_LIST:
        return None
    groups = (
        (_("Pipelines"), [(pipeline_key(one), one.name) for one in pipelines]),
        (
            _("Transformations"),
            [(transformation_key(one), one.name) for one in transformations.only("name")],
        ),
    )
    return [("", _("Choose")), *(group for group in groups if group[1])]


class WindowFields(forms.Form):
    """A freshness window as a number and its unit."""

    amount = forms.IntegerField(
        label=_("Freshness window"),
        required=False,
        min_value=1,
        max_value=9_999,
        help_text=_(
            "A run without the first fails at the second unless the first has succeeded this recently. "
            "Empty: nothing is asked."
        ),
    )
    unit = forms.TypedChoiceField(
        label=_("Unit"), choices=UNITS, coerce=int, initial=HOUR, required=False
    )

    def seconds(self) -> int | None:
        """The window, or None without one."""
        amount = self.cleaned_data.get("amount")
        return amount * (self.cleaned_data["unit"] or HOUR) if amount else None


def window_initial(seconds: int | None) -> dict[str, int]:
    """The largest unit that has the window in whole numbers."""
    if seconds is None:
        return {}
    unit = next((size for size in (DAY, HOUR) if seconds % size == 0), MINUTE)
    return {"amount": max(seconds // unit, 1), "unit": unit}


class DependencyForm(WindowFields):
    """One edge of the graph, and the rule of the node it leads to."""

    spans = {"upstream": "f-3", "downstream": "f-3", "amount": "f-3", "unit": "f-3"}
    sections = (
        ("", ("upstream", "downstream", "amount", "unit")),
        (_("When the second runs, of all that it waits for"), ("rule",)),
    )

    upstream = forms.CharField(label=_("First"), help_text=_("Has to end before."))
    downstream = forms.CharField(label=_("Then"), help_text=_("Waits for it."))
    rule = forms.ChoiceField(
        label=_("Rule"),
        choices=[("", _("As it is")), *UpstreamRule.choices],
        required=False,
        widget=ChoiceCards(descriptions=RULE_WORDS),
    )

    def __init__(self, *args: Any, choices: Choices | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("upstream", "downstream"):
            if choices is not None:
                self.fields[name].widget = forms.Select(choices=choices)
            else:
                self.fields[name].widget = forms.TextInput(
                    attrs={"class": "mono", "placeholder": "pipeline:orders", "spellcheck": "false"}
                )
        self.order_fields(["upstream", "downstream", "amount", "unit", "rule"])


class WindowForm(WindowFields):
    """The window of an edge that is there."""

    spans = {"amount": "f-3", "unit": "f-3"}
