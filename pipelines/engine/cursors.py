"""The window of a cursor: where it begins, how far it looks back, how it is spelled in the source's SQL. Pure."""

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from common.errors import UserError
from connections.connectors.base import Column
from connections.connectors.sql import Dialect
from connections.connectors.values import coerce, type_family
from pipelines.engine.errors import BadFilter
from pipelines.engine.model import CursorPlan, Known, Resource, SourceColumn, SourceTable, TablePlan
from pipelines.engine.sqltext import ident, typed_literal

_LOOKBACK = re.compile(r"^(\d+(?:\.\d+)?)\s*([a-z]*)$")
_SECONDS = {
    "s": 1,
    "second": 1,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "week": 604800,
}


def parse_lookback(text: str) -> tuple[Decimal, bool]:
    """``(amount, is_time)``: seconds where a unit is given, else plain units of a number cursor.

    Raises ``ValueError`` for what is neither.
    """
    found = _LOOKBACK.match(text.strip().lower())
    if not found:
        raise ValueError(text)
    amount, unit = Decimal(found[1]), found[2]
    if not unit:
        return amount, False
    seconds = _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"))
    if seconds is None:
        raise ValueError(text)
    return amount * seconds, True


def plan_cursor(
    resource: Resource,
    table: SourceTable,
    known: Known | None,
    edited: dict[str, Any] | None,
    *,
    restart: bool,
    only: tuple[str, str] | None,
    dialect: Dialect,
) -> CursorPlan | None:
    """The window of this load; None where the table is read as a whole.

    ``known`` is what the ledger says, ``edited`` what a person set; ``restart`` forgets both.
    """
    # A replace reads everything each time, so a cursor has no say there.
    if resource.cursor_column is None or resource.disposition == "replace":
        return None
    column = table.column(resource.cursor_column)
    if column is None:
        raise _no_cursor_column(resource, table)
    before, edit = (None, 0) if restart else _before(resource, known, edited)
    if restart and edited:
        edit = int(edited.get("edit") or 0)
    return CursorPlan(
        column=column.name,
        type=column.type,
        expression=column.expression or ident(column.name, dialect),
        before=before,
        initial=_initial(resource, column),
        start=_start(resource, column, before),
        inclusive=resource.disposition == "merge" or bool(resource.lookback),
        edit=edit,
        only=_range(resource, column, only) if only else None,
    )


def _no_cursor_column(resource: Resource, table: SourceTable) -> UserError:
    from pipelines.engine.planner import no_column

    names = [column.name for column in table.columns]
    return no_column(resource, "cursor", str(resource.cursor_column), names)


def _before(
    resource: Resource, known: Known | None, edited: dict[str, Any] | None
) -> tuple[str | None, int]:
    """The last value: what the ledger has, unless a person has moved it since."""
    ledger_edit = known.cursor_edit if known else 0
    if edited and int(edited.get("edit") or 0) > ledger_edit:
        same = edited.get("column") in (None, "", resource.cursor_column)
        return (edited.get("value") or None) if same else None, int(edited["edit"])
    if known is None or known.cursor_column != resource.cursor_column:
        return None, ledger_edit
    return known.cursor_value, ledger_edit


def _initial(resource: Resource, column: SourceColumn) -> str | None:
    if resource.cursor_initial is None:
        return None
    return _typed(resource, column, resource.cursor_initial, "start value")


def _range(resource: Resource, column: SourceColumn, only: tuple[str, str]) -> tuple[str, str]:
    low, high = (_typed(resource, column, value, "bound") for value in only)
    return low, high


def _typed(resource: Resource, column: SourceColumn, value: Any, what: str) -> str:
    typed = Column(column.name, column.type)
    try:
        return str(coerce(value, type_family(column.type), typed))
    except UserError as error:
        raise BadFilter(
            f'The {what} "{value}" of {resource.label} does not fit its '
            f'cursor "{column.name}" ({column.type}).',
            field=f"resources.{resource.name}.cursor",
            remedy=error.remedy,
        ) from error


def _start(resource: Resource, column: SourceColumn, before: str | None) -> str | None:
    """The last value less the look-back, as text the source reads."""
    if before is None or not resource.lookback:
        return before
    try:
        amount, is_time = parse_lookback(resource.lookback)
        return _earlier_time(before, amount) if is_time else str(Decimal(before) - amount)
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise BadFilter(
            f'The look-back "{resource.lookback}" does not fit the cursor "{column.name}" '
            f"({column.type}) of {resource.label}.",
            field=f"resources.{resource.name}.cursor_lookback",
            remedy='Use a number for a number, and a time such as "2 hours" or "3 days" for a date or time.',
        ) from error


def _earlier_time(before: str, seconds: Decimal) -> str:
    moment = datetime.fromisoformat(before)
    earlier = moment - timedelta(seconds=float(seconds))
    if len(before) == 10:
        return earlier.date().isoformat()
    return earlier.isoformat(sep=" ")


# --- in the source's SQL ---------------------------------------------------------------------------


def window(cursor: CursorPlan | None, dialect: Dialect) -> str:
    """The condition that leaves out what earlier loads have brought; empty for a full read."""
    if cursor is None:
        return ""
    if cursor.only:
        low, high = (typed_literal(value, cursor.type, dialect) for value in cursor.only)
        return f"{cursor.expression} >= {low} AND {cursor.expression} < {high}"
    if cursor.start is not None:
        sign = ">=" if cursor.inclusive else ">"
        return f"{cursor.expression} {sign} {typed_literal(cursor.start, cursor.type, dialect)}"
    if cursor.initial is not None:
        return f"{cursor.expression} >= {typed_literal(cursor.initial, cursor.type, dialect)}"
    return ""


def up_to(cursor: CursorPlan, highest: str | None, dialect: Dialect) -> str:
    """The upper end of the window. A first full read takes the rows without a cursor value too."""
    if cursor.only:
        return ""
    without = f"{cursor.expression} IS NULL"
    first = cursor.start is None and cursor.initial is None
    if highest is None:
        return without if first else "1 = 0"
    limit = f"{cursor.expression} <= {typed_literal(highest, cursor.type, dialect)}"
    return f"({limit} OR {without})" if first else limit


_MOMENTS = ("date", "timestamp", "DATE", "TIMESTAMP")
_FLOATS = ("real", "double", "numeric", "FLOAT", "DOUBLE")


def finite(cursor: CursorPlan, dialect: Dialect) -> str:
    """The condition of values a cursor can go on from: after infinity or NaN nothing would come any more."""
    value, kind = cursor.expression, cursor.type
    if dialect is Dialect.MYSQL:
        return ""
    if kind.startswith(_MOMENTS):
        return f"isfinite({value})"
    if kind.startswith(_FLOATS):
        bounded = kind.startswith(("real", "double", "FLOAT", "DOUBLE"))
        numbers = "'NaN', 'Infinity', '-Infinity'" if bounded else "'NaN'"
        return f"{value} NOT IN ({numbers})" if dialect is Dialect.POSTGRES or bounded else ""
    return ""


def reached(plan: TablePlan, highest: str | None) -> str | None:
    """The cursor after a load that saw ``highest``: it never goes back by itself."""
    cursor = plan.cursor
    if cursor is None:
        return None
    return highest if highest is not None and not cursor.only else cursor.before
