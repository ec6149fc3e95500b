"""Keeping secret values out of everything that is stored, shown or logged."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "••••••"

#: Shorter values are words more often than secrets: masking them would make every text unreadable.
SHORTEST_SECRET = 4

#: Of a shorter piece of base64 too much would be a coincidence.
SHORTEST_BASE64 = 10

#: Lines of a multi-line secret (a private key) are masked one by one from this length on.
SHORTEST_LINE = 16

#: What stands under these keys of a spec is secret.
_SECRET_KEYS = frozenset({"secrets", "hash_key"})

#: Values a program compares. A password that happens to be "error" must not change them.
_STRUCTURAL_KEYS = frozenset(
    {
        "event",
        "level",
        "status",
        "code",
        "signature",
        "kind",
        "name",
        "target",
        "field",
        "type",
        "model",
    }
)


class Redactor:
    """Masks secret values, also in the spellings they take in URLs, reprs, JSON and base64."""

    def __init__(self, values: Iterable[str]) -> None:
        spellings = {spelling for value in values for spelling in _spellings(value)}
        # The longest first: one secret may be the beginning of another.
        ordered = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with every string in it masked, at any depth, except names and codes."""
        return event if self._pattern is None else self._mapping(event)

    def _mapping(self, mapping: dict[str, Any]) -> dict[str, Any]:
        return {
            key: value if key in _STRUCTURAL_KEYS and isinstance(value, str) else self._value(value)
            for key, value in mapping.items()
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            return [self._value(item) for item in value]
        return value


def secrets_in(value: Any) -> Iterator[str]:
    """Every string under one of ``_SECRET_KEYS``, at any depth: the secret values of a spec."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item) if key in _SECRET_KEYS else secrets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _spellings(value: str) -> Iterator[str]:
    lines = [line.strip() for line in value.splitlines()]
    pieces = [line for line in lines if len(line) >= SHORTEST_LINE] if len(lines) > 1 else []
    for piece in (value, value.strip(), *pieces):
        if len(piece) < SHORTEST_SECRET:
            continue
        yield piece
        yield quote(piece, safe="")
        yield quote(piece)
        yield quote_plus(piece)
        yield repr(piece)[1:-1]
        yield json.dumps(piece)[1:-1]
        yield json.dumps(piece, ensure_ascii=False)[1:-1]
        yield from base64_of(piece)


def base64_of(piece: str) -> Iterator[str]:
    """What every base64 text has in it that was made of something with ``piece`` in it, such as user and password."""
    raw = piece.encode()
    for before in range(3):
        encoded = b64encode(bytes(before) + raw).decode()
        # Only whole characters of the piece: the first and last share their bits with what stands around it.
        inner = encoded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        if len(inner) >= SHORTEST_BASE64:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
