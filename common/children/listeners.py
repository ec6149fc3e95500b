"""Loopback ports a child is given before its box closes; inside the box nobody may bind one.

A driver that dials an address itself reaches a tunnel through such a port.
"""

import socket

from common.errors import DatanikaError

LOOPBACK = "127.0.0.1"

#: Bound, not listening: until somebody listens, the kernel refuses who dials them.
_bound: list[socket.socket] = []


class NoListener(DatanikaError):
    """This process was given no loopback port for a tunnel."""

    code = "no_listener"


def prepare(count: int) -> None:
    """Bind that many ephemeral ports, before the box is closed."""
    _bound.extend(_bind() for _ in range(count))


def take() -> socket.socket:
    """A bound socket to listen on, for this process's life; outside a box simply a new one."""
    if _bound:
        return _bound.pop()
    try:
        return _bind()
    except PermissionError as error:
        raise NoListener(
            remedy="The box of the child must say how many (Box.loopback_listeners)."
        ) from error


def _bind() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        one.bind((LOOPBACK, 0))
    except OSError:
        one.close()
        raise
    return one
