"""Incidents begin and end: counted, told once, and closed. Everything here runs inside a transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from alerts import links
from alerts.models import AlertIncident, AlertRule, Condition, Event
from alerts.outbox import tell
from alerts.outcomes import Failure, outcomes_of
from alerts.scope import keys_in, tags_of
from orchestration.models import Node, Run
from tenants.models import Organization


def open_incidents(organization: Organization) -> QuerySet[AlertIncident]:
    return AlertIncident.objects.for_organization(organization).filter(closed_at__isnull=True)


def take_run(run: Run, *, late: bool = False) -> None:
    """Count what failed in a run that has ended, close what succeeded, and write what is to be told.

    ``late``: others may have ended since. What failed after this run's success stays open.
    """
    rules = _failure_rules(run.organization)
    if not rules:
        return
    now = run.finished_at or timezone.now()
    outcomes = outcomes_of(run)
    wanted = _wanted(rules, run.organization, outcomes.failed)
    begin([_incident(rule, failure, run, now) for rule, failure in wanted])
    by_rule = {rule.pk: rule for rule in rules}
    rows = open_incidents(run.organization).filter(condition=Condition.FAILURE, rule__in=by_rule)
    # Always in this order, so that two runs wait for each other but never in a circle.
    locked = list(rows.select_for_update().order_by("pk"))
    failed = {(rule.pk, failure.key): failure for rule, failure in wanted}
    _count(locked, failed, run)
    older = [i for i in locked if _is_older(i, now)] if late else locked
    _close_well(older, by_rule, outcomes.succeeded, run, now)
    for rule, incidents in _by_rule(locked, by_rule):
        tell_open(rule, [i for i in incidents if (rule.pk, i.subject) in failed], run, now)


def _is_older(incident: AlertIncident, than: datetime) -> bool:
    last = incident.run
    return last is None or last.finished_at is None or last.finished_at <= than


def close_overtaken(run: Run) -> None:
    """What a run that is looked at late opened, and what has succeeded since: it is told, and told to be over."""
    failed = outcomes_of(run).failed
    nodes = Node.objects.for_organization(run.organization).filter(succeeded_at__gt=run.finished_at)
    over = {node.key for node in nodes.select_related("pipeline", "transformation")} & set(failed)
    rules = {rule.pk: rule for rule in _failure_rules(run.organization)}
    rows = open_incidents(run.organization).filter(condition=Condition.FAILURE, run=run)
    locked = list(rows.filter(rule__in=rules).select_for_update().order_by("pk"))
    _close_well(locked, rules, over, run, timezone.now())


def _failure_rules(organization: Organization) -> list[AlertRule]:
    rows = AlertRule.objects.for_organization(organization)
    return list(
        rows.filter(failures_in_a_row__isnull=False)
        .select_related("organization", "pipeline")
        .order_by("pk")
    )


def _wanted(
    rules: Sequence[AlertRule], organization: Organization, failed: dict[str, Failure]
) -> list[tuple[AlertRule, Failure]]:
    tags = tags_of(organization, failed) if failed else {}
    return [(rule, failed[key]) for rule in rules for key in sorted(keys_in(rule, failed, tags))]


def _incident(rule: AlertRule, failure: Failure, run: Run, now: datetime) -> AlertIncident:
    return AlertIncident(
        organization_id=rule.organization_id,
        rule=rule,
        condition=Condition.FAILURE,
        subject=failure.key[:330],
        name=failure.name[:330],
        path=links.path_of(run.organization, failure.key),
        run=run,
        since=now,
    )


def begin(incidents: Sequence[AlertIncident]) -> None:
    """Write those that are not open yet."""
    AlertIncident.all_organizations.bulk_create(incidents, ignore_conflicts=True, batch_size=500)


def _count(
    locked: Iterable[AlertIncident], failed: dict[tuple[int, str], Failure], run: Run
) -> None:
    changed = []
    for incident in locked:
        failure = failed.get((incident.rule_id, incident.subject))
        if failure is not None:
            incident.count += 1
            incident.run, incident.text, incident.remedy = run, failure.error, failure.remedy
            changed.append(incident)
    AlertIncident.all_organizations.bulk_update(
        changed, ["count", "run", "text", "remedy"], batch_size=500
    )


def _close_well(
    locked: Iterable[AlertIncident],
    rules: dict[int, AlertRule],
    succeeded: set[str],
    run: Run,
    now: datetime,
) -> None:
    for rule, incidents in _by_rule(locked, rules):
        close(rule, [i for i in incidents if i.subject in succeeded], now, run=run)


def _by_rule(
    incidents: Iterable[AlertIncident], rules: dict[int, AlertRule]
) -> list[tuple[AlertRule, list[AlertIncident]]]:
    groups: dict[int, list[AlertIncident]] = defaultdict(list)
    for incident in incidents:
        groups[incident.rule_id].append(incident)
    return [(rules[pk], group) for pk, group in sorted(groups.items())]


def close(
    rule: AlertRule,
    incidents: Sequence[AlertIncident],
    now: datetime,
    *,
    run: Run | None = None,
    quietly: bool = False,
) -> None:
    """End these. Who heard of one hears that it is over, unless ``quietly`` or the rule does not want that."""
    AlertIncident.all_organizations.filter(pk__in=[i.pk for i in incidents]).update(closed_at=now)
    if quietly or not rule.tells_recovery or rule.is_silent(now):
        return
    told = [incident for incident in incidents if incident.told_at is not None]
    tell(event=Event.RECOVERED, rule=rule, incidents=told, run=run, now=now)


def tell_open(
    rule: AlertRule, incidents: Sequence[AlertIncident], run: Run | None, now: datetime
) -> None:
    """Tell of those that are ripe and were not told yet. A muted rule tells when the mute has ended."""
    if rule.is_silent(now):
        return
    ripe = [i for i in incidents if i.told_at is None and is_ripe(rule, i)]
    _stamp(ripe, now)
    tell(event=Event.OPENED, rule=rule, incidents=ripe, run=run, now=now)


def is_ripe(rule: AlertRule, incident: AlertIncident) -> bool:
    """Whether it has happened often enough."""
    return incident.condition != Condition.FAILURE or incident.count >= (
        rule.failures_in_a_row or 1
    )


def remind(rule: AlertRule, incidents: Sequence[AlertIncident], now: datetime) -> None:
    """Say again what was told and still lasts, if the rule wants that and it is time."""
    if rule.reminder_seconds is None or rule.is_silent(now):
        return
    due = [i for i in incidents if _is_due(i, rule.reminder_seconds, now)]
    for incident in due:
        incident.reminders += 1
    _stamp(due, now)
    runs = {incident.run_id for incident in due}
    run = due[0].run if len(runs) == 1 else None
    tell(event=Event.REMINDER, rule=rule, incidents=due, run=run, now=now)


def _is_due(incident: AlertIncident, seconds: int, now: datetime) -> bool:
    if incident.last_told_at is None:
        return False
    return (now - incident.last_told_at).total_seconds() >= seconds


def _stamp(incidents: Sequence[AlertIncident], now: datetime) -> None:
    for incident in incidents:
        incident.told_at = incident.told_at or now
        incident.last_told_at = now
    AlertIncident.all_organizations.bulk_update(
        incidents, ["told_at", "last_told_at", "reminders"], batch_size=500
    )
