"""What a verification finds, in words."""

from dataclasses import dataclass
from enum import StrEnum

from audit.models import AuditEvent


class Kind(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"
    REORDERED = "reordered"
    CHAIN = "chain"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written. ``sequence`` is the place in the chain, 0 where there is none."""

    kind: Kind
    chain: int
    text: str
    sequence: int = 0
    event_id: int | None = None

    def __str__(self) -> str:
        place = f" place {self.sequence}" if self.sequence else ""
        return f"{self.kind.upper()} chain {self.chain}{place}: {self.text}"


@dataclass
class Tally:
    """What was looked at so far; ``is_whole`` is false when the time was over before the end."""

    chains: int = 0
    events: int = 0
    findings: int = 0
    is_whole: bool = True


def named(event: AuditEvent) -> str:
    """An event for a person who looks for it: id, time, action."""
    return f"event {event.pk} ({event.at:%Y-%m-%d %H:%M:%S} UTC, {event.action})"
