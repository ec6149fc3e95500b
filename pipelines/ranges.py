"""Tables of which a range can be loaded again, and whether values can be its bounds."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.models import MergeStrategy, Pipeline, WriteDisposition
from pipelines.state import StateRow, check_value, known_state


@dataclass(frozen=True)
class RangedResource:
    """A table with a cursor, and where that stands as far as is known here."""

    name: str
    cursor_column: str
    value: str | None


def ranged_resources(pipeline: Pipeline) -> list[RangedResource]:
    """Those of which a range can be loaded again: with a cursor, and not kept in versions."""
    return [
        RangedResource(row.resource.name, row.resource.cursor_column, row.value)
        for row in known_state(pipeline)
        if not keeps_versions(row)
    ]


def check_bounds(pipeline: Pipeline, resource: str, values: Mapping[str, str]) -> None:
    """``InvalidPipeline`` naming the field whose value the cursor of the resource cannot hold."""
    row = next((one for one in known_state(pipeline) if one.resource.name == resource), None)
    for field, value in values.items() if row else ():
        assert row is not None
        check_value(pipeline, row.resource, value, like=row.value, field=field)


def keeps_versions(row: StateRow) -> bool:
    """A range loaded again would lose them."""
    merged = row.resource.write_disposition is WriteDisposition.MERGE
    return merged and row.resource.merge_strategy is MergeStrategy.SCD2
