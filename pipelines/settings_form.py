"""The settings a pipeline has for all its tables and each table may have of its own, as form fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.ui.forms import ChoiceCards
from pipelines.definition.values import CONTRACT_KEYS
from pipelines.models import MergeStrategy, SchemaChange, Verify, WriteDisposition
from pipelines.wording import (
    CONTRACT_CHOICES,
    DISPOSITIONS,
    STRATEGIES,
    VERIFICATIONS,
    contract_words,
)

#: What holds where nobody says anything.
BASE: dict[str, Any] = {
    "write_disposition": str(WriteDisposition.REPLACE),
    "merge_strategy": str(MergeStrategy.UPSERT),
    "schema_contract": {},
    "verify": str(Verify.NONE),
}
AS_THE_PIPELINE = _("As the pipeline says")
_PART_LABELS = {
    "tables": _("A new table"),
    "columns": _("A new column at the source"),
    "data_type": _("A column whose type changes"),
}


class MarkedCards(ChoiceCards):
    """Cards whose radio buttons carry an attribute by their value, which style sheets ask for."""

    marks: Mapping[str, str] = {}

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        if mark := self.marks.get(str(option["value"])):
            option["attrs"][mark] = True
        return option


class OpenChoice(forms.ChoiceField):
    """A choice in which empty, where it is offered, is an answer like any other.

    ``may_be_missing``: who sends none says nothing about it.
    """

    def __init__(self, *, may_be_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.may_be_missing = may_be_missing

    def validate(self, value: Any) -> None:
        if value in self.empty_values and (self.may_be_missing or self.valid_value("")):
            return
        super().validate(value)


def disposition_field(
    allowed: Sequence[str] | frozenset[str] = tuple(DISPOSITIONS), *, inherited: str = ""
) -> OpenChoice:
    """How rows are written; ``inherited`` is the pipeline's way where that may be chosen too."""
    choices = [(one, WriteDisposition(one).label) for one in DISPOSITIONS if one in allowed]
    marks = {
        str(WriteDisposition.MERGE): "data-merges",
        str(WriteDisposition.REPLACE): "data-replaces",
    }
    if inherited:
        marks[""] = marks.get(inherited, "")
    field = _cards(_("How it is written"), choices, DISPOSITIONS, inherited)
    field.may_be_missing = False
    assert isinstance(field.widget, MarkedCards)
    field.widget.marks = marks
    return field


def strategy_field(*, inherited: str = "") -> OpenChoice:
    label = _("What a merge does with a row whose key is known")
    return _cards(label, MergeStrategy.choices, STRATEGIES, inherited)


def verify_field(*, inherited: str = "") -> OpenChoice:
    return _cards(_("What is compared"), Verify.choices, VERIFICATIONS, inherited)


def _cards(
    label: Promise | str,
    choices: Sequence[tuple[Any, Any]],
    descriptions: Mapping[str, Any],
    inherited: str,
) -> OpenChoice:
    labels = {str(value): word for value, word in choices}
    if inherited:
        choices = [("", AS_THE_PIPELINE), *choices]
        present = _("At present: %(choice)s") % {"choice": labels[inherited]}
        descriptions = {**descriptions, "": present}
    cards = MarkedCards(descriptions=descriptions)
    return OpenChoice(label=label, choices=choices, widget=cards, may_be_missing=True)


class SettingsForm(forms.Form):
    """Base of both forms: reads and checks the four settings that come twice."""

    use_required_attribute = False
    spans = {f"contract_{part}": "f-2" for part in CONTRACT_KEYS}

    def add_contract_fields(self, stored: Mapping[str, str]) -> None:
        """A select for each part of the schema contract."""
        for part in CONTRACT_KEYS:
            value = stored.get(part) or str(SchemaChange.EVOLVE)
            offered = CONTRACT_CHOICES[part]
            self.fields[f"contract_{part}"] = OpenChoice(
                label=_PART_LABELS[part],
                choices=[
                    (one, word)
                    for one, word in offered.items()
                    # Two that mean the same: the second one only where it is stored.
                    if word not in _before(offered, one) or one == value
                ],
                initial=value,
                may_be_missing=True,
            )

    @property
    def contract_fields(self) -> list[forms.BoundField]:
        return [self[f"contract_{part}"] for part in CONTRACT_KEYS]

    def chosen_contract(self) -> dict[str, str]:
        """As the definition writes it: what follows the source is not said."""
        chosen = {part: self.cleaned_data.get(f"contract_{part}", "") for part in CONTRACT_KEYS}
        return {
            part: value for part, value in chosen.items() if value not in {"", SchemaChange.EVOLVE}
        }


def _before(offered: Mapping[str, Any], value: str) -> list[Any]:
    """The words of the choices before this one."""
    names = list(offered)
    return [offered[name] for name in names[: names.index(value)]]


class DefaultForm(SettingsForm):
    """How tables without settings of their own are written."""

    write_disposition = disposition_field()
    merge_strategy = strategy_field()
    verify = verify_field()

    def __init__(self, data: QueryDict | None = None, *, initial: Mapping[str, Any]) -> None:
        given = {key: initial.get(key) or value for key, value in BASE.items()}
        super().__init__(data, initial=given)
        self.add_contract_fields(given["schema_contract"])

    @property
    def contract_summary(self) -> str:
        """What holds now, beside the closed section."""
        return contract_words(self.initial["schema_contract"])

    @property
    def contract_is_open(self) -> bool:
        return any(one.errors for one in self.contract_fields)

    @property
    def verify_summary(self) -> str:
        return str(Verify(self.initial["verify"]).label)

    def values(self) -> dict[str, Any]:
        """The settings as the definition names them."""
        cleaned = self.cleaned_data
        merges = cleaned["write_disposition"] == WriteDisposition.MERGE
        return {
            "write_disposition": cleaned["write_disposition"],
            # What is not seen is not chosen.
            "merge_strategy": (merges and cleaned["merge_strategy"]) or BASE["merge_strategy"],
            "schema_contract": self.chosen_contract(),
            "verify": cleaned["verify"] or BASE["verify"],
        }
