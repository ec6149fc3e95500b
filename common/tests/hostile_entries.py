"""What a child would try once its code is an attacker's: each entry says what it got hold of.

Run in real children by ``datanika_site/tests/hostile``.
"""

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.children.entry import Emitter

Spec = dict[str, Any]


def read(spec: Spec, emit: Emitter) -> None:
    """The start of every path that can be read, and the names of every directory that can be listed."""
    got: dict[str, str] = {}
    for path in spec["paths"]:
        try:
            if os.path.isdir(path):
                got[path] = " ".join(os.listdir(path))
            else:
                with open(path, "rb") as file:
                    got[path] = file.read(2_000_000).decode("latin-1")
        except OSError:
            continue
    emit({"event": "data", "value": got})


def change(spec: Spec, emit: Emitter) -> None:
    """The names of the ways in which something outside could be changed."""
    target, mine = spec["target"], Path("mine")
    mine.write_text("mine")
    ways: dict[str, Callable[[], object]] = {
        "write": lambda: Path(target).write_text("attacked"),
        "append": lambda: os.close(os.open(target, os.O_WRONLY | os.O_APPEND)),
        "truncate": lambda: os.truncate(target, 0),
        "remove": lambda: os.unlink(target),
        "rename over": lambda: mine.replace(target),
        "move away": lambda: Path(target).rename("taken"),
        "hard link": lambda: os.link(target, "linked"),
        "beside": lambda: Path(f"{target}.new").write_text("attacked"),
        "through a link": lambda: _through_a_link(target),
        "device": lambda: os.mknod("disk", 0o600 | 0o060000, os.makedev(8, 0)),
        "mount": lambda: _mount(str(Path(target).parent)),
    }
    done = []
    for name, way in ways.items():
        try:
            way()
        except OSError:
            continue
        done.append(name)
    emit({"event": "data", "value": done})


def _through_a_link(target: str) -> None:
    Path("link").symlink_to(target)
    Path("link").write_text("attacked")


def _mount(source: str) -> None:
    import ctypes

    os.makedirs("here", exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), b"here", None, 4096, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def look_at_others(spec: Spec, emit: Emitter) -> None:
    """Descriptors, and what of other processes can be seen, signalled, traced or read."""
    import ctypes

    pids = [1, os.getppid(), *spec["pids"]]
    libc = ctypes.CDLL(None, use_errno=True)
    got = []
    for pid in pids:
        for name in ("environ", "maps", "mem", "root/etc/passwd", "cwd", "fd"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    file.read(10)
            except OSError:
                continue
            got.append(f"{pid} {name}")
        try:
            os.kill(pid, 0)
            got.append(f"{pid} signal")
        except OSError:
            pass
        if libc.ptrace(16, pid, None, None) == 0:
            got.append(f"{pid} ptrace")
    descriptors = {
        int(name): os.readlink(f"/proc/self/fd/{name}")
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}") or os.path.islink(f"/proc/self/fd/{name}")
    }
    emit({"event": "data", "value": {"got": got, "fds": descriptors, "env": dict(os.environ)}})


def connect_unix(spec: Spec, emit: Emitter) -> None:
    """Whether a socket in the file system or the abstract one can be reached, or a port be listened on."""
    reached = []
    for address in spec["addresses"]:
        with socket.socket(socket.AF_UNIX) as one:
            try:
                one.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
                reached.append(address)
            except OSError:
                continue
    emit({"event": "data", "value": reached})


def fork_bomb(spec: Spec, emit: Emitter) -> None:
    """Doubles until somebody stops it; ``flee`` gives every process a session of its own."""
    emit({"event": "log", "text": "starting"})
    end = time.monotonic() + spec["seconds"]
    while time.monotonic() < end:
        try:
            pid = os.fork()
        except OSError:
            time.sleep(0.01)
            continue
        if pid == 0 and spec["flee"]:
            os.setsid()
        time.sleep(spec["pause"])
    os._exit(0)


def orphans(spec: Spec, emit: Emitter) -> None:
    """Starts processes that leave the session and their parent, and stays calm itself."""
    for _ in range(spec["many"]):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(300)
            os._exit(0)
        os.wait()
    emit({"event": "data", "value": os.getpid()})
    time.sleep(spec["seconds"])


def allocate(spec: Spec, emit: Emitter) -> None:
    held = []
    while True:
        held.append(bytearray(spec["mb"] * 1024 * 1024))


def shout(spec: Spec, emit: Emitter) -> None:
    """More than a person would ever read, on every way out."""
    line = "x" * 1023 + "\n"
    for _ in range(spec["mb"] * 1024):
        sys.stdout.write(line)
        sys.stderr.write(line)
    emit({"event": "done", "summary": {}})


def one_line(spec: Spec, emit: Emitter) -> None:
    emit({"event": "log", "text": "x" * spec["mb"] * 1024 * 1024})


def nothing(spec: Spec, emit: Emitter) -> None:
    emit({"event": "data", "value": "well"})
