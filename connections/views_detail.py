"""One connection: facts, its check, what stands in it, who uses it, and what can be done with it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say, trigger, wants_partial, warn
from common.ui.status import status_of
from connections import runner, selectors, services, usage
from connections.boundaries import check_shown
from connections.errors import ConnectionInUse
from connections.models import CheckStatus, Connection

DETAIL = "connections/connection_detail.html"
CATALOG = "connections/connection_catalog.html"
TABLE = "connections/connection_table.html"
LIST = "connections/connection_list.html"
CONFIRM = "connections/delete_confirm.html"
TABLES_A_PAGE = 50
_ROLE_KEYS = ("q", "schema")


@require_GET
@requires(Permission.VIEW, grantable="connection")
def connection_detail(request: OrganizationRequest, slug: str) -> HttpResponse:
    connection = _get(request, slug)
    sees_audit = request.actor.can(Permission.VIEW_AUDIT)
    context = {
        **_shown(request, connection),
        "settings": _settings(connection),
        "stored_secrets": sorted(key for key, value in connection.secrets.items() if value),
        "uses": usage.uses_for(request.actor, connection),
        "changes": selectors.changes_of(connection) if sees_audit else None,
    }
    return render_page(request, DETAIL, context, partial="check")


@require_POST
@requires(Permission.RUN, grantable="connection")
def connection_check(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Try the saved connection. ``show=row`` answers the cell of the list, else the card of the page."""
    connection = _get(request, slug)
    problem: DatanikaError | None = None
    try:
        services.check_connection(connection=connection, actor=request.actor)
    except DatanikaError as error:
        problem = error
    tone, text = _verdict(connection, problem)
    if not wants_partial(request):
        (say if tone == "ok" else warn)(request, text)
        return redirect("connections:connection-detail", request.organization.slug, slug)
    in_row = request.POST.get("show") == "row"
    context = {**_shown(request, connection), "problem": problem}
    response = render_page(
        request,
        LIST if in_row else DETAIL,
        {**context, "row": {"connection": connection}},
        partial="last_check" if in_row else "check",
    )
    if in_row or problem:
        detail = problem.remedy if problem else ""
        trigger(response, "toast", {"tone": tone, "title": text, "text": detail})
    return response


@require_POST
@requires(Permission.EDIT)
def connection_duplicate(request: OrganizationRequest, slug: str) -> HttpResponse:
    copy = services.duplicate_connection(connection=_get(request, slug), actor=request.actor)
    say(request, _("“%(name)s” is made. Give it a name of its own.") % {"name": copy.name})
    return redirect("connections:connection-update", request.organization.slug, copy.slug)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT, grantable="connection")
def connection_delete(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Asks on GET, the way without script; refused while something uses it."""
    connection = _get(request, slug)
    uses = usage.uses_for(request.actor, connection)
    if request.method == "POST":
        try:
            services.delete_connection(
                connection=connection, actor=request.actor, users=[use.name for use in uses]
            )
        except ConnectionInUse as error:
            return _confirm(request, connection, uses, error)
        say(request, _("“%(name)s” is deleted.") % {"name": connection.name})
        return redirect("connections:connection-list", request.organization.slug)
    return _confirm(request, connection, uses, None)


@require_GET
@requires(Permission.VIEW, grantable="connection")
def connection_catalog(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Its tables or files, 50 at a time, found by ``q`` and ``schema``."""
    connection = _get(request, slug)
    asked = {key: request.GET.get(key, "") for key in (*_ROLE_KEYS, "after")}
    found: dict[str, Any] = {"tables": [], "schemas": [], "next": None}
    problem: DatanikaError | None = None
    try:
        found = runner.discover(
            connection,
            search=asked["q"],
            schema=asked["schema"],
            after=asked["after"],
            limit=TABLES_A_PAGE,
        )
    except DatanikaError as error:
        problem = error
    kept = {key: asked[key] for key in _ROLE_KEYS if asked[key]}
    context = {
        **_shown(request, connection),
        **asked,
        "problem": problem,
        "tables": [_table(table) for table in found["tables"]],
        "schemas": found["schemas"],
        "next_query": urlencode({**kept, "after": found["next"]}) if found["next"] else "",
    }
    # A continued list comes without the head that is in the page already.
    partial = "rows" if asked["after"] else "tables"
    return _answer(request, CATALOG, context, partial, problem)


@require_GET
@requires(Permission.VIEW, grantable="connection")
def connection_table(request: OrganizationRequest, slug: str) -> HttpResponse:
    """The columns of one table."""
    connection = _get(request, slug)
    schema, name = request.GET.get("schema", ""), request.GET.get("table", "")
    problem: DatanikaError | None = None
    table: dict[str, Any] | None = None
    try:
        check_shown(connection, name, request.actor)
        table = runner.describe(connection, schema=schema, table=name)
    except DatanikaError as error:
        problem = error
    title = f"{schema}.{name}" if schema else name
    context = {**_shown(request, connection), "problem": problem, "table": table, "title": title}
    return _answer(request, TABLE, context, "columns", problem)


def _get(request: OrganizationRequest, slug: str) -> Connection:
    rows = Connection.objects.for_organization(request.organization)
    return get_or_404(rows.select_related("organization"), slug=slug)


def _shown(request: OrganizationRequest, connection: Connection) -> dict[str, Any]:
    """What every fragment of a connection needs."""
    return {
        "connection": connection,
        "connector": connection.type,
        "can_edit": request.actor.can(Permission.EDIT, on=connection),
        "can_test": request.actor.can(Permission.RUN, on=connection),
        "builds": request.actor.can(Permission.EDIT),
    }


def _answer(
    request: OrganizationRequest,
    template: str,
    context: dict[str, Any],
    partial: str,
    problem: DatanikaError | None,
) -> HttpResponse:
    # htmx shows what comes with 200; the page without script says what it is.
    status = problem.http_status if problem and not wants_partial(request) else 200
    return render_page(request, template, context, partial=partial, status=status)


def _confirm(
    request: OrganizationRequest,
    connection: Connection,
    uses: list[usage.Use],
    refusal: ConnectionInUse | None,
) -> HttpResponse:
    context = {**_shown(request, connection), "uses": uses, "refusal": refusal}
    return render_page(request, CONFIRM, context, status=refusal.http_status if refusal else 200)


def _verdict(connection: Connection, problem: DatanikaError | None) -> tuple[str, str]:
    """Tone and sentence of the toast after a check."""
    if problem:
        return "bad", problem.message
    word = str(status_of(connection.check_status).word)
    tones = {CheckStatus.HEALTHY.value: "ok", CheckStatus.WARNING.value: "warn"}
    return tones.get(connection.check_status, "bad"), f"{connection.name}: {word}"


def _settings(connection: Connection) -> list[tuple[str, str]]:
    """Label and value of every setting that says something; choices by their words."""
    rows: list[tuple[str, str]] = []
    for name, field in connection.type.form_class.base_fields.items():
        value = connection.config.get(name)
        if value in (None, "", [], False) or name in connection.type.form_class.secret_fields:
            continue
        words = dict(getattr(field, "choices", ()))
        text = words.get(value, value) if isinstance(value, str) else value
        if isinstance(text, list):
            text = ", ".join(map(str, text))
        rows.append((str(field.label or name), _("Yes") if text is True else str(text)))
    return rows


def _table(table: dict[str, Any]) -> dict[str, Any]:
    query = urlencode({"schema": table["schema"], "table": table["name"]})
    return {**table, "query": query}
