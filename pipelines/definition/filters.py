"""The row filters of a resource, in the language that every connector reads (docs/filters.md)."""

from typing import Any

from common.errors import UserError
from connections.connectors.filters import LIST_OPERATORS, as_json, parse_tree
from pipelines.errors import InvalidPipeline

__all__ = ["LIST_OPERATORS", "parse_filters"]


def parse_filters(value: Any, where: str) -> tuple[dict[str, Any], ...]:
    """Conditions and groups as JSON, all of which a row must pass."""
    try:
        tree = parse_tree(None if value == "" else value, where)
    except UserError as error:
        raise InvalidPipeline(
            error.message, field=error.field, remedy=error.remedy, detail=error.detail
        ) from None
    return tuple(as_json(tree))
