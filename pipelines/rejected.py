"""Rejected rows as a page shows them."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from common.errors import UserError
from pipelines import runner
from pipelines.history import history
from pipelines.models import Pipeline
from pipelines.selectors import tables_of

#: Few: each opens to a whole row.
PAGE = 25
#: A value longer than this is read in its row.
_LONGEST = 200


@dataclass(frozen=True)
class Reject:
    id: str
    at: datetime | None
    run: int | None
    table: str
    column: str
    reason: str
    #: None is NULL.
    value: str | None
    #: The whole row as text, one column a line.
    row: str


@dataclass
class RejectPage:
    """A page of what waits, the oldest first, or why the destination did not say."""

    table: str = ""
    after: str = ""
    rows: list[Reject] = field(default_factory=list)
    #: (table of the destination, how many)
    tables: list[tuple[str, int]] = field(default_factory=list)
    next: str = ""
    problem: UserError | None = None

    @property
    def total(self) -> int:
        return sum(count for _name, count in self.tables)

    @property
    def matching(self) -> int:
        return dict(self.tables).get(self.table, 0) if self.table else self.total


def ask_rejects(pipeline: Pipeline, *, table: str, after: str, with_values: bool) -> RejectPage:
    """Asks the destination. ``with_values``: the rows as the source has them, hidden columns included."""
    page = RejectPage(table, after)
    try:
        found = runner.list_rejects(pipeline, table=table, after=after, limit=PAGE)
    except UserError as error:
        page.problem = error
        return page
    page.tables = [(one["table_name"], one["count"]) for one in found["tables"]]
    page.next = found["next"] or ""
    numbers = history().numbers(pipeline, {row["load_id"] for row in found["rows"]})
    for row in found["rows"]:
        page.rows.append(_reject(row, numbers.get(row["load_id"]), with_values=with_values))
    return page


def _reject(row: dict[str, Any], run: int | None, *, with_values: bool) -> Reject:
    value = row["raw_value"]
    return Reject(
        id=row["reject_id"],
        at=_moment(row["rejected_at"]),
        run=run,
        table=row["table_name"],
        column=row["column_name"] or "",
        reason=row["reason"] or "",
        value=_shortened(value) if with_values else "",
        row=_pretty(row["row_json"]) if with_values else "",
    )


def _moment(text: str | None) -> datetime | None:
    """Systems write the same moment with and without a colon in its zone, and without minutes there."""
    if not text:
        return None
    if len(text) > 3 and text[-3] in "+-" and text[-2:].isdigit():
        text += ":00"
    return parse_datetime(text)


def _shortened(value: str | None) -> str | None:
    return f"{value[:_LONGEST]}…" if value is not None and len(value) > _LONGEST else value


def _pretty(text: str | None) -> str:
    try:
        return json.dumps(json.loads(text or "{}"), indent=2, ensure_ascii=False)
    except ValueError:
        return text or ""


def resource_names(pipeline: Pipeline) -> dict[str, str]:
    """What a run calls each table, by its name in the destination; without those left out."""
    names = {}
    for table in tables_of(pipeline):
        if table.is_selected:
            # A table of a whole database is known by its target until a run has named it.
            named = table.last.resource if table.last and table.position is None else table.name
            names[table.target] = named
    return names
