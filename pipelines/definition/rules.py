"""What does not go together in one resource. Each rule names the key to change and how."""

from typing import TYPE_CHECKING

from pipelines.definition.lookback import canonical_lookback
from pipelines.definition.values import at
from pipelines.errors import InvalidPipeline
from pipelines.models import MergeStrategy, Transform, WriteDisposition

if TYPE_CHECKING:
    from pipelines.definition.resource import ResourceDefinition


def check_resource(
    resource: "ResourceDefinition", where: str, *, takes_source_key: bool = False
) -> None:
    """Raise ``InvalidPipeline`` for settings that contradict each other.

    ``takes_source_key``: the engine merges by the key that the source's table has, so none has to be named.
    An empty ``write_disposition`` is not known yet, and what depends on it is not judged.
    """
    _check_key(resource, where, takes_source_key=takes_source_key)
    _check_cursor(resource, where)
    _check_columns(resource, where)
    _check_names(resource, where)
    _check_transforms(resource, where)


def _check_key(resource: "ResourceDefinition", where: str, *, takes_source_key: bool) -> None:
    disposition = resource.write_disposition
    keyless = not resource.primary_key and not takes_source_key
    if disposition is WriteDisposition.MERGE and keyless:
        raise InvalidPipeline(
            f"Merge needs the primary key of {resource.name!r}.",
            field=at(where, "primary_key"),
            remedy="Name the columns that identify a row, or choose append or replace.",
        )
    scd2 = resource.merge_strategy is MergeStrategy.SCD2
    if scd2 and disposition and disposition is not WriteDisposition.MERGE:
        raise InvalidPipeline(
            f"Only merge keeps every version, and {resource.name!r} is written by {disposition}.",
            field=at(where, "merge_strategy"),
            remedy="Choose merge, or leave the merge strategy out.",
        )
    if resource.row_order and keyless and disposition:
        raise InvalidPipeline(
            f"An order of rows needs the primary key of {resource.name!r}.",
            field=at(where, "row_order"),
            remedy="Name the columns that identify a row, or leave the order out.",
        )


def _check_cursor(resource: "ResourceDefinition", where: str) -> None:
    if resource.write_disposition is WriteDisposition.REPLACE and resource.cursor_column:
        raise InvalidPipeline(
            f"Replace loads all of {resource.name!r} every time, so it takes no cursor.",
            field=at(where, "cursor_column"),
            remedy="Leave the cursor out, or choose append or merge.",
        )
    needing = {
        "A first value": ("cursor_column", resource.cursor_initial),
        "A lookback": ("cursor_lookback", resource.cursor_lookback),
        "An order of rows": ("row_order", resource.row_order),
    }
    for what, (key, value) in needing.items():
        if value and not resource.cursor_column:
            raise InvalidPipeline(
                f"{what} needs a cursor column.",
                field=at(where, key),
                remedy="Name the cursor's column, or leave this empty.",
            )
    canonical_lookback(resource.cursor_lookback, where=at(where, "cursor_lookback"))


def _check_columns(resource: "ResourceDefinition", where: str) -> None:
    taken = set(resource.columns)
    if not taken:
        return
    merged = resource.write_disposition is WriteDisposition.MERGE
    if merged and (missing := [name for name in resource.primary_key if name not in taken]):
        raise InvalidPipeline(
            f"The key column {missing[0]!r} is not among the columns taken.",
            field=at(where, "columns"),
            remedy="Take it too, or choose another key.",
        )
    if left_out := [name for name in resource.column_settings if name not in taken]:
        raise InvalidPipeline(
            f"The column {left_out[0]!r} has settings, but is not among the columns taken.",
            field=f"{at(where, 'column_settings')}.{left_out[0]}",
            remedy="Take it too, or remove its settings.",
        )


def _check_names(resource: "ResourceDefinition", where: str) -> None:
    """No two columns may end up with one name; upper and lower case are one in some destinations."""
    settings = resource.column_settings
    taken = {
        name.lower(): name
        for name in (*resource.columns, *resource.primary_key)
        if "rename" not in settings.get(name, {})
    }
    for column, chosen in settings.items():
        name = chosen.get("rename", "")
        if not name:
            continue
        other = taken.setdefault(name.lower(), column)
        if other != column:
            raise InvalidPipeline(
                f"The columns {other!r} and {column!r} would both be called {name!r}.",
                field=f"{at(where, 'column_settings')}.{column}.rename",
                remedy="Give one of them another name.",
            )


def _check_transforms(resource: "ResourceDefinition", where: str) -> None:
    for column, chosen in resource.column_settings.items():
        transform = chosen.get("transform")
        field = f"{at(where, 'column_settings')}.{column}.transform"
        if transform and column == resource.cursor_column:
            raise InvalidPipeline(
                f"The cursor {column!r} has to stay as it is: its values are compared.",
                field=field,
                remedy="Choose another cursor, or load the column as it is.",
            )
        if transform == Transform.MASK and column in resource.primary_key:
            raise InvalidPipeline(
                f"The key column {column!r} cannot be masked: several rows would become one.",
                field=field,
                remedy="Use hash, which keeps different values different.",
            )
