"""The form of schedules, and what forms of other pages share: they check shape, the services check the rest."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from common.errors import DatanikaError
from common.ui.forms import ChoiceCards
from orchestration.graph import pipeline_key, transformation_key
from orchestration.models import MissedPolicy, OverlapPolicy
from orchestration.requests import DAG
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import Transformation

Choices = list[tuple[Any, Any]]

#: The zones people choose from; aliases such as ``GMT0`` or ``Singapore`` still work through the API.
_AREAS = (
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe",
    "Indian", "Pacific",
)  # fmt: skip


def target_choices(organization: Organization) -> Choices:
    """Everything that can run, as grouped choices."""
    pipelines = Pipeline.objects.for_organization(organization)
    transformations = Transformation.objects.for_organization(organization).order_by("name")
    groups: Sequence[tuple[Any, Choices]] = (
        (_("Pipelines"), [(pipeline_key(p), p.name) for p in pipelines]),
        (_("Transformations"), [(transformation_key(t), t.name) for t in transformations]),
    )
    return [(DAG, _("Whole graph")), *(group for group in groups if group[1])]


@cache
def zone_choices() -> Choices:
    names = sorted(name for name in available_timezones() if name.partition("/")[0] in _AREAS)
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


def put_error(form: forms.Form, error: DatanikaError) -> None:
    """Show a service's refusal at the field it names, or above the form."""
    fields = {"cron": "cron", **{name: name for name in form.fields}}
    form.add_error(fields.get(error.field) if error.field in form.fields else None, str(error))


class WallTimeField(forms.Field):
    """A date and a time as a clock on the wall shows them; which zone's wall, the form knows."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:
        if not value:
            return None
        try:
            return datetime.fromisoformat(str(value)).replace(tzinfo=None)
        except ValueError:
            raise forms.ValidationError(_("Write a date and a time: 2026-12-24 18:00.")) from None


class ScheduleForm(forms.Form):
    """What starts when. The cron field has its own place in the page, beside presets and preview."""

    sections = (
        (_("What"), ("name", "target", "select")),
        (_("If a start is missed or meets a run"), ("missed", "overlap")),
    )
    spans = {"target": "f-3", "select": "f-3", "starts_at": "f-3", "ends_at": "f-3"}

    name = forms.CharField(label=_("Name"), max_length=80)
    target = forms.ChoiceField(label=_("Starts"))
    select = forms.CharField(
        label=_("Selection"),
        max_length=500,
        required=False,
        widget=forms.TextInput(
            attrs={"class": "mono", "placeholder": "+fct_orders tag:nightly", "spellcheck": "false"}
        ),
        help_text=_(
            "Names and tag:…; + before is upstream, behind downstream, a comma keeps what both have, "
            "--exclude leaves out. Empty: exactly what is chosen. All terms: docs/graph.md, Selections."
        ),
    )
    cron = forms.CharField(
        label=_("Cron expression"),
        max_length=120,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=_("Minute, hour, day of month, month, day of week."),
    )
    time_zone = forms.ChoiceField(label=_("Time zone"))
    starts_at = WallTimeField(
        label=_("Not before"), required=False, help_text=_("In the time zone of the schedule.")
    )
    ends_at = WallTimeField(
        label=_("Until"), required=False, help_text=_("From then on it starts nothing any more.")
    )
    missed = forms.ChoiceField(
        label=_("Starts missed while Datanika was down"),
        choices=MissedPolicy.choices,
        initial=MissedPolicy.ONCE,
        widget=ChoiceCards(
            descriptions={
                MissedPolicy.SKIP: _("Wait for the next one"),
                MissedPolicy.ONCE: _("Make up for all of them with one run"),
                MissedPolicy.ALL: _("Make up for every one, up to 100"),
            }
        ),
    )
    overlap = forms.ChoiceField(
        label=_("The run before is still going"),
        choices=OverlapPolicy.choices,
        initial=OverlapPolicy.SKIP,
        widget=ChoiceCards(
            descriptions={
                OverlapPolicy.SKIP: _("Says so in the list of schedules"),
                OverlapPolicy.QUEUE: _("It starts when the other has ended"),
                OverlapPolicy.CANCEL: _("The new one starts as soon as it is gone"),
            }
        ),
    )

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        target, zone = self.fields["target"], self.fields["time_zone"]
        assert isinstance(target, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        target.choices = choices
        zone.choices = self._zones()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        zone = data.get("time_zone")
        for name in ("starts_at", "ends_at"):
            if zone and data.get(name):
                data[name] = data[name].replace(tzinfo=ZoneInfo(zone))
        return data

    def _zones(self) -> Choices:
        """The known zones, and the schedule's own where that is an alias."""
        current = self.initial.get("time_zone")
        known = zone_choices()
        if current and current not in {value for value, _label in known}:
            return [*known, (current, current)]
        return known
