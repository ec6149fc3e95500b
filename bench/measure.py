"""Watching a run from outside: wall time, processor seconds of both sides, memory of its process tree.

Memory and processor time are read from /proc; on other systems they are 0 and not reported.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

#: A little more than ten looks a second.
_INTERVAL = 0.08
_TICKS = os.sysconf("SC_CLK_TCK")
#: Positions in /proc/PID/stat behind the name: utime, stime, cutime, cstime.
_OWN, _REAPED = slice(11, 13), slice(13, 15)


@dataclass(frozen=True)
class Measured:
    """One run. ``peak_mb`` is the run's own tree, ``parent_mb`` what its warm parent holds beside it."""

    seconds: float
    client_cpu: float = 0.0
    server_cpu: float = 0.0
    peak_mb: float = 0.0
    parent_mb: float = 0.0
    #: Where the time went, in the words of who was measured.
    phases: str = ""


def pss_mb(pid: int) -> float:
    """Proportional set size: pages shared by n processes count 1/n."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open(encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        return 0.0


def tree(pid: int) -> list[int]:
    """The process and everything below it; threads may have started processes too."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in below:
            found += tree(int(child))
    return found


def reaped_cpu(pid: int) -> float:
    """Processor seconds of everything the process has started and seen end."""
    return _cpu(pid, _REAPED)


def tree_cpu(pid: int) -> float:
    """Processor seconds of a server: itself, what it has reaped, and who still works for it."""
    return sum(_cpu(member, _OWN) for member in tree(pid)) + reaped_cpu(pid)


def _cpu(pid: int, fields: slice) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return sum(map(int, text.rpartition(")")[2].split()[fields])) / _TICKS


class Watch:
    """``with Watch([pid]) as watch: …``; afterwards ``peak_mb`` of the processes and all below them."""

    def __init__(self, pids: Sequence[int], parent: int = 0) -> None:
        self.peak_mb = self.parent_mb = 0.0
        self._pids, self._parent = pids, parent
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            now = sum(pss_mb(member) for pid in self._pids for member in tree(pid))
            if now > self.peak_mb:
                self.peak_mb = now
                self.parent_mb = pss_mb(self._parent) if self._parent else 0.0
            if self._over.wait(_INTERVAL):
                return


class Processors:
    """Processor seconds since it was made: of what ``owner`` started and reaped, and of the servers."""

    def __init__(self, owner: int, servers: Sequence[int] = ()) -> None:
        self._owner, self._servers = owner, servers
        self._before = (reaped_cpu(owner), self._of_servers())

    def used(self) -> tuple[float, float]:
        client, server = self._before
        return reaped_cpu(self._owner) - client, self._of_servers() - server

    def _of_servers(self) -> float:
        return sum(tree_cpu(pid) for pid in self._servers)
