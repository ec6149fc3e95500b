"""What was shared with somebody: the first page of a guest."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from tenants import selectors
from tenants.grants import Shared

#: Kind → the page of one of them, and its icon.
_PAGES = {
    "pipeline": ("pipelines:pipeline-detail", "arrow-right-left"),
    "connection": ("connections:connection-detail", "plug"),
}


@require_GET
@requires(Permission.BELONG)
def shared_list(request: OrganizationRequest) -> HttpResponse:
    assert request.membership is not None
    shared = selectors.shared_with(request.membership)
    rows = [_row(request, one) for one in shared if one.kind in _PAGES]
    context = {"rows": rows, "nav_key": "shared"}
    return render(request, "tenants/shared_list.html", context)


def _row(request: OrganizationRequest, one: Shared) -> dict[str, Any]:
    page, icon = _PAGES[one.kind]
    return {
        "name": one.thing,
        "icon": icon,
        "kind": _("Connection") if one.kind == "connection" else _("Pipeline"),
        "word": _words(one),
        "url": reverse(page, args=[request.organization.slug, one.thing.slug]),
    }


def _words(one: Shared) -> str:
    use = _("use it") if one.kind == "connection" else _("run it")
    return {Permission.VIEW: _("see it"), Permission.RUN: use}.get(one.permission, _("edit it"))
