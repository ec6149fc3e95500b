"""How many processes a child has become, so that the warm parent can end one that multiplies.

The kernel's own limit (RLIMIT_NPROC) is none for root and counts a user's other processes as well; control groups
need rights that most installations do not have.
"""

import os
from pathlib import Path

#: Between two counts while children run.
LOOK_SECONDS = 0.2


def can_count() -> bool:
    """Whether this system tells the children of a process."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def children_of(pid: int) -> set[int]:
    """The processes that any thread of this one started and that still are its children."""
    found: set[int] = set()
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
        except OSError:
            continue
        found.update(map(int, text.split()))
    return found


def family(roots: set[int], enough: int) -> set[int]:
    """These processes and all below them; counting ends at ``enough``."""
    found, waiting = set(roots), list(roots)
    while waiting and len(found) <= enough:
        new = children_of(waiting.pop()) - found
        found |= new
        waiting.extend(new)
    return found


def in_session(pids: set[int], session: int) -> set[int]:
    """Those of them that belong to the session; a child leads one of its own."""
    return {pid for pid in pids if _session(pid) == session}


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
