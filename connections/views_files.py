"""The organization's own files, for connections that read files."""

from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.bodies import takes_files
from common.errors import NotFound, UserError
from common.http import render_page, say
from connections import restrictions, services
from connections.errors import FileRefused
from connections.models import Connection

TEMPLATE = "connections/file_list.html"
CONFIRM = "connections/file_delete.html"


@require_GET
@requires(Permission.VIEW)
def file_list(request: OrganizationRequest) -> HttpResponse:
    return _show(request)


@takes_files(restrictions.max_upload_bytes)
@require_POST
@requires(Permission.EDIT)
def file_create(request: OrganizationRequest) -> HttpResponse:
    try:
        path = store_sent(request, "file")
    except UserError as error:
        return _show(request, error=str(error), status=error.http_status)
    say(request, _("%(path)s is stored.") % {"path": path})
    return redirect("connections:file-list", request.organization.slug)


def store_sent(request: OrganizationRequest, field: str) -> str:
    """Store the file sent in ``field``; its path. ``FileRefused`` when there is none or it will not do."""
    file = request.FILES.get(field)
    if not isinstance(file, UploadedFile):
        raise FileRefused(_("Choose a file first."), field=field)
    return services.store_upload(
        organization=request.organization,
        actor=request.actor,
        name=file.name or "",
        content=file,
        size=file.size or 0,
    )


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def file_delete(request: OrganizationRequest, name: str) -> HttpResponse:
    """Asks on GET, the way without script."""
    rows = [file for file in _rows(request) if file["name"] == name]
    if not rows:
        raise NotFound(f"There is no file “{name}” in this organization.")
    if request.method == "GET":
        return render_page(request, CONFIRM, {"file": rows[0]})
    services.delete_file(organization=request.organization, actor=request.actor, name=name)
    say(request, _("%(name)s is deleted.") % {"name": name})
    return redirect("connections:file-list", request.organization.slug)


def _show(request: OrganizationRequest, *, error: str = "", status: int = 200) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    files = _rows(request)
    context = {
        "q": text,
        "files": [file for file in files if text.lower() in file["name"].lower()],
        "total": len(files),
        "limit_mb": restrictions.max_upload_mb(),
        "error": error,
        "can_edit": request.actor.can(Permission.EDIT),
    }
    return render_page(request, TEMPLATE, context, partial="table", status=status)


def _rows(request: OrganizationRequest) -> list[dict[str, Any]]:
    """The files, each with the connections whose path or pattern takes it in."""
    known = Connection.objects.for_organization(request.organization).defer("secrets")
    readers = [(str(row.config.get("path", "")), row) for row in known]
    return [
        {
            **file,
            "modified_at": datetime.fromtimestamp(file["modified"], UTC),
            "dialog": f"delete-file-{number}",
            "connections": [row for path, row in readers if _reads(path, file["path"])],
        }
        for number, file in enumerate(services.list_files(request.organization))
    ]


def _reads(pattern: str, path: str) -> bool:
    # fnmatch's * crosses directories, which errs towards naming a reader too many.
    return pattern == path or fnmatch(path, pattern)
