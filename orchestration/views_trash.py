"""What was deleted, and the way back."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import NotFound
from common.http import get_or_404, render_page, say
from common.scoping import TrashableManager
from connections import services as connections
from connections.models import Connection
from orchestration import links, services
from orchestration.models import Schedule
from pipelines import services as pipelines
from pipelines.models import Pipeline
from transforms import services as transforms
from transforms.models import Transformation

#: Kind → its manager, its icon and how it comes back.
_KINDS: dict[str, tuple[TrashableManager[Any], str, Callable[..., Any]]] = {
    "connection": (
        Connection.objects,
        "plug",
        lambda row, actor: connections.restore_connection(connection=row, actor=actor),
    ),
    "pipeline": (
        Pipeline.objects,
        "arrow-right-left",
        lambda row, actor: pipelines.restore_pipeline(pipeline=row, actor=actor),
    ),
    "transformation": (
        Transformation.objects,
        "box",
        lambda row, actor: transforms.restore_transformation(transformation=row, actor=actor),
    ),
    "schedule": (
        Schedule.objects,
        "calendar-clock",
        lambda row, actor: services.restore_schedule(schedule=row, actor=actor),
    ),
}


@require_GET
@requires(Permission.VIEW)
def trash(request: OrganizationRequest) -> HttpResponse:
    """The newest first; what was deleted neither runs nor stands in anybody's way."""
    words = {
        "connection": _("Connection"),
        "pipeline": _("Pipeline"),
        "transformation": _("Transformation"),
        "schedule": _("Schedule"),
    }
    rows = [
        {"kind": kind, "icon": icon, "word": words[kind], "row": row}
        for kind, (manager, icon, _restore) in _KINDS.items()
        for row in manager.trash_of(request.organization)
    ]
    rows.sort(key=lambda entry: entry["row"].deleted_at, reverse=True)
    context = {"rows": rows, "can_edit": request.actor.can(Permission.EDIT)}
    return render_page(request, "orchestration/trash.html", context)


@require_POST
@requires(Permission.EDIT)
def trash_restore(request: OrganizationRequest, kind: str, pk: int) -> HttpResponse:
    """Back to where it was; a slug that is taken by now gets a number."""
    if kind not in _KINDS:
        raise NotFound
    manager, _icon, restore = _KINDS[kind]
    rows = manager.trash_of(request.organization).select_related("organization")
    row = get_or_404(rows, pk=pk)
    restored = restore(row, request.actor)
    say(request, _("“%s” is back.") % restored)
    return redirect(links.page(request.organization, "orchestration:trash"))
