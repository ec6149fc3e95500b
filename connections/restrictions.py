"""What connections may be and where they may lead: what operators saved in the platform settings, else what the
environment says.
"""

from django.conf import settings

from connections.connectors.base import Connector
from connections.connectors.registry import all_connectors
from connections.errors import ConnectorNotOffered
from tenants.selectors import platform_settings

_MIB = 1024 * 1024


def egress() -> str:
    """The egress policy in force (``connections.policy``)."""
    return platform_settings().egress_policy or str(settings.EGRESS_POLICY)


def file_roots() -> tuple[str, ...]:
    """Directories beside an organization's own that its connections may read."""
    saved = platform_settings().allowed_file_roots
    return tuple(settings.ALLOWED_FILE_ROOTS if saved is None else saved)


def offered_connectors() -> list[Connector]:
    """The types that new connections may have, in the order of the gallery."""
    return [connector for key, connector in all_connectors().items() if is_offered(key)]


def is_offered(connector: str) -> bool:
    allowed = platform_settings().allowed_connectors
    return allowed is None or connector in allowed


def check_offered(connector: Connector) -> None:
    """``ConnectorNotOffered`` when operators have taken the type away."""
    if not is_offered(connector.key):
        raise ConnectorNotOffered(
            f"Connections of the type {connector.label} are switched off on this installation.",
            field="connector",
            remedy="Use another type, or ask the operator to offer it.",
        )


def max_upload_mb() -> int:
    """The most MiB of one uploaded file."""
    return platform_settings().max_upload_mb or int(settings.MAX_UPLOAD_BYTES) // _MIB


def max_upload_bytes() -> int:
    saved = platform_settings().max_upload_mb
    return saved * _MIB if saved else int(settings.MAX_UPLOAD_BYTES)
