"""What a pipeline does, in words: one set of sentences for the list, the page and the wizard."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actions import AuditAction
from connections.models import Connection
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import (
    FilterOperator,
    MergeStrategy,
    Mode,
    Pipeline,
    RowOrder,
    SchemaChange,
    Transform,
    Verify,
    WriteDisposition,
)

#: What each way of writing means, below its name.
DISPOSITIONS: dict[str, Promise] = {
    WriteDisposition.REPLACE: gettext_lazy(
        "Read everything on every run and put it in place of what was there."
    ),
    WriteDisposition.APPEND: gettext_lazy(
        "Add what is read to the table; nothing there changes. For events and logs."
    ),
    WriteDisposition.MERGE: gettext_lazy(
        "Update rows whose key is known, add the others. Rows deleted in the source stay."
    ),
}

#: What a merge does with a row whose key is known, below its name.
STRATEGIES: dict[str, Promise] = {
    MergeStrategy.UPSERT: gettext_lazy("The new values take the place of the old ones."),
    MergeStrategy.DELETE_INSERT: gettext_lazy(
        "The old row goes and the new one comes: quicker where most rows change."
    ),
    MergeStrategy.SCD2: gettext_lazy(
        "A changed row becomes a new version; old ones stay, with the time they held."
    ),
}
#: What is compared after a load, below its name.
VERIFICATIONS: dict[str, Promise] = {
    Verify.NONE: gettext_lazy("The run says how many rows it wrote."),
    Verify.COUNTS: gettext_lazy("Both ends are counted after the load."),
    Verify.SUMS: gettext_lazy(
        "Whole numbers are added up at both ends too. Reads everything again."
    ),
}
#: What happens when the source changes its shape, as the end of "A new column …".
CONTRACT_CHOICES: dict[str, dict[str, Promise]] = {
    "tables": {
        SchemaChange.EVOLVE: gettext_lazy("is created in the destination"),
        SchemaChange.FREEZE: gettext_lazy("stops the run"),
        SchemaChange.DISCARD_ROW: gettext_lazy("is left out"),
        SchemaChange.DISCARD_VALUE: gettext_lazy("is left out"),
    },
    "columns": {
        SchemaChange.EVOLVE: gettext_lazy("is added"),
        SchemaChange.FREEZE: gettext_lazy("stops the run"),
        SchemaChange.DISCARD_ROW: gettext_lazy("has its rows put aside"),
        SchemaChange.DISCARD_VALUE: gettext_lazy("is left out"),
    },
    "data_type": {
        SchemaChange.EVOLVE: gettext_lazy("gets a type that holds both"),
        SchemaChange.FREEZE: gettext_lazy("stops the run"),
        SchemaChange.DISCARD_ROW: gettext_lazy("has rows that do not fit put aside"),
        SchemaChange.DISCARD_VALUE: gettext_lazy("has values that do not fit set to NULL"),
    },
}
_CONTRACT_PARTS: dict[str, Promise] = {
    "tables": gettext_lazy("a new table"),
    "columns": gettext_lazy("a new column"),
    "data_type": gettext_lazy("a column whose type changes"),
}

#: More patterns than a sentence holds.
_NAMED_PATTERNS = 8
_SYMBOLS = {
    FilterOperator.EQ: "=",
    FilterOperator.NE: "≠",
    FilterOperator.GT: ">",
    FilterOperator.GTE: "≥",
    FilterOperator.LT: "<",
    FilterOperator.LTE: "≤",
}


def write_words(disposition: str, primary_key: Sequence[str] = (), strategy: str = "") -> str:
    """ "Replace", "Append", "Merge on id" or "Merge on id, every version kept"."""
    if disposition == WriteDisposition.MERGE and strategy == MergeStrategy.SCD2:
        merged = write_words(disposition, primary_key)
        return _("%(merge)s, every version kept") % {"merge": merged}
    word = str(WriteDisposition(disposition).label)
    if disposition == WriteDisposition.MERGE and primary_key:
        return _("Merge on %(key)s") % {"key": ", ".join(primary_key)}
    return word


def sync_words(disposition: str, cursor_column: str) -> str:
    """Whether a run reads everything or only what is new."""
    return _("Incremental") if is_incremental(disposition, cursor_column) else _("Full copy")


def is_incremental(disposition: str, cursor_column: str) -> bool:
    """A replace reads everything each time, so there a cursor has no say."""
    return bool(cursor_column) and disposition != WriteDisposition.REPLACE


def contract_words(contract: Mapping[str, str]) -> str:
    """ "a new column stops the run, a column whose type changes gets a type that holds both"."""
    parts = [
        f"{_CONTRACT_PARTS[part]} {CONTRACT_CHOICES[part][value]}"
        for part, value in contract.items()
        if value != SchemaChange.EVOLVE
    ]
    return ", ".join(parts) or _("every change is followed")


def filter_words(item: dict[str, Any]) -> str:
    """ "status ≠ draft", "country is one of DE, FR", "(paid or sent)"."""
    for joiner, word in (("and", _(" and ")), ("or", _(" or "))):
        if joiner in item:
            return f"({word.join(filter_words(one) for one in item[joiner])})"
    operator, value = FilterOperator(item["op"]), item["value"]
    column = {"column": item["column"]}
    if operator is FilterOperator.IS_NULL:
        return (
            _("%(column)s has no value") % column if value else _("%(column)s has a value") % column
        )
    if operator is FilterOperator.BETWEEN:
        ends = {"low": value[0], "high": value[1]}
        return _("%(column)s is between %(low)s and %(high)s") % (column | ends)
    shown = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return f"{item['column']} {_SYMBOLS.get(operator) or _(operator.label)} {shown}"


def what_words(definition: PipelineDefinition) -> str:
    """What is copied, for the flow strip: a name or a number."""
    selected = [one for one in definition.resources if one.is_selected]
    if definition.mode is Mode.FULL_DATABASE:
        words = {"schema": definition.source_schema or _("every schema")}
        if definition.include or definition.exclude:
            return _("Chosen tables of %(schema)s") % words
        return _("All tables of %(schema)s") % words
    if len(selected) == 1:
        return selected[0].name
    words = {"n": str(len(selected))}
    if definition.mode is Mode.QUERY:
        return ngettext("%(n)s query", "%(n)s queries", len(selected)) % words
    return ngettext("%(n)s file or pattern", "%(n)s files or patterns", len(selected)) % words


def mode_words(pipeline: Pipeline) -> str:
    """ "Whole database", or "Chosen tables" where patterns choose."""
    is_chosen = bool(pipeline.include or pipeline.exclude)
    return _("Chosen tables") if is_chosen else str(Mode(pipeline.mode).label)


def how_words(definition: PipelineDefinition) -> str:
    """How it is written, for the flow strip."""
    resources = [definition.filled(one) for one in definition.resources if one.is_selected]
    if definition.mode is Mode.FULL_DATABASE:
        default = write_words(definition.write_disposition, (), definition.merge_strategy)
        own, left_out = len(resources), len(definition.resources) - len(resources)
        parts = [default]
        if own:
            parts.append(ngettext("%(n)d set apart", "%(n)d set apart", own) % {"n": own})
        if left_out:
            parts.append(_("%(n)d left out") % {"n": left_out})
        return ", ".join(parts)
    kinds = [sync_words(one.write_disposition, one.cursor_column) for one in resources]
    if len(resources) == 1:
        one = resources[0]
        written = write_words(one.write_disposition, one.primary_key, one.merge_strategy)
        return f"{kinds[0]} · {written}"
    words = {_("Incremental"): _("%(n)d incremental"), _("Full copy"): _("%(n)d full copy")}
    numbers = {kind: kinds.count(kind) for kind in words}
    return ", ".join(words[kind] % {"n": number} for kind, number in numbers.items() if number)


def sentences(
    definition: PipelineDefinition, source: Connection, destination: Connection
) -> list[str]:
    """The definition as a person would say it, for the review."""
    target = {"dataset": definition.dataset, "destination": destination.name}
    lines: list[str] = []
    if definition.mode is Mode.FULL_DATABASE:
        text = _(
            "Every table of the schema %(schema)s of “%(source)s” is copied to the schema "
            "%(dataset)s of “%(destination)s”, tables that appear later included."
        )
        if definition.include or definition.exclude:
            text = _(
                "Tables of the schema %(schema)s of “%(source)s” are copied to the schema "
                "%(dataset)s of “%(destination)s”."
            )
        lines.append(
            text
            % {
                **target,
                "schema": definition.source_schema or _("(every schema)"),
                "source": source.name,
            }
        )
        lines.append(
            _("Unless a table says otherwise: %(how)s")
            % {"how": DISPOSITIONS[definition.write_disposition]}
        )
        lines += _choice_sentences(definition)
    else:
        lines.append(
            _("“%(source)s” is copied to the schema %(dataset)s of “%(destination)s”.")
            % {**target, "source": source.name}
        )
    lines += _settings_sentences(definition)
    lines += [resource_sentence(_as_read(definition, one)) for one in definition.resources]
    return lines


def _as_read(definition: PipelineDefinition, resource: ResourceDefinition) -> ResourceDefinition:
    """With the pipeline's way of writing; what else the pipeline says is said once, for all."""
    filled = definition.filled(resource)
    return replace(filled, verify=resource.verify, schema_contract=resource.schema_contract)


def _choice_sentences(definition: PipelineDefinition) -> list[str]:
    """Which tables of a whole database."""
    lines: list[str] = []
    if definition.include:
        words = {"patterns": _shortened(definition.include)}
        lines.append(_("Only tables whose names match %(patterns)s.") % words)
    if definition.exclude:
        words = {"patterns": _shortened(definition.exclude)}
        lines.append(_("Not the tables whose names match %(patterns)s.") % words)
    return lines


def _shortened(patterns: Sequence[str]) -> str:
    more = len(patterns) - _NAMED_PATTERNS
    shown = ", ".join(patterns[:_NAMED_PATTERNS])
    return _("%(shown)s and %(n)d more") % {"shown": shown, "n": more} if more > 0 else shown


def _settings_sentences(definition: PipelineDefinition) -> list[str]:
    """What holds for every table that does not say otherwise, where it is not the usual."""
    lines: list[str] = []
    merges = definition.write_disposition is WriteDisposition.MERGE
    if merges and definition.merge_strategy is not MergeStrategy.UPSERT:
        words = {"how": str(STRATEGIES[definition.merge_strategy])}
        lines.append(_("Of a key that is known: %(how)s") % words)
    if any(value != SchemaChange.EVOLVE for value in definition.schema_contract.values()):
        words = {"rules": contract_words(definition.schema_contract)}
        lines.append(_("When the source changes: %(rules)s.") % words)
    if definition.verify is not Verify.NONE:
        words = {"what": str(VERIFICATIONS[definition.verify])}
        lines.append(_("Checked afterwards: %(what)s") % words)
    return lines


def resource_sentence(resource: ResourceDefinition) -> str:
    """How one table, query or file is read and written."""
    names = {"name": resource.name, "target": resource.target}
    if not resource.is_selected:
        return _("%(name)s is left out.") % names
    parts = [_("%(name)s becomes the table %(target)s") % names, *_write_clauses(resource)]
    if is_incremental(resource.write_disposition, resource.cursor_column):
        parts.append(_cursor_clause(resource))
        if resource.cursor_lookback:
            parts.append(
                _("%(lookback)s before that again") % {"lookback": resource.cursor_lookback}
            )
        if resource.row_order == RowOrder.DESC:
            parts.append(_("the lowest of a key wins"))
    if resource.filters:
        shown = _(" and ").join(filter_words(item) for item in resource.filters)
        parts.append(_("only rows where %(filters)s") % {"filters": shown})
    if resource.columns:
        number = len(resource.columns)
        parts.append(ngettext("%(n)d column", "%(n)d columns", number) % {"n": number})
    parts += [_column_clause(name, one) for name, one in resource.column_settings.items()]
    if resource.verify and resource.verify is not Verify.NONE:
        verified = {
            Verify.COUNTS: _("numbers of rows compared afterwards"),
            Verify.SUMS: _("numbers of rows and sums compared afterwards"),
        }
        parts.append(verified[resource.verify])
    if resource.schema_contract:
        parts.append(contract_words(resource.schema_contract))
    return ", ".join(parts) + "."


def _write_clauses(resource: ResourceDefinition) -> list[str]:
    """What is not decided yet (the pipeline decides) is not said."""
    key = {"key": ", ".join(resource.primary_key) or _("its own key")}
    if resource.write_disposition is WriteDisposition.APPEND:
        return [_("appended to what is there")]
    if resource.write_disposition is WriteDisposition.REPLACE:
        return [_("replaced on every run")]
    if resource.write_disposition is not WriteDisposition.MERGE:
        return []
    if resource.merge_strategy is MergeStrategy.SCD2:
        return [_("merged on %(key)s with every version kept") % key]
    if resource.merge_strategy is MergeStrategy.DELETE_INSERT:
        return [_("merged on %(key)s by delete and insert") % key]
    return [_("merged on %(key)s") % key]


def _cursor_clause(resource: ResourceDefinition) -> str:
    words = {"column": resource.cursor_column, "initial": resource.cursor_initial}
    if resource.cursor_initial:
        return _("only rows whose %(column)s is new, at first from %(initial)s") % words
    return _("only rows whose %(column)s is new") % words


def _column_clause(name: str, settings: dict[str, str]) -> str:
    words = {"column": name, "name": settings.get("rename", "")}
    parts = {
        Transform.HASH: _("%(column)s hashed"),
        Transform.MASK: _("%(column)s masked"),
    }
    transform = settings.get("transform")
    done = parts[Transform(transform)] % words if transform else name
    return _("%(done)s as %(name)s") % {"done": done, **words} if words["name"] else done


_EVENTS = {
    AuditAction.PIPELINE_CREATED: gettext_lazy("Created"),
    AuditAction.PIPELINE_UPDATED: gettext_lazy("Changed"),
    AuditAction.PIPELINE_PAUSED: gettext_lazy("Paused"),
    AuditAction.PIPELINE_RESUMED: gettext_lazy("Resumed"),
    AuditAction.PIPELINE_DELETED: gettext_lazy("Deleted"),
    AuditAction.PIPELINE_RESTORED: gettext_lazy("Restored"),
    AuditAction.PIPELINE_CURSOR_SET: gettext_lazy("Cursor set"),
    AuditAction.PIPELINE_REJECTS_DISCARDED: gettext_lazy("Rejected rows discarded"),
}


def event_words(action: str) -> str:
    """What happened to a pipeline, in a word."""
    return str(_EVENTS.get(AuditAction(action), action))
