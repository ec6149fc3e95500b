"""What was deleted, the way back, and the end."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page, say
from orchestration import links, services
from tenants.selectors import platform_settings

_ICONS = {
    "connection": "plug",
    "pipeline": "arrow-right-left",
    "transformation": "box",
    "schedule": "calendar-clock",
}


def _word(kind: str) -> str:
    words = {
        "connection": _("Connection"),
        "pipeline": _("Pipeline"),
        "transformation": _("Transformation"),
        "schedule": _("Schedule"),
    }
    return words[kind]


@require_GET
@requires(Permission.VIEW)
def trash(request: OrganizationRequest) -> HttpResponse:
    """The newest first; what was deleted neither runs nor stands in anybody's way."""
    rows = [
        {
            "entry": entry,
            "icon": _ICONS[entry.kind],
            "word": _word(entry.kind),
            "can_restore": request.actor.can(Permission.EDIT, on=entry.row),
        }
        for entry in services.in_trash(request.organization)
    ]
    context = {
        "rows": rows,
        "days": platform_settings().trash_retention_days,
        "some_actions": any(row["can_restore"] for row in rows),
        "can_purge": request.actor.can(Permission.MANAGE_ORGANIZATION),
    }
    return render_page(request, "orchestration/trash.html", context)


@require_POST
@requires(Permission.EDIT, grantable="trash")
def trash_restore(request: OrganizationRequest, kind: str, pk: int) -> HttpResponse:
    """Back to where it was; a slug that is taken by now gets a number."""
    row = services.find_in_trash(request.organization, kind, pk)
    restored = services.restore_from_trash(kind=kind, row=row, actor=request.actor)
    text = _("“%s” is back.") % restored
    if paused := services.paused_schedules_of(kind, restored):
        text += " " + ngettext(
            "%d schedule of it is still paused.", "%d schedules of it are still paused.", paused
        ) % (paused,)
    say(request, text)
    return redirect(links.page(request.organization, "orchestration:trash"))


@require_http_methods(["GET", "POST"])
@requires(Permission.MANAGE_ORGANIZATION)
def trash_purge(request: OrganizationRequest, kind: str, pk: int) -> HttpResponse:
    """GET asks."""
    row = services.find_in_trash(request.organization, kind, pk)
    if request.method == "POST":
        services.purge_from_trash(kind=kind, row=row, actor=request.actor)
        say(request, _("“%s” is gone for good.") % row)
        return redirect(links.page(request.organization, "orchestration:trash"))
    context = {"row": row, "kind": kind, "word": _word(kind)}
    return render_page(request, "orchestration/trash_purge.html", context)
