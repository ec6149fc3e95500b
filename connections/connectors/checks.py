"""The stages of a connection check: each is timed, and a refusal of the other system is a failed
stage, not an error.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from common.errors import UserError
from connections.connectors.base import Stage, StageStatus


@dataclass(frozen=True)
class Outcome:
    """What a step of a check found."""

    text: str
    status: StageStatus = StageStatus.OK
    detail: str = ""
    remedy: str = ""


Step = tuple[str, Callable[[], Outcome]]


def run_steps(steps: Iterable[Step]) -> Iterator[Stage]:
    """Run (name, step) pairs in order, one stage each; the first failed one is the last."""
    for name, step in steps:
        started = time.perf_counter()
        try:
            outcome = step()
        except UserError as error:
            outcome = Outcome(error.message, StageStatus.FAILED, error.detail, error.remedy)
        ms = round((time.perf_counter() - started) * 1000)
        yield Stage(name, outcome.status, outcome.text, outcome.detail, outcome.remedy, ms)
        if outcome.status is StageStatus.FAILED:
            return


def counted(number: int, one: str, many: str = "") -> str:
    """The number with its noun: 1 table, 20,000 tables."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
