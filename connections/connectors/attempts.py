"""A step that is tried again takes over from an attempt whose worker was lost. Child side.

A machine that was cut off leaves sessions on the servers: nobody told these that it is gone, so they keep their
transactions open and their tables locked for hours.
"""

import contextlib
from typing import Any

from common.errors import DatanikaError
from connections.connectors import servers
from connections.connectors.base import Target
from connections.connectors.registry import get_connector


def take_over(spec: dict[str, Any], *endpoints: str) -> None:
    """Name the sessions of this child after its step (``load_id``); from the second ``attempt`` on, end those that an
    attempt before it left at these endpoints.
    """
    if not spec.get("load_id"):
        return
    servers.name_sessions(str(spec["load_id"]))
    if int(spec.get("attempt") or 1) < 2:
        return
    for key in endpoints:
        target = Target.from_spec(spec, key)
        # What cannot be reached or must not be ended is met again by the work itself, with better words.
        with contextlib.suppress(DatanikaError):
            get_connector(target.connector).end_lost_sessions(target)
