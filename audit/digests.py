"""The digests of the log: of an event's content, and of its place in the chain of its organization.

An event's digest is made from what the database gives back, so that whoever reads the row can make it again.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

#: The columns that an event's digest stands for; the id is the link's to keep.
FIELDS = (
    "organization_id", "at", "actor_kind", "actor_label", "actor_id", "action", "target_type",
    "target_id", "target_label", "changes", "ip",
)  # fmt: skip


def content_digest(values: Mapping[str, Any], *, changes: str | None = None) -> str:
    """Of an event's ``FIELDS``. ``changes`` is ``canonical_json`` of them, for who has many of the same."""
    parts = dict(values)
    parts["at"] = _moment(values["at"])
    parts["ip"] = _address(values["ip"])
    parts["action"] = str(values["action"])
    if changes is None:
        changes = canonical_json(values["changes"])
    plain = {name: parts[name] for name in FIELDS if name != "changes"}
    text = f"{_written(plain)}\n{changes}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def link_digest(previous: str, sequence: int, content: str) -> str:
    """Of the place ``sequence`` in a chain; the databases' triggers make the same."""
    return sha256(f"{previous}:{sequence}:{content}".encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """One text for one value, whatever way through a JSON column it took: keys sorted, numbers in full."""
    return _written(json.loads(json.dumps(value)))


def _written(value: Any) -> str:
    if isinstance(value, dict):
        items = (f"{json.dumps(key)}:{_written(value[key])}" for key in sorted(value))
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return json.dumps(value)


def _number(value: float) -> str:
    # jsonb keeps 1e16 as an integer and 1.0 as it is.
    text = format(Decimal(repr(value)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _address(ip: str | None) -> str:
    # An IPv6 address has several spellings, and the databases choose theirs.
    if not ip:
        return ""
    try:
        return ip_address(ip).packed.hex()
    except ValueError:
        return ip
