"""A sample of a table and the count of what filters keep, within a few seconds. Child side.

Somebody is waiting for the answer. Counting a large table takes longer than that, so what is not
done in time is said of the first rows alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.errors import TransientError, UserError
from connections.connectors.base import Column, Sample, Table
from connections.connectors.filters import conditions_of, parse_tree, where
from connections.connectors.sql import Dialect, quote_identifier, select_columns

#: Rows looked at where the whole table takes too long.
FIRST_ROWS = 100_000
#: For all questions together: with the start of the child and the sign-in, a page waits for five.
TOTAL_SECONDS = 3.5
_ROWS_SECONDS = 1.5
_FIRST_SECONDS = 1.0
_COUNT_SECONDS = 2.0

Rows = Sequence[Sequence[Any]]
#: Runs a statement that has no parameters; raises ``TransientError`` after that many seconds.
Ask = Callable[[str, float], Rows]


def sample_table(
    ask: Ask,
    *,
    source: str,
    known: Sequence[Column],
    columns: list[str] | None,
    filters: list[dict[str, Any]],
    limit: int,
    dialect: Dialect,
    text: str = "{}",
) -> Sample:
    """Rows of ``FROM source`` that pass the filters, and how many do; with ``limit`` 0 only the
    count, without a filter only the rows.

    ``text`` makes a column's text of it ("{}::text"). Raises ``TransientError`` where not even the
    first rows come in time.
    """
    shown = select_columns(columns, known) if limit else ()
    names = [quote_identifier(column.name, dialect=dialect) for column in shown]
    used = dict.fromkeys(one.column for one in conditions_of(parse_tree(filters)))
    condition = where(filters, known, dialect, inline=True).condition
    question = _Question(
        source,
        texts=", ".join(text.format(name) for name in names),
        condition=condition,
        reads=tuple(
            dict.fromkeys([*names, *(quote_identifier(one, dialect=dialect) for one in used)])
        ),
        limit=limit,
    )
    timed = _Timed(ask)
    rows = _rows(timed, question) if limit else []
    sample = Sample(tuple(column.name for column in shown), tuple(tuple(row) for row in rows))
    return _counted(timed, question, sample) if condition else sample


def of_query(query: str) -> str:
    """The statement in place of a table. A last comment of it must not swallow the bracket."""
    return f"({query}\n) AS q"


def query_as_table(columns: Sequence[Column]) -> Table:
    """What a query answers with; ``UserError`` for two columns of one name, which no table can have."""
    names = [column.name for column in columns]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UserError(
            f'The query answers with two columns called "{twice}".',
            field="query",
            remedy="Name one of them differently with AS.",
        )
    return Table("", "", "query", columns=tuple(columns))


def refused_query(product: str, words: str) -> UserError:
    """What the system says against a statement."""
    return UserError(
        f"{product} refused the query.",
        field="query",
        remedy="Mend the SQL where it says so.",
        detail=words[:1000],
    )


def with_types(sample: Sample, table: Table) -> Sample:
    """The sample with the types of the columns it shows."""
    types = {column.name: column.type for column in table.columns}
    return replace(sample, types=tuple(types[name] for name in sample.columns))


@dataclass(frozen=True)
class _Question:
    """What to look at, in the dialect of the system asked."""

    source: str
    texts: str
    condition: str
    #: Quoted columns that the condition and the texts need.
    reads: tuple[str, ...]
    limit: int

    @property
    def first(self) -> str:
        """The first rows of the source, as a source."""
        return f"(SELECT {', '.join(self.reads)} FROM {self.source} LIMIT {FIRST_ROWS}) AS t"


class _Timed:
    """Asks within what is left of the whole time."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._end = time.monotonic() + TOTAL_SECONDS

    def __call__(self, sql: str, seconds: float) -> Rows:
        left = self._end - time.monotonic()
        if left < 0.1:
            raise TransientError("There was no time left to ask.")
        return self._ask(sql, min(seconds, left))


def _rows(ask: _Timed, question: _Question) -> Rows:
    end = f" WHERE {question.condition}" if question.condition else ""
    end += f" LIMIT {question.limit}"
    try:
        return ask(f"SELECT {question.texts} FROM {question.source}{end}", _ROWS_SECONDS)
    except TransientError:
        if not question.condition:
            raise
    # Rows that pass are rare: those among the first are better than none.
    return ask(f"SELECT {question.texts} FROM {question.first}{end}", _FIRST_SECONDS)


def _counted(ask: _Timed, question: _Question, sample: Sample) -> Sample:
    # CASE and not FILTER, which MySQL does not know.
    select = f"SELECT count(CASE WHEN {question.condition} THEN 1 END), count(*) FROM "
    try:
        kept, looked_at = _two_numbers(ask(select + question.first, _FIRST_SECONDS))
    except TransientError:
        return sample
    if looked_at < FIRST_ROWS:
        return replace(sample, kept=kept, total=looked_at, exact=True)
    try:
        all_kept, total = _two_numbers(ask(select + question.source, _COUNT_SECONDS))
    except TransientError:
        return replace(sample, kept=kept, sampled=looked_at)
    return replace(sample, kept=all_kept, total=total, exact=True)


def _two_numbers(rows: Rows) -> tuple[int, int]:
    first, second = rows[0]
    return int(first), int(second)
