"""Rules: what is watched and who hears of it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from alerts.durations import within_bounds
from alerts.errors import InvalidRule
from alerts.incidents import close, open_incidents
from alerts.models import AlertChannel, AlertRule, Scope
from audit import services as audit
from audit.actions import AuditAction
from common.access import Permission
from common.scoping import unique_slug
from pipelines.models import Pipeline
from tenants.actors import Actor
from tenants.models import Organization

MOST_IN_A_ROW = 100
LEAST_FACTOR, MOST_FACTOR = 1.1, 100.0
#: Fields that make a condition; at least one is needed.
CONDITIONS = (
    "failures_in_a_row",
    "no_success_seconds",
    "overdue_seconds",
    "too_long_seconds",
    "too_long_factor",
    "stale_seconds",
)
_LENGTHS = tuple(name for name in CONDITIONS if name.endswith("_seconds"))


@dataclass(frozen=True)
class RuleSettings:
    """All of a rule that people set. A condition that is None is not watched."""

    name: str
    #: Slugs; at least one.
    channels: tuple[str, ...]
    scope: str = Scope.ORGANIZATION
    #: The slug, for the scope ``pipeline``.
    pipeline: str = ""
    #: For the scope ``tag``.
    tag: str = ""
    failures_in_a_row: int | None = None
    no_success_seconds: int | None = None
    overdue_seconds: int | None = None
    too_long_seconds: int | None = None
    too_long_factor: float | None = None
    stale_seconds: int | None = None
    tells_recovery: bool = True
    reminder_seconds: int | None = None


def settings_of(rule: AlertRule) -> RuleSettings:
    return RuleSettings(
        name=rule.name,
        channels=tuple(rule.channels.order_by("slug").values_list("slug", flat=True)),
        scope=rule.scope,
        pipeline=rule.pipeline.slug if rule.pipeline else "",
        tag=rule.tag,
        tells_recovery=rule.tells_recovery,
        reminder_seconds=rule.reminder_seconds,
        **{name: getattr(rule, name) for name in CONDITIONS},
    )


@transaction.atomic
def create_rule(*, organization: Organization, actor: Actor, settings: RuleSettings) -> AlertRule:
    """A rule that watches from now on. Raises ``InvalidRule`` naming the field."""
    actor.require(Permission.EDIT)
    taken = AlertRule.objects.for_organization(organization)
    rule = AlertRule(organization=organization)
    channels = _apply(rule, settings)
    rule.slug = unique_slug(rule.name, taken, fallback="rule")
    rule.save()
    rule.channels.set(channels)
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.ALERT_RULE_CREATED,
        target=rule,
        changes=audit.difference({}, _snapshot(rule)),
    )
    return rule


@transaction.atomic
def update_rule(*, rule: AlertRule, actor: Actor, settings: RuleSettings) -> AlertRule:
    """Change it. When what it watches changes, it starts afresh: what was open is closed, and nobody is told."""
    actor.require(Permission.EDIT)
    before, watched = _snapshot(rule), _watched(rule)
    channels = _apply(rule, settings)
    rule.save()
    rule.channels.set(channels)
    if _watched(rule) != watched:
        incidents = open_incidents(rule.organization).filter(rule=rule)
        close(rule, list(incidents), timezone.now(), quietly=True)
    audit.record(
        organization=rule.organization,
        actor=actor,
        action=AuditAction.ALERT_RULE_UPDATED,
        target=rule,
        changes=audit.difference(before, _snapshot(rule)),
    )
    return rule


@transaction.atomic
def delete_rule(*, rule: AlertRule, actor: Actor) -> None:
    """For good. Its deliveries stay in the log."""
    actor.require(Permission.EDIT)
    audit.record(
        organization=rule.organization,
        actor=actor,
        action=AuditAction.ALERT_RULE_DELETED,
        target=rule,
        changes=audit.difference(_snapshot(rule), {}),
    )
    rule.delete()


@transaction.atomic
def mute_rule(*, rule: AlertRule, actor: Actor, until: datetime | None = None) -> AlertRule:
    """Say nothing until then, or until somebody unmutes it. What is still open at the end is told then."""
    actor.require(Permission.EDIT)
    if until is not None and until <= timezone.now():
        raise InvalidRule(
            "This time has passed.", field="until", remedy="Give a time in the future, or none."
        )
    rule.is_muted, rule.muted_until, rule.muted_by = True, until, actor.label[:200]
    rule.save(update_fields=["is_muted", "muted_until", "muted_by"])
    audit.record(
        organization=rule.organization,
        actor=actor,
        action=AuditAction.ALERT_RULE_MUTED,
        target=rule,
        changes={"until": [None, until.isoformat() if until else "unmuted by hand"]},
    )
    return rule


@transaction.atomic
def unmute_rule(*, rule: AlertRule, actor: Actor) -> AlertRule:
    actor.require(Permission.EDIT)
    rule.is_muted, rule.muted_until, rule.muted_by = False, None, ""
    rule.save(update_fields=["is_muted", "muted_until", "muted_by"])
    audit.record(
        organization=rule.organization,
        actor=actor,
        action=AuditAction.ALERT_RULE_UNMUTED,
        target=rule,
    )
    return rule


def _apply(rule: AlertRule, settings: RuleSettings) -> list[AlertChannel]:
    """Put the settings into the row, once all of them fit; the channels to set."""
    if not settings.name.strip():
        raise InvalidRule("A name is needed.", field="name", remedy="Say what the rule is for.")
    rule.name = settings.name.strip()[:80]
    _apply_scope(rule, settings)
    _check_conditions(settings)
    for name in (*CONDITIONS, "tells_recovery", "reminder_seconds"):
        setattr(rule, name, getattr(settings, name))
    return _channels(rule.organization, settings.channels)


def _apply_scope(rule: AlertRule, settings: RuleSettings) -> None:
    if settings.scope not in Scope.values:
        raise InvalidRule(
            f"{settings.scope!r} is not a choice.",
            field="scope",
            remedy=f"Use {', '.join(Scope.values)}.",
        )
    rule.scope, rule.tag, rule.pipeline = settings.scope, "", None
    if rule.scope == Scope.PIPELINE:
        pipelines = Pipeline.objects.for_organization(rule.organization)
        rule.pipeline = pipelines.filter(slug=settings.pipeline).first()
        if rule.pipeline is None:
            raise InvalidRule(
                f"There is no pipeline “{settings.pipeline}”."
                if settings.pipeline
                else "A pipeline is needed.",
                field="pipeline",
                remedy="Choose one of the organization's pipelines.",
            )
    if rule.scope == Scope.TAG:
        rule.tag = settings.tag.strip()
        if not rule.tag or len(rule.tag) > 63:
            raise InvalidRule(
                "A tag of up to 63 characters is needed.",
                field="tag",
                remedy="Give a tag that pipelines or transformations have.",
            )


def _check_conditions(settings: RuleSettings) -> None:
    if all(getattr(settings, name) is None for name in CONDITIONS):
        raise InvalidRule(
            "The rule watches nothing.",
            field=CONDITIONS[0],
            remedy="Fill in at least one condition.",
        )
    for name in (*_LENGTHS, "reminder_seconds"):
        if (seconds := getattr(settings, name)) is not None:
            within_bounds(seconds, name)
    number = settings.failures_in_a_row
    if number is not None and not 1 <= number <= MOST_IN_A_ROW:
        raise InvalidRule(
            f"Between 1 and {MOST_IN_A_ROW} failures in a row can be waited for.",
            field="failures_in_a_row",
            remedy="1 tells of the first failure.",
        )
    factor = settings.too_long_factor
    if factor is not None and not LEAST_FACTOR <= factor <= MOST_FACTOR:
        raise InvalidRule(
            f"The factor is between {LEAST_FACTOR:g} and {MOST_FACTOR:g}.",
            field="too_long_factor",
            remedy="3 is a good start.",
        )


def _channels(organization: Organization, slugs: tuple[str, ...]) -> list[AlertChannel]:
    rows = AlertChannel.objects.for_organization(organization).defer("secrets")
    found = {row.slug: row for row in rows.filter(slug__in=slugs)}
    if missing := sorted(set(slugs) - set(found)):
        raise InvalidRule(
            f"There is no channel “{missing[0]}”.",
            field="channels",
            remedy="Choose channels of the organization.",
        )
    if not found:
        raise InvalidRule(
            "Nobody would hear of it.", field="channels", remedy="Choose at least one channel."
        )
    return list(found.values())


def _watched(rule: AlertRule) -> tuple[Any, ...]:
    return (
        rule.scope,
        rule.pipeline_id,
        rule.tag,
        *(getattr(rule, name) for name in CONDITIONS),
    )


def _snapshot(rule: AlertRule) -> dict[str, Any]:
    values = asdict(settings_of(rule))
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
