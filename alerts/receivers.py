"""What orchestration tells: a run has ended."""

from typing import Any

from alerts.incidents import close_overtaken, take_run
from orchestration.models import Run


def take_ended_run(*, run: Run, late: bool, **_: Any) -> None:
    """Inside the transaction that ends the run: what is to be told is written with it.

    When this raises, the run ends all the same and the sweep calls it again (``late``): nothing goes untold.
    """
    take_run(run, late=late)
    if late:
        close_overtaken(run)
