"""The one table of statuses: the tone, icon and word of each key that pages and the API show."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Status:
    """How a status looks. ``tone`` is ok, run, warn, bad or idle, the ``data-s`` of the CSS."""

    key: str
    tone: str
    icon: str
    word: str | Promise


STATUSES: dict[str, Status] = {
    status.key: status
    for status in (
        Status("queued", "idle", "clock", _("Queued")),
        Status("running", "run", "loader-circle", _("Running")),
        Status("succeeded", "ok", "circle-check", _("Succeeded")),
        Status("failed", "bad", "circle-x", _("Failed")),
        Status("test_fail", "bad", "flask-conical-off", _("Tests failed")),
        Status("cancelled", "idle", "circle-slash", _("Cancelled")),
        Status("skipped", "idle", "circle-minus", _("Skipped")),
        Status("warning", "warn", "triangle-alert", _("Passed with warnings")),
        Status("warned", "warn", "triangle-alert", _("Warning")),
        Status("healthy", "ok", "circle-check", _("Connected")),
        Status("unreachable", "bad", "circle-x", _("Unreachable")),
        Status("untested", "idle", "circle-dashed", _("Not tested")),
        Status("active", "ok", "circle-check", _("Active")),
        Status("paused", "idle", "circle-pause", _("Paused")),
        Status("over", "idle", "calendar-check", _("Over")),
        Status("fresh", "ok", "circle-check", _("Fresh")),
        Status("stale", "warn", "triangle-alert", _("Stale")),
        # The stages of a connection check (connections.connectors.base.StageStatus).
        Status("ok", "ok", "circle-check", _("Passed")),
        Status("warn", "warn", "triangle-alert", _("Warning")),
    )
}


def status_of(key: str) -> Status:
    """The status with this key. An unknown key shows itself: a page must not fail over a word."""
    return STATUSES.get(str(key)) or Status(str(key), "idle", "circle-question-mark", str(key))
