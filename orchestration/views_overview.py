"""The first page: how things are, what needs a person, what comes next."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page
from orchestration import attention, links, overview
from orchestration.models import Run
from orchestration.selectors import PERIODS
from tenants.models import Organization


@require_GET
@requires(Permission.VIEW)
def overview_page(request: OrganizationRequest) -> HttpResponse:
    """``?p=24h|7d|30d``; the fragment is what polls itself."""
    organization = request.organization
    period = request.GET.get("p", "24h")
    period = period if period in PERIODS else "24h"
    can_edit = request.actor.can(Permission.EDIT)
    facts = overview.facts_of(organization)
    context: dict[str, Any] = {
        "period": period,
        "periods": _periods(period),
        "can_edit": can_edit,
        "facts": facts,
    }
    started = Run.objects.for_organization(organization).exists()
    if not started and not (facts.pipelines and facts.transformations):
        context["checklist"] = _checklist(organization, facts)
        return render_page(request, "orchestration/overview.html", context, partial="live")
    found = attention.items(facts, can_edit=can_edit)
    hours = overview.hours(organization)
    totals = overview.by_hour(hours)
    context |= {
        "tiles": overview.tiles(facts, period),
        "attention": found[: attention.SHOWN],
        "attention_count": len(found),
        "pipelines": overview.pipeline_rows(facts)[: overview.SHOWN_PIPELINES],
        "pipeline_count": len(facts.pipelines),
        "hours": hours,
        "legend": [
            ["ok", _("%d succeeded") % totals["succeeded"]],
            ["bad", _("%d failed") % totals["failed"]],
        ],
        "starts": overview.next_starts(facts),
    }
    return render_page(request, "orchestration/overview.html", context, partial="live")


def _periods(current: str) -> list[dict[str, Any]]:
    labels = {"24h": _("24 h"), "7d": _("7 days"), "30d": _("30 days")}
    return [
        {"label": label, "url": f"?p={key}", "current": key == current}
        for key, label in labels.items()
    ]


def _checklist(organization: Organization, facts: overview.Facts) -> list[dict[str, Any]]:
    """The three steps of a new organization; the first that is not done carries the button."""
    ends = {c.is_source for c in facts.connections} | {
        "to" for c in facts.connections if c.is_destination
    }
    steps = [
        (
            _("Connect a source and a warehouse"),
            _(
                "The databases and files to read, and the warehouse where everything comes together."
            ),
            {True, "to"} <= ends,
            "connections:connection-create",
            _("New connection"),
        ),
        (
            _("Load tables with a pipeline"),
            _("Choose tables, and how each is written. Its first run fills the warehouse."),
            bool(facts.pipelines),
            "pipelines:pipeline-create",
            _("New pipeline"),
        ),
        (
            _("Shape them with a transformation"),
            _("SQL on the loaded tables, tested each time it is built."),
            bool(facts.transformations),
            "transforms:transformation-create",
            _("New transformation"),
        ),
    ]
    first = next((i for i, step in enumerate(steps) if not step[2]), None)
    return [
        {
            "title": title,
            "text": text,
            "done": done,
            "current": number == first,
            "url": links.page(organization, name),
            "action": action,
        }
        for number, (title, text, done, name, action) in enumerate(steps)
    ]
