"""Which part of a load an event belongs to, told from the scopes and kinds the engine's events have anyway."""

from typing import Any

#: ``FILL`` opens with the first row under way and lasts until the table is committed, which ``COMMIT`` tells.
FILL, COMMIT, TABLE, STATE = "fill", "commit", "table", "state"
NAMED = (COMMIT, TABLE, STATE, FILL)


def phase_of(event: dict[str, Any]) -> str:
    """The phase an event opens, or nothing for one that opens none (the end of the load among them)."""
    if event["event"] == "result":
        return TABLE
    scope = str(event.get("scope") or "").partition(":")[0]
    return scope if event["event"] == "log" and scope in (FILL, COMMIT, STATE) else ""
