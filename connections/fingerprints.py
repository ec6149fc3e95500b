"""Fingerprints of secrets: whether one is another than it was can be told without knowing either.

A keyed hash under a key of this one purpose and this connection: it leads nowhere back, not by trying passwords
either, and equal secrets of two connections do not look alike.
"""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from common.crypto import derived_key

PURPOSE = "fingerprints of secrets"
#: Hexadecimal digits, of the key's own mark and of a fingerprint under it.
MARK, LENGTH = 6, 16


def fingerprints_of(connection_id: int, secrets: Mapping[str, Any]) -> dict[str, str]:
    """``{"password": "<mark of the key>.<fingerprint>"}`` of every secret that is set."""
    key = derived_key(PURPOSE, f"connection {connection_id}").encode()
    mark = derived_key(PURPOSE, "mark")[:MARK]
    return {
        name: f"{mark}.{_digest(key, name, secrets[name])}"
        for name in sorted(secrets)
        if secrets[name] not in (None, "")
    }


def _digest(key: bytes, name: str, value: Any) -> str:
    text = f"{name}\0{json.dumps(value, sort_keys=True)}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()[:LENGTH]
