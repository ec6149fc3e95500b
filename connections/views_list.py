"""The list of connections, the gallery of types, and what uses what."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.utils.datastructures import MultiValueDict
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page
from connections import restrictions, selectors, usage
from connections.connectors.base import Connector
from connections.models import Connection, UseAs

LIST = "connections/connection_list.html"
TYPES = "connections/connection_types.html"


@dataclass(frozen=True)
class Row:
    connection: Connection
    used_by: str
    can_test: bool
    can_edit: bool


@require_GET
@requires(Permission.VIEW)
def connection_list(request: OrganizationRequest) -> HttpResponse:
    """Filtered by ``q`` and ``role``, sorted by ``sort``, 50 a page."""
    asked = {key: request.GET.get(key, "") for key in ("q", "role", "sort", "after", "before")}
    page = selectors.list_connections(
        request.organization,
        text=asked["q"],
        role=asked["role"],
        sort=asked["sort"],
        after=asked["after"],
        before=asked["before"],
    )
    used = usage.summaries(request.organization)
    kept = {key: asked[key] for key in ("q", "role", "sort") if asked[key]}
    context = {
        **asked,
        "rows": [_row(request, row, used.get(row.pk, "")) for row in page.rows],
        "roles": _role_segments(page.counts, kept),
        "count_text": _count_text(page),
        "next_url": f"?{urlencode({**kept, 'after': page.after})}" if page.after else "",
        "previous_url": f"?{urlencode({**kept, 'before': page.before})}" if page.before else "",
        "can_edit": request.actor.can(Permission.EDIT),
    }
    return render_page(request, LIST, context, partial="table")


def _row(request: OrganizationRequest, connection: Connection, used_by: str) -> Row:
    return Row(
        connection,
        used_by,
        can_test=request.actor.can(Permission.RUN, on=connection),
        can_edit=request.actor.can(Permission.EDIT, on=connection),
    )


@require_GET
@requires(Permission.EDIT)
def connection_create(request: OrganizationRequest) -> HttpResponse:
    """First step of a new connection: the type."""
    role = request.GET.get("role", "")
    groups: MultiValueDict[str, Connector] = MultiValueDict()
    for connector in restrictions.offered_connectors():
        if _can_be(connector, role):
            groups.appendlist(str(connector.category), connector)
    words = {"": _("All"), "source": _("Can be a source"), "destination": _("Can be a destination")}
    context = {
        "groups": [(heading, groups.getlist(heading)) for heading in groups],
        "roles": [
            {
                "label": label,
                "url": f"?{urlencode({'role': key})}" if key else "?",
                "current": key == role,
            }
            for key, label in words.items()
        ],
        "steps": steps("type"),
    }
    return render_page(request, TYPES, context)


def steps(current: str, type_url: str = "") -> list[dict[str, Any]]:
    """The three steps of a new connection, for the bar."""
    keys = ["type", "details", "test"]
    words = {"type": _("Type"), "details": _("Details"), "test": _("Test")}
    at = keys.index(current)
    return [
        {
            "label": words[key],
            "state": "current" if index == at else "done" if index < at else "",
            "url": type_url if key == "type" else "",
        }
        for index, key in enumerate(keys)
    ]


def _can_be(connector: Connector, role: str) -> bool:
    can = {
        "source": connector.capabilities.source,
        "destination": connector.capabilities.destination,
    }
    return can.get(role, True)


def _role_segments(counts: dict[str, int], kept: dict[str, str]) -> list[dict[str, Any]]:
    words = {"": _("All"), UseAs.SOURCE: _("Sources"), UseAs.DESTINATION: _("Destinations")}
    others = {key: value for key, value in kept.items() if key != "role"}
    return [
        {
            "label": label,
            "url": f"?{urlencode({**others, 'role': str(key)} if key else others)}",
            "count": counts[key],
            "current": kept.get("role", "") == key,
        }
        for key, label in words.items()
    ]


def _count_text(page: selectors.ConnectionPage) -> str:
    text = ngettext(
        "%(shown)d of %(count)d connection", "%(shown)d of %(count)d connections", page.matching
    )
    return text % {"shown": len(page.rows), "count": page.matching}
