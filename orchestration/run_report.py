"""What a run did to one table, and what the run was asked for, in words for its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.ui.formats import format_bytes, format_count, format_duration
from orchestration.models import Run, RunStepResult
from orchestration.options import options_of
from pipelines.runner import LoadOptions

#: Named in the words of a run; a run of more says how many.
_NAMED = 3
#: Seconds; shorter ones are "0 s".
_WORTH_SAYING = 0.05
_PARTS = (
    ("rows_loaded", gettext_lazy("loaded")),
    ("rows_filtered", gettext_lazy("filtered")),
    ("rows_rejected", gettext_lazy("rejected")),
    ("rows_deduplicated", gettext_lazy("deduplicated")),
)
_LANES = {"copy": gettext_lazy("copied as it is"), "duck": gettext_lazy("through DuckDB")}


@dataclass(frozen=True)
class Conversion:
    column: str
    text: str
    count: int | None


@dataclass(frozen=True)
class Shape:
    """One change of the table's columns (``pipelines/shape_*.html``)."""

    change: str
    column: str
    before: str
    after: str
    treatment: str


@dataclass(frozen=True)
class Refusal:
    column: str
    reason: str
    count: int


@dataclass(frozen=True)
class Check:
    name: str
    source: str
    destination: str

    @property
    def agrees(self) -> bool:
        return self.source == self.destination


@dataclass(frozen=True)
class Report:
    """Everything a load said about one table; what there is nothing to say about is empty."""

    #: ``14 read = 9 loaded + 2 filtered + 3 rejected``; empty where every row was loaded.
    sum: str
    #: ``through DuckDB, 1.2 MB, 0.4 s``
    facts: str
    cursor: str
    conversions: Sequence[Conversion]
    shapes: Sequence[Shape]
    refusals: Sequence[Refusal]
    checks: Sequence[Check]
    #: ``agreed``, ``differed``, or empty where nothing was compared.
    verified: str

    @property
    def has_details(self) -> bool:
        return bool(self.conversions or self.shapes or self.refusals or self.verified)

    @property
    def differing(self) -> int:
        return sum(not check.agrees for check in self.checks)


def report_of(result: RunStepResult) -> Report:
    details = result.details
    verification = details.get("verification") or {}
    return Report(
        sum=_sum(result),
        facts=_facts(details),
        cursor=_cursor(details.get("cursor") or {}),
        conversions=[_conversion(one) for one in details.get("conversions") or []],
        shapes=[_shape(one) for one in details.get("schema_changes") or []],
        refusals=[
            Refusal(
                str(one.get("column") or ""),
                str(one.get("reason") or ""),
                int(one.get("count") or 0),
            )
            for one in details.get("rejects") or []
        ],
        checks=[
            Check(str(one["name"]), str(one["source"]), str(one["destination"]))
            for one in verification.get("checks") or []
        ],
        verified=str(verification.get("status") or ""),
    )


def _sum(result: RunStepResult) -> str:
    parts = [(getattr(result, name), word) for name, word in _PARTS]
    told = [f"{format_count(value)} {word}" for value, word in parts if value]
    if result.rows_read is None or result.rows_read == result.rows_loaded:
        return ""
    read = _("%(n)s read") % {"n": format_count(result.rows_read)}
    return f"{read} = {' + '.join(told)}" if told else read


def _facts(details: dict[str, Any]) -> str:
    lane = _LANES.get(str(details.get("lane") or ""))
    facts = [str(lane)] if lane else []
    if details.get("bytes"):
        facts.append(format_bytes(int(details["bytes"])))
    facts += _seconds(details.get("seconds"))
    return ", ".join(facts)


def _seconds(value: Any) -> list[str]:
    """Loads say how long they read and committed; earlier ones said one number."""
    if isinstance(value, dict):
        words = {"read": _("read in %s"), "commit": _("committed in %s")}
        told = {key: float(value.get(key) or 0) for key in words}
        return [words[key] % format_duration(s) for key, s in told.items() if s >= _WORTH_SAYING]
    return [format_duration(float(value))] if value and float(value) >= _WORTH_SAYING else []


def _cursor(cursor: dict[str, Any]) -> str:
    if cursor.get("after") is None or cursor.get("after") == cursor.get("before"):
        return ""
    return _("cursor %(column)s is now at %(after)s") % cursor


def _conversion(item: dict[str, Any] | str) -> Conversion:
    # Runs of earlier versions kept the text alone.
    if isinstance(item, str):
        column, _colon, text = item.partition(": ")
        return Conversion(column, text, None) if text else Conversion("", item, None)
    return Conversion(str(item.get("column") or ""), str(item.get("text") or ""), item.get("count"))


def _shape(item: dict[str, Any]) -> Shape:
    names = ("change", "column", "before", "after", "treatment")
    return Shape(*(str(item.get(name) or "") for name in names))


# --- what the run was asked for --------------------------------------------------------------------


def asked_words(run: Run) -> str:
    """ "Full refresh of orders", "orders again from 10 up to 20"; empty for a usual run."""
    options = options_of(run)
    names = _names(options)
    if options.full_refresh:
        return _("Full refresh of %s") % names if names else _("Full refresh")
    words = {"names": names, "from": options.cursor_from, "to": options.cursor_to}
    if options.has_range and names:
        return _("%(names)s again from %(from)s up to %(to)s") % words
    if options.has_range:
        return _("Again from %(from)s up to %(to)s") % words
    if options.replay_rejects:
        return _("Rejected rows of %s again") % names if names else _("Rejected rows again")
    return _("Only %s") % names if names else ""


def _names(options: LoadOptions) -> str:
    named, more = options.tables[:_NAMED], len(options.tables) - _NAMED
    text = ", ".join(named)
    if more <= 0:
        return text
    return ngettext("%(names)s and %(n)d more", "%(names)s and %(n)d more", more) % {
        "names": text,
        "n": more,
    }


def title_of(run: Run) -> str:
    """What was run, without the options that ``asked_words`` says beside it."""
    if run.options and not run.select:
        node = run.capsule.get("nodes", {}).get(run.target) or {}
        return str(node.get("name") or run.title)
    return run.title
