"""Where connections may lead: what operators saved in the platform settings, else what the environment says."""

from django.conf import settings

from tenants.selectors import platform_settings


def egress() -> str:
    """The egress policy in force (``connections.policy``)."""
    return platform_settings().egress_policy or str(settings.EGRESS_POLICY)


def file_roots() -> tuple[str, ...]:
    """Directories beside an organization's own that its connections may read."""
    saved = platform_settings().allowed_file_roots
    return tuple(settings.ALLOWED_FILE_ROOTS if saved is None else saved)
