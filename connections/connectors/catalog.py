"""Paging over a sorted catalogue: a page's key is the last (schema, name) of the one before."""

import json
from collections.abc import Iterable

from common.errors import UserError
from connections.connectors.base import CatalogPage, Table


def encode_key(schema: str, name: str) -> str:
    """The ``after`` that continues behind this table; JSON, because any character may stand in a
    name.
    """
    return json.dumps([schema, name], ensure_ascii=False)


def decode_key(after: str) -> tuple[str, str] | None:
    """The (schema, name) of an ``after``; None for the first page."""
    if not after:
        return None
    try:
        schema, name = json.loads(after)
    except (ValueError, TypeError) as error:
        raise UserError(
            f'"{after}" is not the key of a catalogue page.',
            field="after",
            remedy="Use the next value of the page before, or leave it out.",
        ) from error
    return str(schema), str(name)


def page_of(tables: list[Table], limit: int, schemas: tuple[str, ...] = ()) -> CatalogPage:
    """A page from at most ``limit`` + 1 sorted tables; the one too many only says that there is a
    next page.
    """
    shown = tables[:limit]
    more = len(tables) > limit
    following = encode_key(shown[-1].schema, shown[-1].name) if more else None
    return CatalogPage(tables=tuple(shown), schemas=schemas, next=following)


def select_page(
    tables: Iterable[Table],
    *,
    search: str,
    schema: str,
    after: str,
    limit: int,
    schemas: tuple[str, ...] = (),
) -> CatalogPage:
    """Filter, sort and cut a catalogue that is in memory as a whole."""
    start = decode_key(after)
    wanted = search.casefold()
    kept = sorted(
        (
            table
            for table in tables
            if wanted in table.name.casefold()
            and (not schema or table.schema == schema)
            and (start is None or (table.schema, table.name) > start)
        ),
        key=lambda table: (table.schema, table.name),
    )
    return page_of(kept[: limit + 1], limit, schemas)
