"""What left the source against what arrived, and against what the report said of it."""

from collections.abc import Iterator
from typing import Any

from pipelines.tests.fidelity.catalogue import EXACT, REJECTED, Col
from pipelines.tests.fidelity.ends import Grid
from pipelines.tests.fidelity.rules import RULES, same
from pipelines.tests.fidelity.values import Cell

#: Columns of the engine's own.
OWN = frozenset({"_dlt_load_id"})


def differences(
    source: Grid, found: Grid, columns: list[Col], destination: str, result: dict[str, Any]
) -> Iterator[str]:
    """A sentence for every column that is not what its expectation says."""
    table = result["target"]
    conversions = {one["column"]: one for one in result["conversions"]}
    rejecting = {column.name for column in columns if column.at(destination) == REJECTED}
    missing = source.rows.keys() - found.rows.keys()
    for name in rejecting:
        for problem in _rejected(source, found, name, result["rejects"]):
            yield f"{table}.{name}: {problem}"
    if (missing and not rejecting) or found.rows.keys() - source.rows.keys():
        yield f"{table}: {len(found.rows)} rows instead of {len(source.rows)}"
    for column in columns:
        if column.name in rejecting:
            continue
        for problem in _column(source, found, column, destination, conversions.get(column.name)):
            kinds = f"{source.types.get(column.name)} → {found.types.get(column.name)}"
            yield f"{table}.{column.name} ({kinds}): {problem}"
    for reject in result["rejects"]:
        if reject["column"] not in rejecting:
            yield f"{table}.{reject['column']}: rows were rejected: {reject}"
    unknown = conversions.keys() - {column.name for column in columns}
    if unknown:
        yield f"{table}: conversions of {sorted(unknown)}, which it does not have"


def _column(
    source: Grid, found: Grid, column: Col, destination: str, note: dict[str, Any] | None
) -> Iterator[str]:
    expected = column.at(destination)
    if column.name not in found.types:
        yield "has not arrived"
        return
    if expected == EXACT and note is not None:
        yield f"expected exact, but reported as converted: {note}"
    if expected != EXACT and note is None:
        yield f"expected {expected}, but no conversion was reported"
    if expected != EXACT and note is not None:
        yield from _note(source, column.name, note)
    rule = same if expected == EXACT else RULES[expected.partition(":")[2]]
    for key in source.rows.keys() & found.rows.keys():
        before, after = source.rows[key][column.name], found.rows[key][column.name]
        if before.is_null and not after.is_null:
            yield f"row {key}: NULL became {_shown(after)}"
        elif not before.is_null and not rule(before, after):
            yield f"row {key}: {_shown(before)} became {_shown(after)}"


def _note(source: Grid, name: str, note: dict[str, Any]) -> Iterator[str]:
    count = sum(not row[name].is_null for row in source.rows.values())
    if note["count"] != count:
        yield f"converted {note['count']} values by its report, {count} in fact"
    if not str(note.get("text") or "").strip():
        yield "the report does not say what the conversion is"


def _rejected(source: Grid, found: Grid, name: str, rejects: list[dict[str, Any]]) -> Iterator[str]:
    with_value = {key for key, row in source.rows.items() if not row[name].is_null}
    for key in sorted(with_value & found.rows.keys()):
        before, after = source.rows[key][name], found.rows[key][name]
        yield f"row {key}: expected to be rejected, but {_shown(before)} became {_shown(after)}"
    if source.rows.keys() - with_value - found.rows.keys():
        yield "rows without a value are missing too"
    # One entry for each reason.
    mine = [one for one in rejects if one["column"] == name]
    if sum(one["count"] for one in mine) != len(with_value):
        yield f"reported as {mine}, but {len(with_value)} rows have a value"
    if not all(one["reason"] for one in mine):
        yield f"without a reason: {mine}"


def accounts(result: dict[str, Any], source: Grid, found: Grid) -> Iterator[str]:
    """What is wrong with the numbers of a result."""
    parts = ("rows_loaded", "rows_filtered", "rows_rejected", "rows_deduplicated")
    if result["rows_read"] != sum(result[part] for part in parts):
        yield f"{result['target']}: the counts do not add up: {result}"
    if result["rows_read"] != len(source.rows) or result["rows_loaded"] != len(found.rows):
        yield (
            f"{result['target']}: {result['rows_read']} read and {result['rows_loaded']} loaded,"
            f" {len(source.rows)} and {len(found.rows)} counted"
        )
    described = {column["name"] for column in result["columns"]} - OWN
    if described != found.types.keys() - OWN:
        yield f"{result['target']}: the report names the columns {sorted(described)}"


def _shown(value: Cell) -> str:
    text = repr(value.value)
    return f"{value.kind} {text if len(text) < 60 else text[:57] + '…'}"
