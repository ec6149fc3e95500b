"""What the filters of a form keep, asked of the source while somebody is typing."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.errors import UserError
from connections import runner
from connections.connectors.filters import parse_tree
from pipelines.definition.query import checked_query
from pipelines.filter_form import FilterForm
from pipelines.holders import Holder

SAMPLE_ROWS = 8


@dataclass
class FilterCount:
    """How many rows pass: ``kept`` of ``total``, or of the first ``sampled`` where all take too long."""

    kept: int | None = None
    total: int | None = None
    sampled: int | None = None
    #: Whether anything is filtered at all.
    is_filtered: bool = False
    #: A filter does not fit; which one is said at the filter.
    is_wrong: bool = False
    error: UserError | None = None

    @property
    def text(self) -> str:
        if self.is_wrong:
            return _("One filter does not fit. What is wrong stands below it.")
        if self.error is not None:
            return _("The rows could not be counted.")
        if not self.is_filtered:
            return _("Every row is loaded.")
        if self.kept is None:
            return _("The source took too long to count even some of its rows.")
        return self._counted(self.kept)

    @property
    def tone(self) -> str:
        if self.is_wrong:
            return "bad"
        return "warn" if self.error or (self.is_filtered and not self.kept) else "ok"

    def _counted(self, kept: int) -> str:
        if self.sampled is not None:
            words = {"kept": _grouped(kept), "sampled": _grouped(self.sampled)}
            return (
                _("Keeps %(kept)s of the first %(sampled)s rows. The table is too large to count.")
                % words
            )
        total = self.total or 0
        words = {"kept": _grouped(kept), "total": _grouped(total)}
        if kept == total:
            return ngettext("Keeps the only row.", "Keeps all %(total)s rows.", total) % words
        return (
            ngettext("Keeps %(kept)s of %(total)s row.", "Keeps %(kept)s of %(total)s rows.", total)
            % words
        )


@dataclass
class Preview:
    """Some rows as they would be loaded."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    #: Of a query's columns.
    types: list[str] = field(default_factory=list)
    error: UserError | None = None

    @property
    def heads(self) -> list[tuple[str, str]]:
        """Names with their types."""
        return list(zip(self.columns, self.types, strict=True))


def count_rows(holder: Holder, name: str, filters: FilterForm, *, query: str = "") -> FilterCount:
    """Of what is in the form, saved or not; a row not complete yet does not count.

    With ``query`` (mode query) its rows are counted, not those of a table.
    """
    items = filters.items(complete=True)
    found = FilterCount(is_filtered=bool(items))
    if not items:
        return found
    try:
        _check(items, query)
        answer = runner.count(
            holder.source,
            schema=holder.schema,
            table=name,
            query=holder.query_of(name),
            filters=items,
        )
    except UserError as error:
        return _refused(found, filters, error)
    return _answered(found, answer)


def preview_rows(
    holder: Holder, name: str, filters: FilterForm, columns: list[str], *, query: str = ""
) -> tuple[Preview, FilterCount]:
    """Some of the rows as well."""
    items = filters.items(complete=True)
    found = FilterCount(is_filtered=bool(items))
    try:
        _check(items, query)
        answer = runner.sample(
            holder.source,
            schema=holder.schema,
            table=name,
            query=holder.query_of(name),
            columns=columns or None,
            filters=items,
            limit=SAMPLE_ROWS,
        )
    except UserError as error:
        return Preview(error=error), _refused(found, filters, error)
    return preview_of(answer), _answered(found, answer)


def preview_of(answer: dict[str, Any]) -> Preview:
    """The rows of a ``runner.sample``."""
    types = list(answer.get("types") or [])
    return Preview(list(answer["columns"]), list(answer["rows"]), types)


def _check(items: list[dict[str, Any]], query: str) -> None:
    parse_tree(items)
    if query:
        checked_query(query, where="query")


def _answered(found: FilterCount, answer: dict[str, Any]) -> FilterCount:
    found.kept, found.total = answer["kept"], answer["total"]
    found.sampled = answer.get("sampled")
    return found


def _refused(found: FilterCount, filters: FilterForm, error: UserError) -> FilterCount:
    if error.field.startswith("filters"):
        filters.put_error(error.field, str(error))
        found.is_wrong = True
    else:
        found.error = error
    return found


def _grouped(number: int) -> str:
    return number_format(number, force_grouping=True)
