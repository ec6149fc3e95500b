"""The graph: picture, list, the panel of a node, and dependencies that people draw."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say
from orchestration import services
from orchestration.forms import DependencyForm, put_error, target_choices
from orchestration.lineage import (
    LARGEST_PICTURE,
    Lineage,
    NodeFilter,
    drawn,
    explicit_dependencies,
    filtered,
    lineage_of,
    reach_counts,
)
from orchestration.links import page
from orchestration.models import Dependency

STATES = ("bad", "warn", "run", "ok", "idle")


@require_GET
@requires(Permission.VIEW)
def lineage(request: OrganizationRequest) -> HttpResponse:
    """``?node=<key>`` opens the panel (with htmx only the panel comes back), ``?view=list`` the list."""
    everything = lineage_of(request.organization)
    wanted = _wanted(request)
    shown = filtered(everything, wanted) if wanted.is_set else everything
    too_large = len(shown.nodes) > LARGEST_PICTURE
    view = request.GET.get("view") or ("list" if too_large else "graph")
    selected = everything.nodes.get(request.GET.get("node", ""))
    context: dict[str, Any] = {
        "wanted": wanted,
        "view": view,
        "too_large": too_large,
        "largest": LARGEST_PICTURE,
        "everything": everything,
        "shown": shown,
        "tags": everything.tags,
        "views": _views(request, view),
        "can_run": request.actor.can(Permission.RUN),
        "can_edit": request.actor.can(Permission.EDIT),
        "kinds": [
            ("source", _("Sources")),
            ("pipeline", _("Pipelines")),
            ("transformation", _("Transformations")),
        ],
        "states": zip(
            STATES,
            (_("Failed"), _("Warnings"), _("Running"), _("Good"), _("Not built, paused")),
            strict=True,
        ),
    }
    if selected is not None:
        context |= _panel(request, everything, selected.key)
    if view == "graph" and not too_large:
        context["drawing"] = drawn(shown)
    else:
        context["rows"] = _rows(shown)
    partial = "side" if request.GET.get("panel") else ""
    return render_page(request, "orchestration/lineage.html", context, partial=partial)


def _wanted(request: OrganizationRequest) -> NodeFilter:
    query = request.GET
    steps = query.get("steps", "2")
    return NodeFilter(
        query=query.get("q", "").strip(),
        kind=query.get("kind", ""),
        state=query.get("state", ""),
        tag=query.get("tag", ""),
        around=query.get("around", ""),
        steps=min(int(steps), 20) if steps.isdigit() and len(steps) < 4 else 2,
    )


def _views(request: OrganizationRequest, current: str) -> list[dict[str, Any]]:
    found = []
    for key, label in (("graph", _("Graph")), ("list", _("List"))):
        query = request.GET.copy()
        query.pop("node", None)
        query["view"] = key
        found.append({"label": label, "url": f"?{query.urlencode()}", "current": key == current})
    return found


def _panel(request: OrganizationRequest, everything: Lineage, key: str) -> dict[str, Any]:
    above, below = reach_counts(everything, key)
    organization = request.organization
    drawn_by_hand = {
        (row.upstream.key, row.downstream.key): row
        for row in explicit_dependencies(organization)
        if key in (row.upstream.key, row.downstream.key)
    }

    def neighbours(keys: set[str], *, up: bool) -> list[dict[str, Any]]:
        edges = {other: (other, key) if up else (key, other) for other in keys}
        return [
            {
                "node": everything.nodes[other],
                "kind": everything.edges[edges[other]],
                "dependency": drawn_by_hand.get(edges[other]),
            }
            for other in sorted(keys)
        ]

    return {
        "selected": everything.nodes[key],
        "above": above,
        "below": below,
        "reads": neighbours(everything.up.get(key, set()), up=True),
        "feeds": neighbours(everything.down.get(key, set()), up=False),
    }


def _rows(shown: Lineage) -> list[dict[str, Any]]:
    order = {"source": 0, "pipeline": 1, "transformation": 2}
    nodes = sorted(shown.nodes.values(), key=lambda node: (order[node.kind], node.label.lower()))
    return [
        {
            "node": node,
            "reads": len(shown.up.get(node.key, ())),
            "feeds": len(shown.down.get(node.key, ())),
        }
        for node in nodes
    ]


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def dependency_create(request: OrganizationRequest) -> HttpResponse:
    """Let one node wait for another; the page lists what was drawn already."""
    organization = request.organization
    choices = target_choices(organization, with_graph=False)
    initial = {name: request.GET.get(name, "") for name in ("upstream", "downstream")}
    form = DependencyForm(request.POST or None, choices=choices, initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                services.add_dependency(
                    organization=organization,
                    actor=request.actor,
                    upstream=form.cleaned_data["upstream"],
                    downstream=form.cleaned_data["downstream"],
                )
            except DatanikaError as error:
                put_error(form, error)
            else:
                say(request, _("The dependency is added."))
                key = form.cleaned_data["downstream"]
                return redirect(f"{page(organization, 'orchestration:lineage')}?node={key}")
    context = {"form": form, "dependencies": explicit_dependencies(organization)}
    return render_page(request, "orchestration/dependency_create.html", context, status=status)


@require_POST
@requires(Permission.EDIT)
def dependency_delete(request: OrganizationRequest, pk: int) -> HttpResponse:
    rows = Dependency.objects.for_organization(request.organization)
    dependency = get_or_404(
        rows.select_related(
            "organization",
            "downstream__pipeline",
            "downstream__transformation",
            "upstream__pipeline",
            "upstream__transformation",
        ),
        pk=pk,
    )
    key = dependency.downstream.key
    services.remove_dependency(dependency=dependency, actor=request.actor)
    say(request, _("The dependency is removed; what SQL implies stays."))
    return redirect(f"{page(request.organization, 'orchestration:lineage')}?node={key}")
