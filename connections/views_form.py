"""Describing a connection: a new one or a stored one, its check before saving, and the file it reads."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from common.access import OrganizationRequest, Permission, requires
from common.bodies import takes_files
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say, wants_partial, warn
from connections import checks, restrictions, services
from connections.connectors.base import Connector, ConnectorForm
from connections.connectors.registry import get_connector
from connections.errors import InvalidConfiguration
from connections.forms import build_form, dropped_secrets, settings_of, without_optional_marks
from connections.models import CheckStatus, Connection
from connections.views_files import store_sent
from connections.views_list import steps

TEMPLATE = "connections/connection_form.html"
#: Where the session keeps the last check of unsaved settings.
SESSION_KEY = "connections.check"
SHOWN_FILES = 8


@dataclass
class FormPage:
    """Everything one answer of the form page shows."""

    connector: Connector
    connection: Connection | None
    form: ConnectorForm
    stages: list[dict[str, Any]] = field(default_factory=list)
    #: Why there are no stages: the fields are wrong, or the check itself did not come to an end.
    problem: DatanikaError | None = None
    #: The path of a file that came along, or why it was refused.
    uploaded: str = ""
    upload_error: str = ""
    status: int = 200


@takes_files(restrictions.max_upload_bytes)
@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def connection_create_details(request: OrganizationRequest, connector: str) -> HttpResponse:
    """Second step of a new connection: its settings."""
    kind = get_connector(connector)
    restrictions.check_offered(kind)
    return _serve(request, kind, None)


@takes_files(restrictions.max_upload_bytes)
@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT, grantable="connection")
def connection_update(request: OrganizationRequest, slug: str) -> HttpResponse:
    connection = get_or_404(
        Connection.objects.for_organization(request.organization).select_related("organization"),
        slug=slug,
    )
    return _serve(request, connection.type, connection)


def _serve(
    request: OrganizationRequest, connector: Connector, connection: Connection | None
) -> HttpResponse:
    if request.method != "POST":
        chosen = request.GET.get("path", "")
        initial = {"path": chosen} if chosen else None
        form = build_form(connector, connection=connection, initial=initial)
        return _show(request, FormPage(connector, connection, form), partial="path")
    action = request.POST.get("action", "")
    if action == "upload":
        return _upload(request, connector, connection)
    page = _bound(request, connector, connection)
    if action == "check":
        _check(request, page)
        return _show(request, page, partial="checks")
    if not page.upload_error and page.form.is_valid() and (saved := _save(request, page)):
        return redirect("connections:connection-detail", request.organization.slug, saved.slug)
    page.status = 422
    return _show(request, page, partial="")


def _bound(
    request: OrganizationRequest, connector: Connector, connection: Connection | None
) -> FormPage:
    """The form as sent. A file sent along is stored first and becomes the path."""
    data = request.POST.copy()
    path, refused = "", ""
    if "upload" in request.FILES and connector.capabilities.local:
        try:
            path = data["path"] = store_sent(request, "upload")
        except DatanikaError as error:
            refused = str(error)
    form = build_form(connector, data=data, connection=connection)
    return FormPage(connector, connection, form, uploaded=path, upload_error=refused)


def _upload(
    request: OrganizationRequest, connector: Connector, connection: Connection | None
) -> HttpResponse:
    """Store the file and answer the path field with it, so that a check need not send it again."""
    path, refused, status = request.POST.get("path", ""), "", 200
    try:
        path = store_sent(request, "upload")
    except DatanikaError as error:
        refused, status = str(error), 422
    form = build_form(connector, connection=connection, initial={"path": path})
    page = FormPage(connector, connection, form, upload_error=refused, status=status)
    page.uploaded = "" if refused else path
    return _show(request, page, partial="path")


def _check(request: OrganizationRequest, page: FormPage) -> None:
    """Try what is in the form; what comes of it goes into ``page`` and the session."""
    request.session.pop(SESSION_KEY, None)
    if page.upload_error or not page.form.is_valid():
        page.status = 422
        return
    try:
        result = checks.check_unsaved(
            organization=request.organization,
            actor=request.actor,
            connector=page.connector.key,
            values=settings_of(page.form, page.connector),
            use_as=page.form.cleaned_data.get("use_as", ""),
            stored=page.connection,
        )
    except DatanikaError as error:
        page.status = 422
        _add_errors(page.form, error)
        if not isinstance(error, InvalidConfiguration):
            page.problem = error
        return
    page.stages = result.stages
    request.session[SESSION_KEY] = {
        "stages": result.stages,
        "fingerprint": result.fingerprint,
        "at": timezone.now().isoformat(),
    }


def _save(request: OrganizationRequest, page: FormPage) -> Connection | None:
    """The saved connection; None with the errors on the form when it was refused."""
    data = page.form.cleaned_data
    values = settings_of(page.form, page.connector)
    use_as = data.get("use_as", "")
    try:
        if page.connection is None:
            saved = services.create_connection(
                organization=request.organization,
                actor=request.actor,
                name=data["name"],
                connector=page.connector.key,
                values=values,
                use_as=use_as,
            )
        else:
            saved = services.update_connection(
                connection=page.connection,
                actor=request.actor,
                name=data["name"],
                values=values,
                use_as=use_as,
            )
    except DatanikaError as error:
        _add_errors(page.form, error)
        return None
    _adopt(request, saved)
    _report(request, saved)
    return saved


def _adopt(request: OrganizationRequest, saved: Connection) -> None:
    last = request.session.pop(SESSION_KEY, None)
    at = parse_datetime(last["at"]) if last else None
    if at:
        checks.adopt_check(
            connection=saved, stages=last["stages"], fingerprint=last["fingerprint"], at=at
        )


def _report(request: OrganizationRequest, saved: Connection) -> None:
    if saved.check_status == CheckStatus.UNREACHABLE:
        text = _("“%(name)s” is saved, but its last test failed. Runs that use it will fail too.")
        warn(request, text % {"name": saved.name})
        return
    say(request, _("“%(name)s” is saved.") % {"name": saved.name})


def _add_errors(form: ConnectorForm, error: DatanikaError) -> None:
    if isinstance(error, InvalidConfiguration):
        for name, messages in error.errors.items():
            for message in messages:
                form.add_error(name if name in form.fields else None, message)
        return
    form.add_error(error.field if error.field in form.fields else None, str(error))


def _show(request: OrganizationRequest, page: FormPage, *, partial: str) -> HttpResponse:
    files = _files(request, page.connector)
    organization, connection = request.organization.slug, page.connection
    cancel = reverse("connections:connection-list", args=[organization])
    if connection:
        cancel = reverse("connections:connection-detail", args=[organization, connection.slug])
    context = {
        "page": page,
        "form": without_optional_marks(page.form),
        "connector": page.connector,
        "connection": connection,
        "verdict": services.status_of(page.stages) if page.stages else "",
        "dropped": dropped_secrets(page.form) if not wants_partial(request) else [],
        "may_upload": request.actor.can(Permission.EDIT),
        "files": files[:SHOWN_FILES],
        "file_count": len(files),
        "cancel_url": cancel,
        "steps": _steps(organization, page),
    }
    return render_page(request, TEMPLATE, context, partial=partial, status=page.status)


def _steps(organization: str, page: FormPage) -> list[dict[str, Any]]:
    if page.connection:
        return []
    current = "test" if page.stages else "details"
    return steps(current, reverse("connections:connection-create", args=[organization]))


def _files(request: OrganizationRequest, connector: Connector) -> list[dict[str, Any]]:
    if not connector.capabilities.local or not request.actor.can(Permission.EDIT):
        return []
    files = services.list_files(request.organization)
    return sorted(files, key=lambda file: -file["modified"])
