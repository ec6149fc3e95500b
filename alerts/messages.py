"""What a message says, as JSON: the body of a webhook, and what mails and chats are rendered from (docs/alerts.md)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts import links
from alerts.models import AlertChannel, AlertIncident, AlertRule, Condition, Event
from common.ui.formats import format_duration
from orchestration.models import Run, Trigger
from tenants.models import Organization

#: More subjects than this are counted, not listed.
MOST_SUBJECTS = 20
#: An error is quoted up to here; the run's page has all of it.
LONGEST_ERROR = 2000

Message = dict[str, Any]


def identifier(reference: UUID) -> str:
    """The event's id, in the body and in the header ``webhook-id``."""
    return f"evt_{reference.hex}"


def compose(
    *,
    event: Event,
    rule: AlertRule,
    incidents: Sequence[AlertIncident],
    run: Run | None,
    now: datetime,
) -> Message:
    """The message about these incidents of one condition; ``id`` is put in for each delivery."""
    condition = Condition(incidents[0].condition)
    first = incidents[0]
    path = links.run_path(run) if run else first.path
    return {
        "id": "",
        "type": f"alert.{event}",
        "timestamp": now.isoformat(),
        "data": {
            "organization": _organization(rule.organization),
            "rule": {"slug": rule.slug, "name": rule.name},
            "condition": str(condition),
            "title": title_of(event, condition, incidents, now),
            "since": min(incident.since for incident in incidents).isoformat(),
            "subjects": [_subject(incident) for incident in incidents[:MOST_SUBJECTS]],
            "subjects_total": len(incidents),
            "run": _run(run) if run else None,
            "url": links.absolute(path or links.page(rule.organization, "alerts:rule-list")),
        },
    }


def compose_test(channel: AlertChannel, who: str, now: datetime) -> Message:
    """A message that says only that the channel works."""
    return {
        "id": "",
        "type": f"alert.{Event.TEST}",
        "timestamp": now.isoformat(),
        "data": {
            "organization": _organization(channel.organization),
            "rule": None,
            "condition": "",
            "title": _("Test of the channel %(name)s") % {"name": channel.name},
            "since": now.isoformat(),
            "subjects": [],
            "subjects_total": 0,
            "run": None,
            "url": links.absolute(links.page(channel.organization, "alerts:channel-list")),
            "note": _("%(who)s sent it. Nothing is wrong.") % {"who": who},
        },
    }


def _organization(organization: Organization) -> dict[str, str]:
    return {"slug": organization.slug, "name": organization.name}


def _subject(incident: AlertIncident) -> dict[str, Any]:
    return {
        "key": incident.subject,
        "name": incident.name,
        "since": incident.since.isoformat(),
        "failures": incident.count,
        "text": incident.text[:LONGEST_ERROR],
        "remedy": incident.remedy,
        "url": links.absolute(incident.path),
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "number": run.number,
        "title": run.title,
        "status": str(run.status),
        "trigger": str(run.trigger),
        "started_by": _starter(run),
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "url": links.absolute(links.run_path(run)),
    }


def _starter(run: Run) -> str:
    if run.trigger in {Trigger.MANUAL, Trigger.SCHEDULE}:
        return run.requested_by
    return f"{run.requested_by} ({Trigger(run.trigger).label})"


def title_of(
    event: Event, condition: Condition, incidents: Sequence[AlertIncident], now: datetime
) -> str:
    if event == Event.RECOVERED:
        return _recovered(condition, incidents)
    text = _opened(condition, incidents, now)
    return _("Still: %(title)s") % {"title": text} if event == Event.REMINDER else text


def _opened(condition: Condition, incidents: Sequence[AlertIncident], now: datetime) -> str:
    values = {"name": _names(incidents), "n": len(incidents)}
    first = incidents[0]
    match condition:
        case Condition.FAILURE:
            if len(incidents) == 1 and first.count > 1:
                return _("%(name)s failed %(count)d times in a row") % {
                    **values,
                    "count": first.count,
                }
            return _("%(name)s failed") % values
        case Condition.NO_SUCCESS:
            time = format_duration(now - first.since)
            return _("%(name)s: no success for %(time)s") % {**values, "time": time}
        case Condition.OVERDUE:
            return _("%(name)s: a scheduled run is late") % values
        case Condition.TOO_LONG:
            time = format_duration(now - first.since)
            return _("%(name)s: running for %(time)s") % {**values, "time": time}
        case Condition.STALE:
            time = format_duration(now - first.since)
            return _("%(name)s: not loaded for %(time)s") % {**values, "time": time}


def _recovered(condition: Condition, incidents: Sequence[AlertIncident]) -> str:
    values = {"name": _names(incidents)}
    match condition:
        case Condition.FAILURE | Condition.NO_SUCCESS:
            return _("%(name)s succeeded again") % values
        case Condition.OVERDUE:
            return _("%(name)s: on time again") % values
        case Condition.TOO_LONG:
            return _("%(name)s: the long run is over") % values
        case Condition.STALE:
            return _("%(name)s: loaded again") % values


def _names(incidents: Sequence[AlertIncident]) -> str:
    names = [incident.name for incident in incidents]
    if len(names) <= 3:
        return ", ".join(names)
    rest = len(names) - 2
    more = ngettext("and %(n)d more", "and %(n)d more", rest) % {"n": rest}
    return f"{names[0]}, {names[1]} {more}"
