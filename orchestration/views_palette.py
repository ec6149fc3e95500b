"""What the command palette finds: places, things to make, and things that are there."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page
from common.ui.shell import PLACES
from connections.models import Connection
from orchestration import links
from orchestration.models import Schedule
from orchestration.run_filters import RunFilter, page_of_runs
from pipelines.models import Pipeline
from transforms.models import Transformation

#: Of each kind of thing; who sees more than that types another letter.
FOUND = 6

_GO_TO = {
    "overview": ("orchestration:overview", Permission.VIEW),
    "runs": ("orchestration:run-list", Permission.VIEW),
    "connections": ("connections:connection-list", Permission.VIEW),
    "pipelines": ("pipelines:pipeline-list", Permission.VIEW),
    "transformations": ("transforms:transformation-list", Permission.VIEW),
    "lineage": ("orchestration:lineage", Permission.VIEW),
    "schedules": ("orchestration:schedule-list", Permission.VIEW),
    "alerts": ("alerts:rule-list", Permission.VIEW),
    "members": ("tenants:member-list", Permission.VIEW),
    "api-keys": ("tenants:api-key-list", Permission.VIEW_API_KEYS),
    "audit": ("audit:event-list", Permission.VIEW_AUDIT),
    "settings": ("tenants:settings", Permission.MANAGE_ORGANIZATION),
}


@require_GET
@requires(Permission.VIEW)
def palette(request: OrganizationRequest) -> HttpResponse:
    """The list for ``?q=``; without it the places and what can be made."""
    query = request.GET.get("q", "").strip()
    groups = [
        (_("Go to"), _matching(_places(request), query)),
        (_("Create"), _matching(_creations(request), query)),
    ]
    if query:
        groups = [*_found(request, query), *groups]
    context = {
        "groups": [{"heading": heading, "items": items} for heading, items in groups if items],
        "q": query,
    }
    return render_page(request, "components/palette.html", context)


def _item(icon: str, label: object, url: str, hint: object = "") -> dict[str, Any]:
    return {"icon": icon, "label": str(label), "url": url, "hint": str(hint)}


def _matching(items: Iterable[dict[str, Any]], query: str) -> list[dict[str, Any]]:
    words = query.lower().split()
    return [item for item in items if all(word in item["label"].lower() for word in words)]


def _places(request: OrganizationRequest) -> Iterable[dict[str, Any]]:
    for _heading, places in PLACES:
        for place in places:
            if place.key not in _GO_TO:
                continue
            name, permission = _GO_TO[place.key]
            if request.actor.can(permission):
                url = links.page(request.organization, name)
                yield _item(place.icon, place.label, url, f"G {place.letter.upper()}")
    if request.actor.can(Permission.EDIT):
        url = links.page(request.organization, "orchestration:trash")
        yield _item("trash-2", _("Trash"), url)
    if request.actor.has_grants:
        url = links.page(request.organization, "tenants:shared-list")
        yield _item("users", _("Shared with you"), url)


def _creations(request: OrganizationRequest) -> Iterable[dict[str, Any]]:
    if not request.actor.can(Permission.EDIT):
        return
    for icon, label, name in (
        ("plug", _("New connection"), "connections:connection-create"),
        ("arrow-right-left", _("New pipeline"), "pipelines:pipeline-create"),
        ("box", _("New transformation"), "transforms:transformation-create"),
        ("calendar-clock", _("New schedule"), "orchestration:schedule-create"),
        ("workflow", _("New dependency"), "orchestration:dependency-create"),
    ):
        yield _item(icon, label, links.page(request.organization, name))


def _found(request: OrganizationRequest, query: str) -> list[tuple[str, list[dict[str, Any]]]]:
    organization = request.organization
    pipelines = Pipeline.objects.for_organization(organization).filter(name__icontains=query)
    transformations = Transformation.objects.for_organization(organization)
    transformations = transformations.filter(name__icontains=query).order_by("name")
    connections = Connection.objects.for_organization(organization).filter(name__icontains=query)
    schedules = Schedule.objects.for_organization(organization).filter(name__icontains=query)
    page = page_of_runs(organization, RunFilter(query=query), size=FOUND, counts=False)
    runs = [*page.active, *page.ended]
    return [
        (
            _("Pipelines"),
            [
                _item("arrow-right-left", p, links.pipeline_url(organization, p.slug), p.dataset)
                for p in pipelines[:FOUND]
            ],
        ),
        (
            _("Transformations"),
            [
                _item("box", t, links.transformation_url(organization, t.name), t.folder)
                for t in transformations[:FOUND]
            ],
        ),
        (
            _("Connections"),
            [
                _item("plug", c, links.connection_url(organization, c.slug), c.type.label)
                for c in connections[:FOUND]
            ],
        ),
        (
            _("Schedules"),
            [_item("calendar-clock", s, _schedule_url(request, s)) for s in schedules[:FOUND]],
        ),
        (
            _("Runs"),
            [
                _item(
                    "activity",
                    f"#{run.number} {run.title}",
                    links.page(organization, "orchestration:run-detail", run.number),
                    run.get_status_display(),
                )
                for run in runs[:FOUND]
            ],
        ),
    ]


def _schedule_url(request: OrganizationRequest, schedule: Schedule) -> str:
    if request.actor.can(Permission.EDIT):
        return links.page(request.organization, "orchestration:schedule-update", schedule.slug)
    return links.page(request.organization, "orchestration:schedule-list")
