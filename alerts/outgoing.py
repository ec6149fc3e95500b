"""The one way an alert leaves over HTTP; its failures are those of a delivery."""

from collections.abc import Mapping
from urllib.parse import SplitResult

from alerts.errors import InvalidChannel, NotDelivered
from connections import outgoing
from connections.outgoing import TOTAL_SECONDS, Answer


def check_url(url: str, field: str = "url") -> SplitResult:
    """The URL's parts, once its shape is right and its host is not one that no policy allows. Resolves no name."""
    try:
        return outgoing.parse(url, field)
    except outgoing.InvalidAddress as error:
        raise InvalidChannel(error.message, field=field, remedy=error.remedy) from error


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = TOTAL_SECONDS
) -> Answer:
    """Post once, following no redirect and asking no proxy. Raises ``NotDelivered`` when nobody answers."""
    try:
        return outgoing.ask("POST", url, body=body, headers=headers, seconds=seconds)
    except outgoing.Unreachable as error:
        raise NotDelivered(error.message, remedy=error.remedy) from error
