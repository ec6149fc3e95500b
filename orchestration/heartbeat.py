"""The dead-man's ping: a monitor elsewhere hears of us every minute, and notices when it does not."""

import logging
import time
from urllib.parse import urljoin, urlsplit

from django.utils import timezone

from common.errors import TransientError, UserError
from connections import outgoing
from orchestration import upkeep
from tenants.selectors import platform_settings

logger = logging.getLogger("datanika.heartbeat")

SECONDS = 10.0
MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HeartbeatRefused(UserError):
    """The monitor did not take the ping."""

    code = "heartbeat_refused"


def beat() -> str:
    """Ask for the URL of the platform settings, if there is one and the scheduler lives.

    To be called by the periodic task only, so that an answer proves beat, broker and a worker. Returns ``sent``,
    ``off``, ``withheld`` or ``failed``, which is also noted.
    """
    url = platform_settings().heartbeat_url
    if not url:
        return "off"
    # A tick that fails every time is a dead scheduler too, although this task is executed.
    if not upkeep.is_ticking():
        text = "Not sent: no tick has come from beat to a worker lately."
        upkeep.note(upkeep.HEARTBEAT, is_good=False, text=text)
        logger.warning("%s", text)
        return "withheld"
    started = time.monotonic()
    try:
        status = ask(url)
    except UserError as error:
        upkeep.note(upkeep.HEARTBEAT, is_good=False, text=str(error))
        logger.warning("the dead-man's ping to %s failed: %s", host_of(url), error)
        return "failed"
    took = round((time.monotonic() - started) * 1000)
    upkeep.note(upkeep.HEARTBEAT, details={"status": status, "ms": took})
    return "sent"


def host_of(url: str) -> str:
    """Without path and query: the secret of such URLs is in them."""
    return urlsplit(url).hostname or "?"


def ask(url: str, *, seconds: float = SECONDS) -> int:
    """GET it, and up to three redirects, each through the egress policy; the status, or ``UserError``."""
    deadline = time.monotonic() + seconds
    status, location = _get(url, deadline)
    for _ in range(MOST_REDIRECTS):
        if status not in _REDIRECTS or not location:
            break
        url = _further(url, location)
        status, location = _get(url, deadline)
    if not 200 <= status < 300:
        raise HeartbeatRefused(
            f"{host_of(url)} answered with status {status}.",
            field="heartbeat_url",
            remedy="Check the URL at the monitor.",
        )
    return status


def _further(url: str, location: str) -> str:
    further = urljoin(url, location)
    if url.startswith("https:") and not further.startswith("https:"):
        raise HeartbeatRefused(
            f"{host_of(url)} leads to an address without TLS.",
            field="heartbeat_url",
            remedy="Give the address that the monitor itself shows.",
        )
    return further


def _get(url: str, deadline: float) -> tuple[int, str]:
    headers = {"User-Agent": "Datanika heartbeat", "Connection": "close"}
    left = max(0.1, deadline - time.monotonic())
    try:
        answer = outgoing.ask("GET", url, headers=headers, seconds=left)
    except outgoing.InvalidAddress as error:
        raise HeartbeatRefused(
            f"{host_of(url)}: {error.message}",
            field="heartbeat_url",
            remedy="Give the address that the monitor itself shows.",
        ) from error
    except outgoing.Unreachable as error:
        raise TransientError(
            error.message,
            field="heartbeat_url",
            remedy="Check the network of the workers; it is tried again in a minute.",
        ) from error
    return answer.status, answer.location


def state_words() -> tuple[bool, str]:
    """Whether all is well, and one sentence, for ``doctor`` and the admin."""
    url = platform_settings().heartbeat_url
    if not url:
        return True, "no URL is set: nobody elsewhere notices when the scheduler dies"
    row = upkeep.last(upkeep.HEARTBEAT)
    if row is None:
        return False, f"{host_of(url)} has not been asked yet"
    age = int((timezone.now() - row.at).total_seconds())
    if not row.is_good:
        return False, f"{host_of(url)}, {age} s ago: {row.note}"
    if age > 300:
        return False, f"{host_of(url)} was last asked {age} s ago"
    return True, f"{host_of(url)} answered {row.details.get('status')}, {age} s ago"
