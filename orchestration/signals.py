"""What apps above may listen to."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orchestration.models import Run


class Receiver(Protocol):
    """``late``: an earlier try failed, and other runs may have ended since."""

    def __call__(self, *, run: "Run", late: bool) -> None: ...


class RunEnded:
    """A run has ended; ``run`` is the row as it was saved.

    Each receiver is called inside the transaction that ended the run, so what it writes stands or falls with it, and
    must be quick. What one of them raises undoes its own work alone: the run ends, the other receivers are called, and
    a row written in the same transaction has this one called again until it succeeds (``engine.aftermath``).
    """

    def __init__(self) -> None:
        self.receivers: dict[str, Receiver] = {}

    def connect(self, receiver: Receiver, *, dispatch_uid: str) -> None:
        """``dispatch_uid`` names it for as long as rows may wait for it; the same name twice replaces the first."""
        self.receivers[dispatch_uid] = receiver


run_ended = RunEnded()
