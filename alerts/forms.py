"""Forms of rules and channels: they check shape, the services check the rest."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from alerts import durations
from alerts.models import AlertChannel, ChannelKind, Scope
from alerts.scope import known_tags
from alerts.selectors import channels_of
from alerts.services import ChannelSettings, RuleSettings
from common.errors import DatanikaError, UserError
from common.ui.forms import ChoiceCards, SecretInput, Switch
from pipelines.models import Pipeline
from tenants.models import Organization


def put_error(form: forms.Form, error: DatanikaError) -> None:
    """Show a service's refusal at the field it names, or above the form."""
    form.add_error(error.field if error.field in form.fields else None, str(error))


class DurationField(forms.CharField):
    """``2 h`` in the page, seconds behind it; empty is None."""

    def __init__(self, *, label: Any, placeholder: str, help_text: Any = "") -> None:
        attrs = {"placeholder": placeholder, "autocomplete": "off"}
        super().__init__(
            label=label,
            help_text=help_text,
            required=False,
            max_length=40,
            widget=forms.TextInput(attrs=attrs),
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return durations.parse(text)
        except UserError as error:
            raise forms.ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        return durations.as_text(value) if isinstance(value, int) else value


class FactorField(forms.FloatField):
    """Shows 3, not 3.0."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value:g}" if isinstance(value, float) else value


class ChannelCards(forms.CheckboxSelectMultiple):
    """Checkboxes as cards; ``targets`` gives each its second line."""

    template_name = "components/choice_cards.html"
    targets: dict[str, str] = {}

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        option["description"] = self.targets.get(str(option["value"]), "")
        return option


class RuleForm(forms.Form):
    """One rule. Empty conditions are not watched."""

    sections = (
        (_("What is watched"), ("name", "scope", "pipeline", "tag")),
        (
            _("Tell when"),
            (
                "failures_in_a_row",
                "no_success_seconds",
                "overdue_seconds",
                "stale_seconds",
                "too_long_seconds",
                "too_long_factor",
            ),
        ),
        (_("Who is told, and how often"), ("channels", "tells_recovery", "reminder_seconds")),
    )
    spans = {
        "failures_in_a_row": "f-3",
        "no_success_seconds": "f-3",
        "overdue_seconds": "f-3",
        "stale_seconds": "f-3",
        "too_long_seconds": "f-3",
        "too_long_factor": "f-3",
        "reminder_seconds": "f-3",
    }

    name = forms.CharField(label=_("Name"), max_length=80)
    scope = forms.ChoiceField(
        label=_("Watches"),
        choices=Scope.choices,
        initial=Scope.ORGANIZATION,
        widget=ChoiceCards(
            descriptions={
                Scope.ORGANIZATION: _("Each pipeline and transformation by itself"),
                Scope.PIPELINE: _("In whatever run it has a part"),
                Scope.TAG: _("All that has the tag, now and later"),
            }
        ),
    )
    pipeline = forms.ChoiceField(label=_("Pipeline"), required=False)
    tag = forms.CharField(label=_("Tag"), max_length=63, required=False)
    failures_in_a_row = forms.IntegerField(
        label=_("Failures in a row"),
        required=False,
        help_text=_("1 tells of the first failure."),
        widget=forms.NumberInput(attrs={"min": "1", "max": "100"}),
    )
    no_success_seconds = DurationField(
        label=_("No success for"),
        placeholder="26 h",
        help_text=_("However it came about: failed, late or never started."),
    )
    overdue_seconds = DurationField(
        label=_("Scheduled run not ended after"),
        placeholder="1 h",
        help_text=_("Counted from the time it was due."),
    )
    stale_seconds = DurationField(
        label=_("Table not loaded for"),
        placeholder="1 d 2 h",
        help_text=_("Each table that a pipeline loads."),
    )
    too_long_seconds = DurationField(
        label=_("Takes longer than"), placeholder="45 m", help_text=_("Told while it runs.")
    )
    too_long_factor = FactorField(
        label=_("Times as long as usual"),
        required=False,
        help_text=_("From three good runs on, and from a minute on."),
        widget=forms.NumberInput(
            attrs={"min": "1.1", "max": "100", "step": "0.1", "placeholder": "3"}
        ),
    )
    channels = forms.MultipleChoiceField(label=_("Channels"), widget=ChannelCards)
    tells_recovery = forms.BooleanField(
        label=_("Tell when it is over"), required=False, initial=True, widget=Switch
    )
    reminder_seconds = DurationField(
        label=_("Remind every"),
        placeholder="4 h",
        help_text=_("Empty tells once, however long it lasts."),
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pipelines = Pipeline.objects.for_organization(organization).values_list("slug", "name")
        channels = list(channels_of(organization))
        self._choices("pipeline", [("", _("Choose")), *pipelines])
        self._choices("channels", [(row.slug, row.name) for row in channels])
        widget = self.fields["channels"].widget
        assert isinstance(widget, ChannelCards)
        widget.targets = {row.slug: row.target for row in channels}
        self.tags = known_tags(organization)
        self.fields["tag"].widget.attrs["list"] = "known-tags"
        # The page shows each only with its scope, where it is needed.
        chosen = self.data.get("scope") if self.is_bound else None
        for name in (Scope.PIPELINE, Scope.TAG):
            self.fields[name].required = chosen in {None, name}

    def _choices(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def settings(self) -> RuleSettings:
        data = {**self.cleaned_data}
        return RuleSettings(**{**data, "channels": tuple(data["channels"])})


class AddressesField(forms.CharField):
    """One address a line, or with commas between them."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return tuple(part for part in text.replace(",", "\n").replace(";", "\n").split() if part)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value


class ChannelForm(forms.Form):
    """One channel of a kind; ``channel`` is the stored one, whose URL stays when none is given."""

    name = forms.CharField(label=_("Name"), max_length=80)
    addresses = AddressesField(label=_("Addresses"), help_text=_("One a line, up to 20."))
    url = forms.CharField(label=_("URL"), max_length=2000)

    def __init__(
        self, *args: Any, kind: str, channel: AlertChannel | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if kind == ChannelKind.EMAIL:
            del self.fields["url"]
            return
        del self.fields["addresses"]
        field = self.fields["url"]
        hint = _("Stored, leave empty to keep") if channel else ""
        field.widget = SecretInput(stored_hint=hint)
        field.required = channel is None
        field.help_text = (
            _(
                "The incoming webhook's URL. Whoever has it can write there, so it is not shown again."
            )
            if kind == ChannelKind.SLACK
            else _(
                "Alerts are posted there as signed JSON. It is not shown again: it may hold a token."
            )
        )

    @property
    def settings(self) -> ChannelSettings:
        return ChannelSettings(**self.cleaned_data)
