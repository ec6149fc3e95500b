"""Where allauth keeps what it has encrypted for us: the secrets of second factors."""

from typing import Any

from common.ciphertext import Change


def walk_authenticator(data: Any, change: Change) -> Any:
    """``data`` of an authenticator with its tokens changed: of an app, of recovery codes; passkeys hold none."""
    changed = dict(data)
    for name in ("secret", "seed"):
        if changed.get(name):
            changed[name] = change(changed[name])
    if changed.get("migrated_codes"):
        changed["migrated_codes"] = [change(code) for code in changed["migrated_codes"]]
    return changed
