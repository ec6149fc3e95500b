"""How rows travel: as PostgreSQL's own COPY, through the hub, or through the hub row by row judged."""

from dataclasses import dataclass
from typing import Any

from connections.connectors.sql import quote_text
from pipelines.engine.destinations.base import CopyFeed, Feed
from pipelines.engine.errors import BadData
from pipelines.engine.model import ColumnPlan, Extracted, TablePlan
from pipelines.engine.planner import HASH_KEY
from pipelines.engine.readers.base import Reader, has_guard
from pipelines.engine.readers.postgres import PostgresReader
from pipelines.engine.session import Session
from pipelines.engine.sqltext import filled
from pipelines.engine.types import hub
from pipelines.engine.types.parse import parsed

_RAW, _JUDGED = "temp.main.raw_rows", "temp.main.judged_rows"
_REASONS = {
    "type": "is not a value of {kind}",
    "range": "is more than {type} holds at the destination",
    "key": "has no value in the key",
    "contract": "has a value in a column the schema contract refuses",
}
_ORDER = tuple(_REASONS)


@dataclass(frozen=True)
class Refused:
    """Rows of one column that were put aside for one reason."""

    column: str
    reason: str
    count: int

    def as_json(self) -> dict[str, Any]:
        return {"column": self.column, "reason": self.reason, "count": self.count}


def can_copy(reader: Reader, plan: TablePlan, destination_kind: str) -> bool:
    """PostgreSQL into PostgreSQL, where nothing is done to the values on the way."""
    return (
        isinstance(reader, PostgresReader)
        and destination_kind == "postgres"
        and not plan.tolerant
        and all(column.direct for column in plan.columns)
    )


def copied(reader: Reader, plan: TablePlan, conditions: list[str], load_id: str) -> CopyFeed:
    assert isinstance(reader, PostgresReader)
    return reader.copy(plan, conditions, load_id)


def strict(
    reader: Reader, session: Session, plan: TablePlan, conditions: list[str], load_id: str, key: str
) -> Feed:
    """Every value converts, or the statement fails and nothing is kept."""
    expressions = [
        filled(column.load, f"c{index}").replace(HASH_KEY, quote_text(key))
        for index, column in enumerate(plan.columns)
    ]
    if has_guard(plan):
        expressions[0] = f"CASE WHEN g THEN error('damaged value') ELSE {expressions[0]} END"
    return Feed(
        session,
        reader.rows(plan, conditions, raw=False),
        tuple(expressions),
        plan.columns,
        load_id,
        ordered=_order_matters(plan),
    )


def _order_matters(plan: TablePlan) -> bool:
    return bool(plan.primary_key) and not plan.key_is_unique


class Judging:
    """Rows as text, each value tried: what fits goes on, what does not is put aside with its reason."""

    def __init__(self, session: Session, plan: TablePlan, load_id: str, key: str) -> None:
        self._session, self._plan, self._load_id, self._key = session, plan, load_id, key
        self.refused: list[Refused] = []
        #: Source columns with values that are not of their type.
        self.unfit: frozenset[str] = frozenset()
        self.emptied: dict[str, int] = {}

    def feed(self, relation: str, counts: Extracted) -> Feed:
        """``relation`` has the columns c0, c1, … as text."""
        session, plan = self._session, self._plan
        with session.ordered(_order_matters(plan)):
            session.connection.execute(f"CREATE OR REPLACE TEMP TABLE raw_rows AS FROM {relation}")
            cases = " ".join(
                f"WHEN {condition} THEN {number}" for number, condition in self._failures()
            )
            verdict = f"CASE {cases} END" if cases else "NULL"
            session.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE judged_rows AS SELECT *, {verdict} AS verdict FROM {_RAW}"
            )
        session.connection.execute(f"DROP TABLE {_RAW}")
        self._tally(counts)
        kept = plan.kept
        numbers = {column.source: index for index, column in enumerate(plan.columns)}
        return Feed(
            session,
            f"(FROM {_JUDGED} WHERE verdict IS NULL)",
            tuple(self._value(column, numbers[column.source]) for column in kept),
            tuple(kept),
            self._load_id,
            ordered=_order_matters(plan),
            rejects=f"({self._rejects()})" if counts.rows_rejected else "",
            load_ids="read_by" if plan.replay else "",
        )

    def _value(self, column: ColumnPlan, number: int) -> str:
        if column.protected and self._plan.replay:
            # What was kept of the refused row is hashed or masked already.
            return f"c{number}"
        text = parsed(column.parse, column.hub, f"c{number}")
        return text.replace(HASH_KEY, quote_text(self._key))

    def _unfit(self, column: ColumnPlan, number: int) -> str:
        """The condition of a value that is not of its column's type."""
        return f"c{number} IS NOT NULL AND {self._value(column, number)} IS NULL"

    def _failures(self) -> list[tuple[int, str]]:
        """(number, condition): a number for each reason of each column."""
        found = []
        for index, column in enumerate(self._plan.columns):
            value = f"c{index}"
            if column.refuse:
                found.append((_number(index, "contract"), f"{value} IS NOT NULL"))
                continue
            if column.name in self._plan.primary_key:
                found.append((_number(index, "key"), f"{value} IS NULL"))
            if not column.nullify:
                found.append((_number(index, "type"), self._unfit(column, index)))
            if column.holds:
                held = filled(column.holds, self._value(column, index))
                found.append((_number(index, "range"), f"NOT ({held})"))
        return found

    def _reason(self, number: int) -> tuple[ColumnPlan, str]:
        place, reason = divmod(number, len(_ORDER))
        column = self._plan.columns[place]
        text = _REASONS[_ORDER[reason]]
        return column, text.format(kind=hub.physical(column.hub), type=column.type)

    def _tally(self, counts: Extracted) -> None:
        rows = self._session.connection.execute(
            f"SELECT verdict, count(*) FROM {_JUDGED} WHERE verdict IS NOT NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
        for number, count in rows:
            column, reason = self._reason(number)
            self.refused.append(Refused(column.source, reason, count))
        self.unfit = frozenset(
            self._plan.columns[number // len(_ORDER)].source
            for number, _ in rows
            if _ORDER[number % len(_ORDER)] == "type"
        )
        counts.rows_rejected = sum(one.count for one in self.refused)
        self._check_frozen(rows)
        for index, column in enumerate(self._plan.columns):
            if column.nullify:
                self.emptied[column.name] = self._session.count(
                    f"SELECT count(*) FROM {_JUDGED} WHERE verdict IS NULL"
                    f" AND {self._unfit(column, index)}"
                )

    def _check_frozen(self, rows: list[tuple[int, int]]) -> None:
        """A contract that freezes types lets no row be put aside for its type."""
        if self._plan.contract.data_type != "freeze" or not rows:
            return
        column, reason = self._reason(rows[0][0])
        raise BadData(
            f'{self._plan.resource}: {rows[0][1]:,} rows have a value in "{column.source}" that {reason}, '
            "and the schema contract freezes the types.",
            field=f"resources.{self._plan.name}.schema_contract",
            remedy="Correct the rows at the source, or set data_type to discard_row to put them aside.",
        )

    def _rejects(self) -> str:
        """The refused rows in the shape of the table that keeps them."""
        columns = self._plan.columns
        numbers = sorted({number for number, _ in self._failures()})
        reasons = " ".join(f"WHEN {n} THEN {quote_text(self._reason(n)[1])}" for n in numbers)
        names = " ".join(f"WHEN {n} THEN {quote_text(self._reason(n)[0].source)}" for n in numbers)
        values = " ".join(f"WHEN {n} THEN c{n // len(_ORDER)}" for n in numbers)
        pairs = ", ".join(
            f"{quote_text(c.source)}, {self._value(c, i) if c.protected else f'c{i}'}"
            for i, c in enumerate(columns)
        )
        return (
            f"SELECT {quote_text(self._load_id)} || '-' || lpad(CAST(row_number() OVER () AS VARCHAR), 9, '0')"
            f" || '-' || {quote_text(self._plan.target)} AS reject_id,"
            f" {quote_text(self._load_id)} AS load_id, {quote_text(self._plan.target)} AS table_name,"
            f" {quote_text(self._plan.resource)} AS resource, now() AS rejected_at,"
            f" CASE verdict {reasons} END AS reason, CASE verdict {names} END AS column_name,"
            f" CASE verdict {values} END AS raw_value, CAST(json_object({pairs}) AS VARCHAR) AS row_json"
            f" FROM {_JUDGED} WHERE verdict IS NOT NULL"
        )


def _number(column: int, reason: str) -> int:
    return column * len(_ORDER) + _ORDER.index(reason)
