"""Alert rules: the list, the form, muting and deleting."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from alerts import selectors, services
from alerts.errors import InvalidRule
from alerts.forms import RuleForm, put_error
from alerts.models import AlertIncident, AlertRule, DeliveryStatus, Event, Scope
from alerts.pages import tabs
from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say

#: How long a rule can be muted with one click; the last is for ever.
MUTES = {
    "1h": timedelta(hours=1),
    "8h": timedelta(hours=8),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "ever": None,
}
#: Open incidents shown above the rules.
MOST_OPEN = 50


@dataclass(frozen=True)
class Row:
    """A rule as the list shows it."""

    rule: AlertRule
    what: str
    kind: str
    conditions: list[str]
    is_silent: bool
    open: int


@require_GET
@requires(Permission.VIEW)
def rule_list(request: OrganizationRequest) -> HttpResponse:
    organization = request.organization
    incidents = list(
        selectors.told_incidents(organization).select_related("rule", "run")[: MOST_OPEN + 1]
    )
    rows = [_row(rule, incidents) for rule in selectors.rules_of(organization)]
    failed = selectors.deliveries_of(
        organization, selectors.DeliveryFilter(status=DeliveryStatus.FAILED)
    )
    context = {
        "tabs": tabs(organization, "rules"),
        "rows": rows,
        "incidents": incidents[:MOST_OPEN],
        "more_incidents": len(incidents) > MOST_OPEN,
        "has_channels": selectors.channels_of(organization).exists(),
        "undelivered": failed.filter(created_at__gte=timezone.now() - timedelta(days=1))
        .exclude(event=Event.TEST)
        .count(),
        "can_edit": request.actor.can(Permission.EDIT),
        "mutes": _mutes(),
    }
    return render_page(request, "alerts/rule_list.html", context)


def _row(rule: AlertRule, incidents: list[AlertIncident]) -> Row:
    kinds = {Scope.ORGANIZATION: "", Scope.PIPELINE: "pipeline", Scope.TAG: "tag"}
    return Row(
        rule=rule,
        what=str(selectors.scope_words(rule)),
        kind=kinds[Scope(rule.scope)],
        conditions=selectors.conditions_of(rule),
        is_silent=rule.is_silent(timezone.now()),
        open=sum(incident.rule_id == rule.pk for incident in incidents),
    )


def _mutes() -> list[tuple[str, str]]:
    return [
        ("1h", _("For an hour")),
        ("8h", _("For 8 hours")),
        ("1d", _("For a day")),
        ("7d", _("For a week")),
        ("ever", _("Until unmuted")),
    ]


def _rule(request: OrganizationRequest, slug: str) -> AlertRule:
    return get_or_404(selectors.rules_of(request.organization), slug=slug)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def rule_create(request: OrganizationRequest) -> HttpResponse:
    """``?pipeline=<slug>`` or ``?tag=`` chooses beforehand what it watches."""
    pipeline, tag = request.GET.get("pipeline", ""), request.GET.get("tag", "")
    scope = Scope.PIPELINE if pipeline else Scope.TAG if tag else Scope.ORGANIZATION
    channels = list(selectors.channels_of(request.organization).values_list("slug", flat=True)[:2])
    initial = {
        "scope": scope,
        "pipeline": pipeline,
        "tag": tag,
        "failures_in_a_row": 1,
        "channels": channels if len(channels) == 1 else [],
    }
    return _form_page(request, None, initial)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def rule_update(request: OrganizationRequest, slug: str) -> HttpResponse:
    rule = _rule(request, slug)
    return _form_page(request, rule, asdict(services.settings_of(rule)))


def _form_page(
    request: OrganizationRequest, rule: AlertRule | None, initial: dict[str, Any]
) -> HttpResponse:
    form = RuleForm(request.POST or None, organization=request.organization, initial=initial)
    if request.method == "POST" and form.is_valid() and _saved(request, rule, form):
        return redirect("alerts:rule-list", request.organization.slug)
    context = {
        "form": form,
        "rule": rule,
        "has_channels": selectors.channels_of(request.organization).exists(),
    }
    status = 422 if request.method == "POST" else 200
    return render_page(request, "alerts/rule_form.html", context, status=status)


def _saved(request: OrganizationRequest, rule: AlertRule | None, form: RuleForm) -> bool:
    try:
        if rule is None:
            rule = services.create_rule(
                organization=request.organization, actor=request.actor, settings=form.settings
            )
            text = _("“%s” watches from now on.")
        else:
            services.update_rule(rule=rule, actor=request.actor, settings=form.settings)
            text = _("“%s” is saved.")
    except DatanikaError as error:
        put_error(form, error)
        return False
    say(request, text % rule.name)
    return True


@require_POST
@requires(Permission.EDIT)
def rule_mute(request: OrganizationRequest, slug: str) -> HttpResponse:
    rule = _rule(request, slug)
    wanted = request.POST.get("for", "ever")
    if wanted not in MUTES:
        raise InvalidRule(
            f"{wanted!r} is not a choice.", field="for", remedy=f"Use {', '.join(MUTES)}."
        )
    length = MUTES[wanted]
    until = timezone.now() + length if length else None
    services.mute_rule(rule=rule, actor=request.actor, until=until)
    say(request, _("“%s” is muted.") % rule.name)
    return redirect("alerts:rule-list", request.organization.slug)


@require_POST
@requires(Permission.EDIT)
def rule_unmute(request: OrganizationRequest, slug: str) -> HttpResponse:
    rule = _rule(request, slug)
    services.unmute_rule(rule=rule, actor=request.actor)
    say(request, _("“%s” is no longer muted.") % rule.name)
    return redirect("alerts:rule-list", request.organization.slug)


@require_POST
@requires(Permission.EDIT)
def rule_delete(request: OrganizationRequest, slug: str) -> HttpResponse:
    rule = _rule(request, slug)
    name = rule.name
    services.delete_rule(rule=rule, actor=request.actor)
    say(request, _("“%s” is deleted.") % name)
    return redirect("alerts:rule-list", request.organization.slug)
