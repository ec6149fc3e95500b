"""What a step uses of the worker while it runs, and whether that is more than it may."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from common.children.child import Child
from common.errors import UserError
from tenants.selectors import StepLimits

#: Between two looks at memory and CPU, and at the disk, whose files have to be counted.
LOOK_SECONDS, DISK_LOOK_SECONDS = 2.0, 5.0


class LimitExceeded(UserError):
    """The step used more than it may and was stopped."""

    code = "step_limit_exceeded"


class Meter:
    """Looks at a running child every few seconds."""

    def __init__(self, child: Child, limits: StepLimits, directories: Iterable[Path]) -> None:
        self._child = child
        self._limits = limits
        self._directories = tuple(directories)
        self._started = self._looked = self._counted = time.monotonic()

    def exceeded(self) -> LimitExceeded | None:
        """The limit that the step is over, or None; cheap between two looks."""
        now = time.monotonic()
        wall = self._limits.wall_seconds
        if wall and now - self._started > wall:
            return _over("step_timed_out", f"The step ran longer than {_duration(wall)}", "time")
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            if error := self._look():
                return error
        if self._limits.disk_mb and now - self._counted > DISK_LOOK_SECONDS:
            self._counted = now
            used = sum(size_of(directory) for directory in self._directories) // 2**20
            if used > self._limits.disk_mb:
                text = f"The step's files took {used:,} MB of disk, more than {self._limits.disk_mb:,} MB"
                return _over("step_out_of_disk", text, "disk")
        return None

    def _look(self) -> LimitExceeded | None:
        memory, cpu = self._child.usage()
        if self._limits.memory_mb and memory > self._limits.memory_mb:
            text = (
                f"The step took {memory:,.0f} MB of memory, more than {self._limits.memory_mb:,} MB"
            )
            return _over("step_out_of_memory", text, "memory")
        if self._limits.cpu_seconds and cpu > self._limits.cpu_seconds:
            text = f"The step used {_duration(int(cpu))} of CPU time, more than {_duration(self._limits.cpu_seconds)}"
            return _over("step_out_of_cpu_time", text, "CPU time")
        return None


def size_of(directory: Path) -> int:
    """Bytes of all files below it; what disappears meanwhile counts nothing."""
    total = 0
    waiting = [str(directory)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total


def _over(code: str, text: str, what: str) -> LimitExceeded:
    error = LimitExceeded(
        f"{text}, and was stopped.",
        remedy=f"Load less at once, or ask the operator for a higher limit of {what}.",
    )
    error.code = code
    return error


def _duration(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
