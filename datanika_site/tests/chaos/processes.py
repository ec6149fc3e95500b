"""Processes under chaos: started with their output in a file, found again inside namespaces, ended with us."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
#: Of an interpreter with Django, dlt and dbt on a busy small machine.
SECONDS = 120


def die_with_us() -> None:
    """A test that is killed leaves nothing running."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Started:
    """A process under test. ``handle`` is it, or what carried it into its machine."""

    name: str
    handle: subprocess.Popen[bytes]
    pid: int
    log: Path

    @property
    def is_up(self) -> bool:
        return self.handle.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.is_up:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> float:
        """Seconds until it had ended."""
        began = time.monotonic()
        self.handle.wait(seconds)
        return time.monotonic() - began

    def end(self, seconds: float = 30) -> None:
        """Ask, then insist."""
        self.signal(signal.SIGTERM)
        try:
            self.handle.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.handle.wait(seconds)

    def said(self, most: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-most:]


def start(
    name: str,
    command: Sequence[str],
    *,
    env: dict[str, str],
    cwd: Path,
    log: Path,
    carried: bool = False,
) -> Started:
    """``carried``: the command enters a namespace and runs there as the first child."""
    with log.open("ab") as output:
        handle = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_us,  # noqa: PLW1509 - nothing but a system call
        )
    pid = first_child(handle) if carried else handle.pid
    return Started(name, handle, pid, log)


def first_child(handle: subprocess.Popen[bytes]) -> int:
    found: list[psutil.Process] = []

    def there() -> bool:
        found[:] = psutil.Process(handle.pid).children() if handle.poll() is None else []
        return bool(found) or handle.poll() is not None

    wait_until(there, "a child of it", 10)
    if not found:
        raise AssertionError(f"{handle.args!r} ended with {handle.returncode}.")
    return int(found[0].pid)


def wait_until(
    true: Callable[[], object], what: str, seconds: float, *, every: float = 0.05
) -> float:
    """Seconds it took; ``AssertionError`` names what did not come."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"Not within {seconds:g} s: {what}.")
        time.sleep(every)
    return time.monotonic() - began
