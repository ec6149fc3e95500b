"""What a pipeline does when its source changes its shape, in words for its page."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pipelines.definition import PipelineDefinition
from pipelines.models import SchemaChange, Verify


@dataclass(frozen=True)
class Rule:
    """One line: what may happen, what is done then, and the setting's own word."""

    what: str
    does: str
    key: str


_DOES: dict[str, dict[str, Promise]] = {
    "tables": {
        SchemaChange.EVOLVE: gettext_lazy("Loaded as well"),
        SchemaChange.FREEZE: gettext_lazy("Stop the run"),
        SchemaChange.DISCARD_ROW: gettext_lazy("Left out"),
        SchemaChange.DISCARD_VALUE: gettext_lazy("Left out"),
    },
    "columns": {
        SchemaChange.EVOLVE: gettext_lazy("Added to the table"),
        SchemaChange.FREEZE: gettext_lazy("Stop the run"),
        SchemaChange.DISCARD_ROW: gettext_lazy("Rows with a value there are rejected"),
        SchemaChange.DISCARD_VALUE: gettext_lazy("Left out"),
    },
    "data_type": {
        SchemaChange.EVOLVE: gettext_lazy("The column takes the wider type"),
        SchemaChange.FREEZE: gettext_lazy("Stop the run"),
        SchemaChange.DISCARD_ROW: gettext_lazy("Rows that do not fit are rejected"),
        SchemaChange.DISCARD_VALUE: gettext_lazy("Values that do not fit become NULL"),
    },
}


def safety_of(definition: PipelineDefinition) -> list[Rule]:
    """The pipeline's own rules; tables may differ, of which the last line tells."""
    words = {"tables": _("New tables"), "columns": _("New columns"), "data_type": _("Type changes")}
    contract = definition.schema_contract
    rules = []
    for part, what in words.items():
        key = str(contract.get(part) or SchemaChange.EVOLVE)
        rules.append(Rule(what, str(_DOES[part][key]), key))
    compared = {Verify.COUNTS: _("Numbers of rows"), Verify.SUMS: _("Numbers of rows and sums")}
    if definition.verify in compared:
        rules.append(Rule(_("Compared after"), compared[definition.verify], definition.verify))
    return rules


def has_own_rules(definition: PipelineDefinition) -> bool:
    """Whether a table says something else than the pipeline."""
    return any(one.schema_contract or one.verify for one in definition.resources)
