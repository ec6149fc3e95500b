"""After a load that replaces or merges all of a table: do both ends agree, by count and by sums?"""

from typing import Any

from connections.connectors.sql import Dialect
from pipelines.engine.destinations.base import Destination
from pipelines.engine.model import ColumnPlan, Resource, TablePlan
from pipelines.engine.readers.base import Reader
from pipelines.engine.sqltext import ident, where
from pipelines.engine.types import hub

#: More sums than these make one statement too heavy to be cheap.
_SUMS = 20


def verify(
    reader: Reader,
    destination: Destination,
    resource: Resource,
    plan: TablePlan,
) -> dict[str, Any] | None:
    """The checks and whether they agreed; None where the two ends need not be equal.

    An append keeps rows its source may have lost, and history keeps versions: there is nothing to compare. A source
    that changes while it is read, or one whose rows were deleted, may differ without
    fault: the run is warned, not failed.
    """
    if resource.verify == "none" or plan.replay or _differs_by_nature(plan):
        return None
    waiting = int(dict(destination.count_rejects()).get(plan.target, 0))
    if waiting and plan.disposition == "merge":
        # Of a key that was loaded before, the old row stands there and the new one waits.
        return None
    names = ["rows"]
    ours, theirs = ["count(*)"], ["count(*)"]
    for column in _summed(plan) if resource.verify == "sums" and not waiting else ():
        names.append(f"sum of {column.name}")
        theirs.append(_sum(_source_name(column, reader.dialect), reader.dialect))
        ours.append(_sum(ident(column.name, _dialect(destination)), _dialect(destination)))
    source = reader.row(f"SELECT {', '.join(theirs)} FROM {plan.relation}{where(plan.where)}")
    found = destination.query(f"SELECT {', '.join(ours)} FROM {destination.table(plan.target)}")[0]
    # What was put aside, now or before, is at the source, and not over there.
    found = (int(found[0]) + waiting, *found[1:])
    checks = [
        {"name": name, "source": _text(one), "destination": _text(other)}
        for name, one, other in zip(names, source, found, strict=True)
    ]
    agreed = all(check["source"] == check["destination"] for check in checks)
    return {
        "level": resource.verify,
        "status": "agreed" if agreed else "differed",
        "checks": checks,
    }


def _differs_by_nature(plan: TablePlan) -> bool:
    """Only where every row of the source has exactly one in the destination."""
    if plan.disposition == "replace":
        return False
    merged = plan.disposition == "merge" and plan.strategy != "scd2"
    return not (merged and plan.key_is_unique)


def _summed(plan: TablePlan) -> list[ColumnPlan]:
    """Whole numbers, whose sum is exact everywhere."""
    found = [column for column in plan.kept if hub.is_whole(column.hub) and not column.note]
    return found[:_SUMS]


def _source_name(column: ColumnPlan, dialect: Dialect) -> str:
    return column.read or ident(column.source, dialect)


def _sum(expression: str, dialect: Dialect) -> str:
    kind = {Dialect.POSTGRES: "numeric", Dialect.MYSQL: "DECIMAL(65,0)"}.get(dialect, "HUGEINT")
    return (
        f"sum({expression})" if dialect is Dialect.SQLITE else f"CAST(sum({expression}) AS {kind})"
    )


def _dialect(destination: Destination) -> Dialect:
    return getattr(destination, "dialect", Dialect.DUCKDB)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
