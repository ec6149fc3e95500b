"""Looks at every rule again and again: what time alone brings about, reminders, and what a mute held back."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from alerts.conditions import WATCHED, Finding, Found
from alerts.incidents import begin, close, open_incidents, remind, tell_open
from alerts.models import AlertIncident, AlertRule, Condition
from alerts.scope import keys_in, tags_of

logger = logging.getLogger("datanika.alerts")

#: A rule is looked at this often, however many watches there are.
EVERY = timedelta(seconds=20)


def watch(now: datetime | None = None) -> None:
    """One round over the rules whose turn it is."""
    now = now or timezone.now()
    due = Q(checked_at__isnull=True) | Q(checked_at__lte=now - EVERY)
    # Of an organization that rests nothing runs, and nobody wants to hear so.
    due &= Q(organization__suspended_at=None, organization__deletion_requested_at=None)
    for pk in AlertRule.all_organizations.filter(due).order_by("pk").values_list("pk", flat=True):
        # Of two watches at once, one gets the row.
        if AlertRule.all_organizations.filter(due, pk=pk).update(checked_at=now):
            _look(pk, now)


def _look(pk: int, now: datetime) -> None:
    rules = AlertRule.all_organizations.select_related("organization", "pipeline")
    rule = rules.filter(pk=pk).first()
    if rule is None:
        return
    try:
        with transaction.atomic():
            _reconcile_failures(rule, now)
        for watched in WATCHED:
            wanted = watched.wanted(rule)
            with transaction.atomic():
                _reconcile(rule, watched.condition, watched.find if wanted else None, now)
    except Exception:
        # The other rules are looked at all the same.
        logger.exception("alert rule %s was not evaluated", pk)


def _locked(rule: AlertRule, condition: Condition) -> list[AlertIncident]:
    rows = open_incidents(rule.organization).filter(rule=rule, condition=condition)
    # "self": the run of an incident may be missing, and its row is not to be locked.
    rows = rows.select_for_update(of=("self",)).select_related("run__organization")
    return list(rows.order_by("pk"))


def _reconcile_failures(rule: AlertRule, now: datetime) -> None:
    """They begin and end with runs; here is what a mute held back, and what no longer exists."""
    incidents = _locked(rule, Condition.FAILURE)
    if not incidents:
        return
    keys = [incident.subject for incident in incidents]
    # Only what exists has tags, even if none.
    tags = tags_of(rule.organization, keys)
    watched = keys_in(rule, tags, tags) if rule.failures_in_a_row else set()
    close(rule, [i for i in incidents if i.subject not in watched], now, quietly=True)
    _speak(rule, [i for i in incidents if i.subject in watched], now)


def _reconcile(
    rule: AlertRule,
    condition: Condition,
    find: Callable[[AlertRule, datetime], Found] | None,
    now: datetime,
) -> None:
    """Make the open incidents those that the finder finds."""
    found = find(rule, now) if find else Found(well=set())
    incidents = _locked(rule, condition)
    findings = {finding.subject[:330]: finding for finding in found.findings}
    gone = [incident for incident in incidents if incident.subject not in findings]
    well = [i for i in gone if found.well is None or i.subject in found.well]
    close(rule, well, now, run=well[0].run if len(well) == 1 else None)
    # Deleted, paused or out of the rule: nothing recovered, so nothing is told.
    close(rule, [i for i in gone if i not in well], now, quietly=True)
    stays = [incident for incident in incidents if incident.subject in findings]
    known = {incident.subject for incident in stays}
    new = [_incident(rule, condition, f) for key, f in sorted(findings.items()) if key not in known]
    begin(new)
    _speak(rule, _locked(rule, condition) if new else stays, now)


def _incident(rule: AlertRule, condition: Condition, finding: Finding) -> AlertIncident:
    return AlertIncident(
        organization_id=rule.organization_id,
        rule=rule,
        condition=condition,
        subject=finding.subject[:330],
        name=finding.name[:330],
        text=finding.text,
        path=finding.path,
        run=finding.run,
        since=finding.since,
    )


def _speak(rule: AlertRule, incidents: list[AlertIncident], now: datetime) -> None:
    new = [incident for incident in incidents if incident.told_at is None]
    runs = {incident.run_id for incident in new}
    tell_open(rule, new, new[0].run if len(runs) == 1 else None, now)
    remind(rule, [incident for incident in incidents if incident not in new], now)
