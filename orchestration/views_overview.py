"""The first page: how things are, what needs a person, what comes next."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page
from connections.models import Connection
from orchestration import attention, links, overview
from orchestration.activity import activity
from orchestration.run_filters import PERIODS
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import Transformation


@require_GET
@requires(Permission.BELONG)
def overview_page(request: OrganizationRequest) -> HttpResponse:
    """``?p=24h|7d|30d``; the fragment is what polls itself. Guests are led to what was shared with them."""
    if not request.actor.can(Permission.VIEW):
        return redirect(links.page(request.organization, "tenants:shared-list"))
    organization = request.organization
    period = request.GET.get("p", "24h")
    period = period if period in PERIODS else "24h"
    can_edit = request.actor.can(Permission.EDIT)
    context: dict[str, Any] = {
        "period": period,
        "periods": _periods(period),
        "can_edit": can_edit,
    }
    if checklist := _first_steps(organization):
        context["checklist"] = checklist
        return render_page(request, "orchestration/overview.html", context, partial="live")
    found = attention.attention_of(organization, can_edit=can_edit)
    buckets = overview.buckets_of(organization, period)
    hours = overview.hours(buckets)
    totals = overview.by_hour(hours)
    context |= {
        "tiles": overview.tiles(organization, period, buckets),
        "attention": found,
        "activity": activity(organization),
        "pipelines": overview.pipeline_rows(organization, of=found.pipelines),
        "pipeline_count": found.pipelines,
        "hours": hours,
        "legend": [
            ["ok", _("%d succeeded") % totals["succeeded"]],
            ["bad", _("%d failed") % totals["failed"]],
        ],
        "starts": overview.next_starts(organization),
    }
    return render_page(request, "orchestration/overview.html", context, partial="live")


def _first_steps(organization: Organization) -> list[dict[str, Any]]:
    """What is left to do until the first run; nothing once there was one, or all is made."""
    if organization.last_run_number:
        return []
    pipelines = Pipeline.objects.for_organization(organization).exists()
    transformations = Transformation.objects.for_organization(organization).exists()
    if pipelines and transformations:
        return []
    connections = list(Connection.objects.for_organization(organization).defer("secrets"))
    ends = any(c.is_source for c in connections) and any(c.is_destination for c in connections)
    return _checklist(organization, ends, pipelines, transformations)


def _periods(current: str) -> list[dict[str, Any]]:
    labels = {"24h": _("24 h"), "7d": _("7 days"), "30d": _("30 days")}
    return [
        {"label": label, "url": f"?p={key}", "current": key == current}
        for key, label in labels.items()
    ]


def _checklist(
    organization: Organization, ends: bool, pipelines: bool, transformations: bool
) -> list[dict[str, Any]]:
    """The three steps of a new organization; the first that is not done carries the button."""
    steps = [
        (
            _("Connect a source and a warehouse"),
            _(
                "The databases and files to read, and the warehouse where everything comes together."
            ),
            ends,
            "connections:connection-create",
            _("New connection"),
        ),
        (
            _("Load tables with a pipeline"),
            _("Choose tables, and how each is written. Its first run fills the warehouse."),
            pipelines,
            "pipelines:pipeline-create",
            _("New pipeline"),
        ),
        (
            _("Shape them with a transformation"),
            _("SQL on the loaded tables, tested each time it is built."),
            transformations,
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
