"""The pipes between the owner of a child and the child, and what is said over them at the start."""

import os
import select

#: A cold start on a busy small machine: the imports of dlt and dbt.
START_SECONDS = 120.0

#: A child that does not read its order is stuck.
_ORDER_SECONDS = 30.0

#: The order in which ``warm.py`` expects the descriptors.
PIPE_ORDER = ("order", "events", "noise", "status")


def make_pipes() -> tuple[dict[str, int], dict[str, int]]:
    """The owner's ends, which do not block, and the child's."""
    ours: dict[str, int] = {}
    theirs: dict[str, int] = {}
    for name in PIPE_ORDER:
        reader, writer = os.pipe()
        mine, its = (writer, reader) if name == "order" else (reader, writer)
        os.set_blocking(mine, False)
        ours[name], theirs[name] = mine, its
    return ours, theirs


def read_pid(status_fd: int) -> int | None:
    """The child's process id, or None when the warm parent died or could not fork."""
    text = b""
    while not text.endswith(b"\n"):
        if not _ready(status_fd, select.POLLIN, START_SECONDS):
            return None
        # Byte by byte: what follows the first line is for the Child to read.
        chunk = os.read(status_fd, 1)
        if not chunk:
            return None
        text += chunk
    word, _, rest = text.decode().partition(" ")
    return int(rest) if word == "pid" else None


def write_order(fd: int, order: bytes) -> None:
    """Hand over the order; a child that died before it read it all says so by its ending."""
    rest = memoryview(order)
    while rest and _ready(fd, select.POLLOUT, _ORDER_SECONDS):
        try:
            rest = rest[os.write(fd, rest) :]
        except BrokenPipeError:
            return


def _ready(fd: int, kind: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, kind)
    return bool(poll.poll(seconds * 1000))
