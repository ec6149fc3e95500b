"""The graph: picture, list, and the panel of a node."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page
from orchestration.graph import find_thing
from orchestration.lineage import (
    Lineage,
    NodeFilter,
    explicit_dependencies,
    facts_of,
    filtered,
    lineage_of,
    near,
    reach_counts,
)
from orchestration.lineage_picture import LARGEST_PICTURE, drawn
from orchestration.models import UpstreamRule

STATES = ("bad", "warn", "run", "ok", "idle")
#: Nodes on one page of the list.
PAGE = 100
#: Neighbours that the panel of a node names.
MOST_NEIGHBOURS = 30


@require_GET
@requires(Permission.VIEW)
def lineage(request: OrganizationRequest) -> HttpResponse:
    """``?node=<key>`` opens the panel (with htmx only the panel comes back), ``?view=list`` the list."""
    everything = lineage_of(request.organization)
    selected = everything.nodes.get(request.GET.get("node", ""))
    wanted = _wanted(request, everything)
    shown = filtered(everything, wanted) if wanted.is_set else everything
    circle = everything.circle
    too_large = len(shown.nodes) > LARGEST_PICTURE
    can_draw = not (too_large or circle)
    view = request.GET.get("view") or ("graph" if can_draw else "list")
    context: dict[str, Any] = {
        "wanted": wanted,
        "view": view,
        "too_large": too_large,
        "circle": " → ".join(circle),
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
    if view == "graph" and can_draw:
        context["drawing"] = drawn(shown)
    else:
        context |= _rows(request, shown)
    partial = "side" if request.GET.get("panel") else ""
    return render_page(request, "orchestration/lineage.html", context, partial=partial)


def _wanted(request: OrganizationRequest, everything: Lineage) -> NodeFilter:
    query = request.GET
    steps = query.get("steps", "2")
    found = NodeFilter(
        query=query.get("q", "").strip(),
        kind=query.get("kind", ""),
        state=query.get("state", ""),
        tag=query.get("tag", ""),
        around=query.get("around", ""),
        steps=min(int(steps), 20) if steps.isdigit() and len(steps) < 4 else 2,
    )
    node = query.get("node", "")
    if found.is_set or query.get("view") == "list" or node not in everything.nodes:
        return found
    if len(everything.nodes) <= LARGEST_PICTURE:
        return found
    # The whole is too large for a picture: a node that is asked for shows what is near it.
    fits = (n for n in (2, 1) if len(near(everything, node, n)) <= LARGEST_PICTURE)
    steps_shown = next(fits, None)
    return found if steps_shown is None else NodeFilter(around=node, steps=steps_shown)


def _views(request: OrganizationRequest, current: str) -> list[dict[str, Any]]:
    found = []
    for key, label in (("graph", _("Graph")), ("list", _("List"))):
        query = request.GET.copy()
        for name in ("node", "page"):
            query.pop(name, None)
        query["view"] = key
        found.append({"label": label, "url": f"?{query.urlencode()}", "current": key == current})
    return found


def _panel(request: OrganizationRequest, everything: Lineage, key: str) -> dict[str, Any]:
    above, below = reach_counts(everything, key)
    selected = everything.nodes[key]
    drawn_by_hand = {
        (row.upstream.key, row.downstream.key): row
        for row in explicit_dependencies(request.organization)
        if key in (row.upstream.key, row.downstream.key)
    }

    def neighbours(keys: set[str], *, up: bool) -> list[dict[str, Any]]:
        edges = {other: (other, key) if up else (key, other) for other in keys}
        return [
            {
                "node": everything.nodes[other],
                "kind": everything.edges[edges[other]],
                "window": everything.window(edges[other]),
                "dependency": drawn_by_hand.get(edges[other]),
            }
            for other in sorted(keys)[:MOST_NEIGHBOURS]
        ]

    up, down = everything.up.get(key, set()), everything.down.get(key, set())
    thing = find_thing(request.organization, key)
    return {
        "selected": selected,
        # Beyond the role: what was shared of this one.
        "run_this": request.actor.can(Permission.RUN, on=thing),
        "rule_this": request.actor.can(Permission.EDIT, on=thing),
        "facts": facts_of(request.organization, selected),
        "above": above,
        "below": below,
        "reads": neighbours(up, up=True),
        "feeds": neighbours(down, up=False),
        "more_reads": max(len(up) - MOST_NEIGHBOURS, 0),
        "more_feeds": max(len(down) - MOST_NEIGHBOURS, 0),
        "rules": UpstreamRule.choices,
        "waits": selected.can_run and any(everything.edges[other, key] != "source" for other in up),
    }


def _rows(request: OrganizationRequest, shown: Lineage) -> dict[str, Any]:
    """One page of the list, and where its neighbours are."""
    order = {"source": 0, "pipeline": 1, "transformation": 2}
    nodes = sorted(shown.nodes.values(), key=lambda node: (order[node.kind], node.label.lower()))
    text = request.GET.get("page", "1")
    last = max((len(nodes) - 1) // PAGE + 1, 1)
    page = min(max(int(text), 1), last) if text.isdecimal() and len(text) < 7 else 1
    rows = [
        {
            "node": node,
            "reads": len(shown.up.get(node.key, ())),
            "feeds": len(shown.down.get(node.key, ())),
            "by_hand": sum(
                shown.edges[other, node.key] == "explicit" for other in shown.up.get(node.key, ())
            ),
        }
        for node in nodes[(page - 1) * PAGE : page * PAGE]
    ]
    footer = ngettext("%(n)d node", "%(n)d nodes", len(nodes)) % {"n": len(nodes)}
    return {
        "rows": rows,
        "footer": footer,
        "previous_url": _page_url(request, page - 1) if page > 1 else "",
        "next_url": _page_url(request, page + 1) if page < last else "",
    }


def _page_url(request: OrganizationRequest, page: int) -> str:
    query = request.GET.copy()
    query["view"], query["page"] = "list", str(page)
    return f"?{query.urlencode()}"
