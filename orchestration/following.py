"""Following a run from the command line: its log lines as they come, until it ends."""

import time
from collections.abc import Callable, Iterator

from orchestration.models import Run, RunLogLine, RunStep

LOOK_SECONDS = 0.25


def follow(run: Run, look: Callable[[], None] = lambda: None) -> Iterator[RunLogLine]:
    """Every line of the run's log, the coming ones too; ends when the run has ended.

    ``look`` is called in between: a supervisor restarts what died, a terminal draws its progress.
    """
    last = 0
    while True:
        run.refresh_from_db()
        ended = not run.is_active
        rows = RunLogLine.objects.for_organization(run.organization).filter(run=run)
        for line in rows.filter(number__gt=last):
            last = line.number
            yield line
        if ended:
            return
        look()
        time.sleep(LOOK_SECONDS)


def progress_of(run: Run) -> str:
    """One line: what is running, with rows where they are known."""
    steps = RunStep.objects.for_organization(run.organization).filter(run=run)
    running = [step for step in steps if step.status == "running"]
    parts = []
    for step in running:
        rows = sum(entry.get("rows") or 0 for entry in step.progress.values())
        parts.append(f"{step.name} ({rows:,} rows)" if rows else step.name)
    waiting = [step.waiting_for for step in steps if step.waiting_for]
    if not parts and waiting:
        return f"waiting for {waiting[0]}"
    return ", ".join(parts)
