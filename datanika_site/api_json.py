"""JSON as it arrives at the API: refused where no part of the application could hold it."""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework import exceptions, parsers, renderers

#: The deepest body of ours is a filter with groups in groups; what is deeper only costs.
MOST_DEPTH = 40
#: What the databases hold as a whole number.
_LEAST, _MOST = -(2**63), 2**63 - 1


class JSONParser(parsers.BaseParser):
    """UTF-8 as RFC 8259 demands, at most ``MOST_DEPTH`` deep, without NUL, half characters and endless numbers.

    Of text and numbers like these a database raises what nobody expects, in the middle of a service.
    """

    media_type = "application/json"
    renderer_class = renderers.JSONRenderer

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            found = json.loads(stream.read().decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            words = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise exceptions.ParseError(f"The body is not JSON: {words}.") from None
        _check(found)
        return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _check(body: Any) -> None:
    """Refuse what is too deep, and text or numbers that nothing can store."""
    level = [body]
    for _depth in range(MOST_DEPTH):
        level = [inner for item in level for inner in _parts(item)]
        if not level:
            return
    raise exceptions.ParseError(f"The body is nested more than {MOST_DEPTH} deep.")


def _parts(item: Any) -> list[Any]:
    """What is inside ``item``, which itself is looked at."""
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, list):
        return item
    if isinstance(item, str):
        if "\0" in item:
            raise exceptions.ParseError("The body holds a NUL character (\\u0000). Take it out.")
        try:
            item.encode()
        except UnicodeEncodeError:
            raise exceptions.ParseError(
                "The body holds half a character (a lone surrogate, \\ud800 to \\udfff). Take it out."
            ) from None
    elif isinstance(item, int) and not _LEAST <= item <= _MOST:
        raise exceptions.ParseError(
            "The body holds a whole number of more than 64 bits. Send it as text."
        )
    elif isinstance(item, float) and item in (float("inf"), float("-inf")):
        raise exceptions.ParseError("The body holds a number that is too large. Send it as text.")
    return []
