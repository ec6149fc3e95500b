"""What beat asks for at intervals, done by a worker's own watchman where beat or the broker is silent.

Apps above add theirs. A duty has to be harmless when several workers do it at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Duty:
    """Done by the watchman when nobody has done it for ``seconds``."""

    seconds: float
    action: Callable[[], None]
    done_at: float = field(default_factory=time.monotonic)


#: Of this process.
DUTIES: dict[str, Duty] = {}


def register(name: str, seconds: float, action: Callable[[], None]) -> None:
    """``action`` must be quick: who does it looks after the leases too."""
    DUTIES[name] = Duty(seconds, action)


def done(name: str) -> None:
    """Beat's own bell has come: the watchman need not."""
    if name in DUTIES:
        DUTIES[name].done_at = time.monotonic()
