"""Processes that share one warm parent, looked after by a program that knows no Django."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from common.children.box import Box
from common.children.client import SHARED_FD, ChildPool, run_to_end
from common.errors import DatanikaError
from common.supervisor import DoesNotStart, Supervisor

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = "common.tests.child_entries"

#: Says which warm parent it was given and which child it got from it, then stays.
CLIENT = f"""
import os, sys, time
from common.children.box import Box
from common.children.client import ChildPool, run_to_end
pool = ChildPool(["{ENTRIES}"], shared_fd=int(os.environ["{SHARED_FD}"]))
report = pool.warm_up()
answer = run_to_end(pool, "{ENTRIES}:echo", {{"said": sys.argv[1]}}, Box(sys.argv[2] + "/" + sys.argv[1]), 30)
kept = pool.spawn("{ENTRIES}:sleeping", {{}}, Box(sys.argv[2] + "/kept-" + sys.argv[1]))
text = f"{{report.pid}} {{kept.pid}} {{os.getpid()}} {{answer.value['said']}}"
with open(sys.argv[2] + "/" + sys.argv[1] + ".part", "w") as file:
    file.write(text)
os.replace(sys.argv[2] + "/" + sys.argv[1] + ".part", sys.argv[2] + "/" + sys.argv[1] + ".txt")
time.sleep(600)
"""


def wait_for(found: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def said(path: Path) -> list[str]:
    return str(wait_for(lambda: path.exists() and path.read_text())).split()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_processes_share_a_warm_parent_and_end_one_by_one(tmp_path: Path) -> None:
    commands = {
        name: [sys.executable, "-c", CLIENT, name, str(tmp_path)] for name in ("one", "two")
    }
    order = {
        "commands": commands,
        "directory": str(ROOT),
        "preload": [ENTRIES],
        "environment": {"PYTHONPATH": str(ROOT)},
    }
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "common.supervisor", json.dumps(order)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        warm, child_of_one, one, word = said(tmp_path / "one.txt")
        other_warm, child_of_two, two, _word = said(tmp_path / "two.txt")
        assert (warm, word) == (other_warm, "one")

        (tmp_path / "one.txt").unlink()
        os.kill(int(one), signal.SIGKILL)
        # Its child ends with it; the other's goes on, and a new one begins with the same warm parent.
        wait_for(lambda: gone(int(child_of_one)))
        again, _child, started_again, _word = said(tmp_path / "one.txt")
        assert (again, started_again != one) == (warm, True)
        assert not gone(int(child_of_two))

        os.kill(int(warm), signal.SIGKILL)
        wait_for(lambda: gone(int(child_of_two)))
        (tmp_path / "two.txt").unlink()
        os.kill(int(two), signal.SIGKILL)
        newest, kept, newest_two, _word = said(tmp_path / "two.txt")
        assert newest != warm
    finally:
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(20) == 0
    left = [newest, kept, newest_two, started_again]
    wait_for(lambda: all(gone(int(pid)) for pid in left))
    # Of what a killed warm parent had, the owner removes it, or the hourly tidying.
    assert not (tmp_path / "kept-two").exists()


def test_nobody_waits_for_the_imports_to_ask_whether_it_lives() -> None:
    ours, theirs = socket.socketpair()
    pool = ChildPool([ENTRIES], shared_fd=ours.detach())
    waiting = threading.Thread(target=lambda: suppressed(pool.warm_up), daemon=True)
    waiting.start()
    time.sleep(0.1)
    server = pool._server
    assert server is not None
    started = time.monotonic()
    assert server.alive
    theirs.close()
    wait_for(lambda: not server.alive, seconds=2)
    assert time.monotonic() - started < 2
    waiting.join(5)
    pool.close()


def suppressed(action: Callable[[], object]) -> None:
    with contextlib.suppress(DatanikaError):
        action()


def test_what_ends_at_once_is_not_started_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.supervisor.FIRST_WAIT_SECONDS", 0.01)
    lines: list[str] = []
    supervisor = Supervisor(
        {"worker": [sys.executable, "-c", "import sys; sys.exit(3)"]},
        str(ROOT),
        [ENTRIES],
        {},
        lines.append,
    )
    before = signal.getsignal(signal.SIGTERM)
    supervisor.start()
    try:

        def look() -> bool:
            try:
                supervisor.look(patience=1)
            except DoesNotStart as error:
                return "worker does not start" in str(error)
            return False

        wait_for(look)
    finally:
        supervisor.stop()
        signal.signal(signal.SIGTERM, before)
    assert lines == ["worker ended (exit code 3); starting it again."]


def test_more_is_imported_when_it_is_needed(tmp_path: Path) -> None:
    pool = ChildPool([ENTRIES])
    try:
        for name in ("before", "after"):
            answer = run_to_end(
                pool, f"{ENTRIES}:has_imported", {"module": "wave"}, Box(str(tmp_path / name)), 30
            )
            assert answer.value is (name == "after")
            pool.preload(["wave"])
    finally:
        pool.close()
