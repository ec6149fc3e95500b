"""The step of the wizard where people say what to copy: a table, tables, everything, files, or queries."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import render_page, wants_partial
from connections.models import Connection
from pipelines import services
from pipelines.choosing import Chooser, Picking, schemas_of, tables_of_schema
from pipelines.draft_pages import draft_page
from pipelines.forms import FilesForm
from pipelines.models import Mode
from pipelines.query_form import QueryForm
from pipelines.services import modes_of
from pipelines.views_resources import (
    Catalogue,
    catalogue_of,
    find_draft,
    known_files,
    read_key,
)
from pipelines.wizard import CHOSEN, Draft, choose_resources

_WAYS = {
    str(Mode.SINGLE_TABLE): gettext_lazy("One table"),
    CHOSEN: gettext_lazy("Chosen tables"),
    str(Mode.FULL_DATABASE): gettext_lazy("Whole database"),
    str(Mode.QUERY): gettext_lazy("SQL query"),
}
#: Buttons that move through the pages of the list.
_MOVES = {"next": 1, "previous": -1}


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def draft_what(request: OrganizationRequest, draft: int) -> HttpResponse:
    found = find_draft(request, draft)
    source = found.source
    if source is None:
        return redirect(found.url("source"))
    if source.type.capabilities.files:
        return _files(request, found, source)
    asked = request.POST if request.method == "POST" else request.GET
    way = asked.get("mode", "")
    offered = _offered(source)
    if way not in offered:
        way = found.way if request.method == "GET" else str(Mode.SINGLE_TABLE)
    if way == CHOSEN:
        return _chosen_tables(request, found, source)
    if way == Mode.QUERY:
        return _queries(request, found, source)
    if request.method == "POST":
        return _take_tables(request, found, whole=way == Mode.FULL_DATABASE)
    context = {
        "catalogue": _catalogue(request, found, source),
        "chosen": found.resources[0]["name"] if len(found.resources) == 1 else "",
    }
    return _page(request, found, source, way, context, partial="tables")


def _offered(source: Connection) -> list[str]:
    """The ways this source can be copied."""
    modes = {str(mode) for mode in modes_of(source)}
    return [way for way in _WAYS if way in modes or way == CHOSEN]


def _page(
    request: OrganizationRequest,
    draft: Draft,
    source: Connection,
    way: str,
    context: dict[str, Any],
    *,
    template: str = "what",
    partial: str = "",
    status: int = 200,
) -> HttpResponse:
    segments = [
        {"label": _WAYS[one], "url": f"?{urlencode({'mode': one})}", "current": one == way}
        for one in _offered(source)
    ]
    context = {"mode": way, "segments": segments, **context}
    return draft_page(
        request, draft, "what", context, template=template, partial=partial, status=status
    )


def _catalogue(request: OrganizationRequest, draft: Draft, source: Connection) -> Catalogue:
    """The schema chosen before is shown first, until another is asked for."""
    known = "" if "schema" in request.GET else draft.schema
    return catalogue_of(request, source, schema=known)


def _take_tables(request: OrganizationRequest, draft: Draft, *, whole: bool) -> HttpResponse:
    if whole:
        schema, names, mode = request.POST.get("schema", ""), [], Mode.FULL_DATABASE
    else:
        schema, name = read_key(request.POST.get("table", ""))
        names, mode = [name], Mode.SINGLE_TABLE
    return _keep(request, draft, choose_resources(draft, mode=mode, schema=schema, names=names))


def _keep(request: OrganizationRequest, draft: Draft, changes: dict[str, Any]) -> HttpResponse:
    """The choice is made; on to the next step."""
    services.save_draft(draft=draft.row, actor=request.actor, changes=changes)
    return redirect(draft.url("how"))


# --- files ----------------------------------------------------------------------------------------


def _files(request: OrganizationRequest, draft: Draft, source: Connection) -> HttpResponse:
    catalogue = catalogue_of(request, source)
    files = known_files(catalogue, source)
    chosen = [one["name"] for one in draft.resources]
    offered = [one["name"] for one in files]
    form = FilesForm(
        request.POST or None,
        choices=offered,
        initial={
            "chosen": [name for name in chosen if name in offered],
            "patterns": "\n".join(name for name in chosen if name not in offered),
        },
    )
    if request.method == "POST" and form.is_valid():
        names = form.names()
        return _keep(
            request, draft, choose_resources(draft, mode=Mode.FILES, schema="", names=names)
        )
    ticked = set(request.POST.getlist("chosen") if request.method == "POST" else chosen)
    for one in files:
        one["ticked"] = one["name"] in ticked
    context = {
        "form": form,
        "files": files,
        "has_sizes": any(one.get("size") for one in files),
        "catalogue": catalogue,
        "mode": Mode.FILES,
    }
    return draft_page(request, draft, "what", context, status=422 if form.is_bound else 200)


# --- chosen tables --------------------------------------------------------------------------------


def _chosen_tables(request: OrganizationRequest, draft: Draft, source: Connection) -> HttpResponse:
    """Every button saves what is ticked and typed, so that pages and searches lose nothing."""
    asked = request.POST if request.method == "POST" else request.GET
    action = request.POST.get("action", "")
    refresh = action == "refresh"
    try:
        schemas = schemas_of(source, refresh=refresh)
        schema = _schema(schemas, asked.get("schema", "") or draft.schema)
        tables, is_cut = tables_of_schema(source, schema, refresh=refresh)
    except UserError as error:
        return _page(request, draft, source, CHOSEN, {"problem": error}, template="choose")
    shown_schema = request.POST.get("shown-schema", schema)
    picking = draft.picking(shown_schema)
    if request.method == "POST":
        _read(request, picking)
    page = asked.get("page", "1")
    chooser = Chooser(
        tables,
        picking if shown_schema == schema else draft.picking(schema),
        asked.get("q", "").strip(),
        int(page) if page.isdigit() else 1,
        is_cut,
    )
    status, error_text = 200, ""
    if request.method == "POST":
        _act(chooser, action)
        changes = {"picking": {**draft.data.get("picking", {}), shown_schema: picking.as_data()}}
        services.save_draft(draft=draft.row, actor=request.actor, changes=changes)
        if action == "continue" and not (error_text := _unfit(chooser)):
            return _keep(
                request,
                draft,
                choose_resources(
                    draft,
                    mode=Mode.FULL_DATABASE,
                    schema=schema,
                    names=[],
                    include=picking.as_include(),
                    exclude=picking.exclude,
                ),
            )
        status = 422 if error_text else 200
        if not error_text and not wants_partial(request):
            place = {"q": chooser.search, "page": str(chooser.page)}
            query = urlencode({"mode": CHOSEN, "schema": schema, **place})
            return redirect(f"{draft.url('what')}?{query}")
    if action == "tick":
        shown = {"chooser": chooser, "with_count": True}
        return render_page(request, "pipelines/_picked.html", shown)
    context = {
        "chooser": chooser,
        "schemas": schemas,
        "schema": schema,
        "error_text": error_text,
        "newline": "\n",
        "out_of_band": wants_partial(request),
        "adds_pattern": action == "matching-all",
    }
    return _page(
        request, draft, source, CHOSEN, context, template="choose", partial="tables", status=status
    )


def _schema(schemas: list[str], wanted: str) -> str:
    if wanted in schemas or not schemas:
        return wanted if wanted in schemas else ""
    return "public" if "public" in schemas else schemas[0]


def _read(request: OrganizationRequest, picking: Picking) -> None:
    """The boxes and the patterns as they stand in the form."""
    picking.tick(request.POST.getlist("shown"), request.POST.getlist("chosen"))
    for name in ("include", "exclude"):
        lines = [line.strip() for line in request.POST.get(name, "").splitlines()]
        setattr(picking, name, list(dict.fromkeys(filter(None, lines))))


def _act(chooser: Chooser, action: str) -> None:
    """What the buttons of the list do."""
    picking = chooser.picking
    page = [row.name for row in chooser.rows]
    if action in _MOVES:
        chooser.page = chooser.number + _MOVES[action]
    elif action == "page-all":
        picking.tick(page, page)
    elif action == "page-none":
        picking.tick(page, [])
    elif action == "matching-all":
        picking.take_matching(chooser.search, chooser.matching_names)
    elif action == "matching-none":
        picking.clear_matching(chooser.matching_names)
    chooser.__dict__.pop("rows", None)


def _unfit(chooser: Chooser) -> str:
    if chooser.picking.is_empty:
        return _("Tick a table, or write a pattern.")
    if not chooser.taken:
        return _("No table matches. Tick a table, or change the patterns.")
    return ""


# --- queries --------------------------------------------------------------------------------------


def _queries(request: OrganizationRequest, draft: Draft, source: Connection) -> HttpResponse:
    if request.method == "GET":
        form = QueryForm.of(draft.queries)
        return _page(request, draft, source, str(Mode.QUERY), {"form": form}, template="queries")
    form = QueryForm.read(request.POST)
    action, _colon, number = request.POST.get("action", "continue").partition(":")
    changes: dict[str, Any] = {"queries": form.queries()}
    services.save_draft(draft=draft.row, actor=request.actor, changes=changes)
    status = 200
    if action == "continue":
        if form.is_valid():
            return _keep(
                request,
                draft,
                choose_resources(
                    draft, mode=Mode.QUERY, schema="", names=[], queries=form.queries()
                ),
            )
        status = 422
    elif action == "check" and number.isdigit() and int(number) < len(form.rows):
        form.check(int(number), source)
    context = {"form": form}
    return _page(
        request,
        draft,
        source,
        str(Mode.QUERY),
        context,
        template="queries",
        partial="queries",
        status=status,
    )
