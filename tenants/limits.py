"""What operators may set: bounds, words, and where a value comes from when they have not."""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from common.errors import UserError
from tenants import restrictions
from tenants.models import PlatformSettings, SignUpPolicy

DAY = 24 * 3600
#: Workers are told theirs as a list with commas.
_QUEUE = re.compile(r"[a-z0-9_-]{0,40}")


@dataclass(frozen=True)
class Bounds:
    """``low`` to ``high`` ``unit``; 0 means no limit where ``has_none`` is set."""

    label: str
    unit: str
    low: int
    high: int
    has_none: bool = True
    #: The environment variable and the setting it becomes.
    variable: str = ""
    setting: str = ""


STEP_LIMITS = {
    "step_timeout_seconds": Bounds(
        "time of a step",
        "seconds",
        10,
        30 * DAY,
        variable="DATANIKA_STEP_TIMEOUT_SECONDS",
        setting="STEP_TIMEOUT_SECONDS",
    ),
    "step_memory_mb": Bounds(
        "memory of a step",
        "MiB",
        256,
        4 * 1024 * 1024,
        variable="DATANIKA_STEP_MEMORY_MB",
        setting="STEP_MEMORY_MB",
    ),
    "step_cpu_seconds": Bounds("processor time of a step", "seconds", 10, 30 * DAY),
    "step_disk_mb": Bounds(
        "disk of a step",
        "MiB",
        100,
        16 * 1024 * 1024,
        variable="DATANIKA_STEP_DISK_MB",
        setting="STEP_DISK_MB",
    ),
}
RETENTION = {
    "log_retention_days": Bounds("days that logs are kept", "days", 1, 3650, has_none=False),
    "run_retention_days": Bounds("days that runs are kept", "days", 1, 3650, has_none=False),
    "capsule_retention_days": Bounds(
        "days that capsules are kept", "days", 1, 3650, has_none=False
    ),
    "audit_retention_days": Bounds(
        "days that audit events are kept", "days", 30, 36_500, has_none=False
    ),
}
TRASH = {
    "trash_retention_days": Bounds("days in the trash", "days", 1, 3650, has_none=False),
    "organization_grace_days": Bounds(
        "days of grace for a deleted organization", "days", 1, 365, has_none=False
    ),
}
STEPS = {
    "max_concurrent_steps": Bounds("steps at the same time", "steps", 1, 10_000, has_none=False)
}
KEYS = {
    "api_key_days": Bounds("days of a new API key", "days", 1, 3650, has_none=False),
    "api_key_most_days": Bounds("most days of an API key", "days", 1, 3650, has_none=False),
}
UPLOADS = {
    "max_upload_mb": Bounds(
        "size of an uploaded file",
        "MiB",
        1,
        1024 * 1024,
        has_none=False,
        variable="DATANIKA_MAX_UPLOAD_MB",
        setting="MAX_UPLOAD_BYTES",
    )
}
RESTRICTIONS = ("egress_policy", "allowed_file_roots", "allowed_connectors")
SIGN_UP = ("sign_up_policy", "sign_up_domains")
#: What concerns the work of every organization, so that each has the change in its log.
TOLD_NAMES = (*STEPS, *STEP_LIMITS, *RETENTION, *TRASH, *KEYS, *UPLOADS, *RESTRICTIONS)
PLATFORM_NAMES = (*TOLD_NAMES, *SIGN_UP, "heartbeat_url", "banner", "mail")
_BOUNDS = STEPS | STEP_LIMITS | RETENTION | TRASH | KEYS | UPLOADS


def check(name: str, value: int | None) -> None:
    """``UserError`` with the field unless the value is within its bounds; None is always well."""
    bounds = _BOUNDS[name]
    if value is None or (value == 0 and bounds.has_none):
        return
    if not bounds.low <= value <= bounds.high:
        or_none = ", or 0 for no limit" if bounds.has_none else ""
        raise UserError(
            f"The {bounds.label} cannot be {value:,} {bounds.unit}.",
            field=name,
            remedy=f"Give {bounds.low:,} to {bounds.high:,} {bounds.unit}{or_none}, or leave it empty.",
        )


def check_retention(values: dict[str, int | None]) -> None:
    """Nothing outlives the run it belongs to, so a longer time would be a promise not kept."""
    runs = values["run_retention_days"]
    for name, what in (("log_retention_days", "Logs"), ("capsule_retention_days", "Capsules")):
        days = values[name]
        if runs is not None and days is not None and days > runs:
            raise UserError(
                f"{what} cannot be kept for {days} days: they go with their runs, after {runs}.",
                field=name,
                remedy=f"Give {runs} days or less, empty for as long as the run, or keep runs longer.",
            )


def check_heartbeat_url(url: str) -> None:
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError(
            "The URL of the dead-man's ping is not a web address.",
            field="heartbeat_url",
            remedy="Give the whole address that the monitor shows, starting with https://.",
        )
    if parts.username or parts.password:
        raise UserError(
            "The URL of the dead-man's ping holds a user name or password, which is not sent.",
            field="heartbeat_url",
            remedy="Use a monitor whose secret is in the path of the address.",
        )


def check_queue(name: str) -> None:
    if not _QUEUE.fullmatch(name):
        raise UserError(
            f"{name!r} cannot name a queue.",
            field="queue",
            remedy="Use lower-case letters, digits, hyphens and underscores, up to 40; empty is the default queue.",
        )


def origin(platform: PlatformSettings, name: str) -> str:
    """What is in force and where it comes from: ``4,096 MiB, from the environment (DATANIKA_STEP_MEMORY_MB)``."""
    value = getattr(platform, name)
    is_saved = not platform._state.adding
    if name == "heartbeat_url":
        return "In force: as saved here." if value else "In force: no ping (default)."
    if name in KEYS:
        days = f"{value:,} days" if value is not None else "without a most"
        return f"In force: {days} ({'saved here' if is_saved else 'default'})."
    if name in RESTRICTIONS:
        return restrictions.origin(platform, name)
    if name in SIGN_UP or name in {"banner", "mail"}:
        return _origin_of_words(platform, name)
    if name in RETENTION | TRASH:
        kept = f"{value:,} days" if value is not None else "kept for ever"
        if value is None and name in {"log_retention_days", "capsule_retention_days"}:
            kept = "as long as the run"
        # Audit events are kept for ever unless somebody says otherwise.
        is_default = not is_saved or (name == "audit_retention_days" and value is None)
        return f"In force: {kept} ({'default' if is_default else 'saved here'})."
    bounds = _BOUNDS[name]
    if value is not None:
        return f"In force: {_shown(value, bounds)} (saved here)."
    if name in STEPS:
        return "In force: as many as the workers have slots (default)."
    standard = getattr(settings, bounds.setting) if bounds.setting else 0
    if name in UPLOADS:
        standard //= 1024 * 1024
    if bounds.variable and (
        bounds.variable in os.environ or f"{bounds.variable}_FILE" in os.environ
    ):
        return f"In force: {_shown(standard, bounds)} (environment, {bounds.variable})."
    return f"In force: {_shown(standard, bounds)} (default)."


def _origin_of_words(platform: PlatformSettings, name: str) -> str:
    value = getattr(platform, name)
    where = "default" if platform._state.adding else "saved here"
    if name == "sign_up_policy":
        return f"In force: {SignUpPolicy(value).label} ({where})."
    if name == "mail":
        if value:
            return f"In force: {value['host']}, port {value['port']} (saved here)."
        host = settings.EMAIL_HOST if "DATANIKA_EMAIL_URL" in os.environ else ""
        return f"In force: {host or 'mails are written into the log'} (environment or default)."
    if not value:
        return "In force: none (default)."
    return f"In force: {', '.join(value) if isinstance(value, list) else value} (saved here)."


def _shown(value: int, bounds: Bounds) -> str:
    return f"{value:,} {bounds.unit}" if value else "no limit"
