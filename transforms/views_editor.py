"""The editor: writing, trying and saving one transformation."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError, NotFound, UserError
from common.http import render_page, say, wants_partial
from connections.models import Connection, DatasetTable
from transforms import runner, selectors, services
from transforms.changes import difference_of
from transforms.editor import Editor, Problem
from transforms.engine.references import references
from transforms.errors import EditConflict
from transforms.models import BuildStatus, Transformation
from transforms.views import NEVER_BUILT, row_of

TEMPLATE = "transforms/transformation_detail.html"
PAGE = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True)
class Use:
    """Something a transformation reads: ``url`` is empty where it is not known here."""

    kind: str
    name: str
    url: str = ""
    known: bool = True


@PAGE
@requires(Permission.EDIT)
def transformation_create(request: OrganizationRequest) -> HttpResponse:
    """An empty editor, or one that begins with a loaded table (``?warehouse=&dataset=&table=``)."""
    if request.method != "POST":
        return _page(request, Editor(request.organization, None, initial=_draft(request)))
    editor = Editor(request.organization, None, request.POST)
    if request.POST.get("do") == "add-test":
        return _add_test(request, editor)
    try:
        row = _create(request, editor)
    except DatanikaError as error:
        editor.fail(error)
        row = None
    if row is None:
        return _page(request, editor, status=422)
    say(request, _("“%s” is saved.") % row.name)
    return redirect("transforms:transformation-detail", request.organization.slug, row.name)


@PAGE
@requires(Permission.VIEW)
def transformation_detail(request: OrganizationRequest, name: str) -> HttpResponse:
    """The editor; for who may not edit, the same page to read."""
    row = row_of(request, name)
    if request.method != "POST":
        return _page(request, Editor(request.organization, row))
    request.actor.require(Permission.EDIT)
    editor = Editor(request.organization, row, request.POST)
    if request.POST.get("do") == "add-test":
        return _add_test(request, editor)
    return _save(request, editor, row)


@require_POST
@requires(Permission.EDIT)
def transformation_preview(request: OrganizationRequest, name: str) -> HttpResponse:
    row = row_of(request, name)
    return _try(request, Editor(request.organization, row, request.POST), _preview)


@require_POST
@requires(Permission.EDIT)
def transformation_compile(request: OrganizationRequest, name: str) -> HttpResponse:
    row = row_of(request, name)
    return _try(request, Editor(request.organization, row, request.POST), _compile)


@require_POST
@requires(Permission.EDIT)
def draft_preview(request: OrganizationRequest) -> HttpResponse:
    return _try(request, Editor(request.organization, None, request.POST), _preview)


@require_POST
@requires(Permission.EDIT)
def draft_compile(request: OrganizationRequest) -> HttpResponse:
    return _try(request, Editor(request.organization, None, request.POST), _compile)


# Trying ------------------------------------------------------------------------------------------


def _try(
    request: OrganizationRequest, editor: Editor, ask: Callable[[Editor, Connection], None]
) -> HttpResponse:
    """Ask dbt about the unsaved text; the answer, or what is wrong, goes to the result area."""
    status = 200
    try:
        if editor.connection is None:
            raise UserError(
                _("There is no warehouse to try this in."),
                field="connection",
                remedy=_("Add a connection that is used as a destination first."),
            )
        if not editor.sql.strip():
            raise UserError(_("The SQL is empty."), field="sql", remedy=_("Write a select."))
        ask(editor, editor.connection)
    except DatanikaError as error:
        if error.http_status >= 500 and not error.transient:
            raise
        editor.fail(error)
        status = 422
    return _page(request, editor, partial="result", status=status)


def _preview(editor: Editor, connection: Connection) -> None:
    value = runner.preview(connection, name=editor.name, sql=editor.sql)
    editor.result.tab, editor.result.value = "rows", value
    editor.result.compiled_sql = value["compiled_sql"]


def _compile(editor: Editor, connection: Connection) -> None:
    value = runner.compile_sql(connection, name=editor.name, sql=editor.sql)
    editor.result.tab, editor.result.value = "compiled", {"ms": value.get("ms")}
    editor.result.compiled_sql = value["compiled_sql"]


# Saving ------------------------------------------------------------------------------------------


def _create(request: OrganizationRequest, editor: Editor) -> Transformation | None:
    if not editor.is_valid():
        editor.report_errors()
        return None
    slug = editor.form.cleaned_data["connection"]
    connection = next(w for w in editor.warehouses if w.slug == slug)
    return services.create_transformation(
        organization=request.organization,
        actor=request.actor,
        connection=connection,
        definition=editor.definition(),
    )


def _save(request: OrganizationRequest, editor: Editor, row: Transformation) -> HttpResponse:
    """Saved: the page anew, or with htmx the parts that changed, so that the cursor stays."""
    if not editor.is_valid():
        editor.report_errors()
        return _page(request, editor, partial="saved", status=422)
    definition = editor.definition()
    # "Save mine anyway" names the version that was shown as the other one.
    force = request.POST.get("force", "")
    version = int(force) if force.isdigit() else editor.form.cleaned_data["version"]
    try:
        saved = services.update_transformation(
            transformation=row, actor=request.actor, definition=definition, version=version or 0
        )
    except EditConflict:
        return _conflict(request, editor, row.name)
    except DatanikaError as error:
        editor.fail(error)
        return _page(request, editor, partial="saved", status=422)
    url = reverse("transforms:transformation-detail", args=[request.organization.slug, saved.name])
    if not wants_partial(request):
        say(request, _("“%s” is saved.") % saved.name)
        return redirect(url)
    if (saved.name, saved.folder) != (row.name, row.folder):
        say(request, _("“%s” is saved.") % saved.name)
        response = HttpResponse(status=200)
        response["HX-Redirect"] = url
        return response
    return _page(request, Editor(request.organization, saved), partial="saved", saved=True)


def _conflict(request: OrganizationRequest, editor: Editor, name: str) -> HttpResponse:
    current = row_of(request, name)
    theirs = services.snapshot(current)
    definition = editor.definition()
    described = {**theirs["columns"], **(definition.column_descriptions or {})}
    mine = {
        **theirs,
        "name": definition.name,
        "folder": definition.folder,
        "sql": definition.sql,
        "materialization": definition.materialization,
        "schema": definition.schema,
        "description": definition.description,
        "tags": list(definition.tags),
        "config": definition.config,
        "columns": {name: text for name, text in described.items() if text},
        "tests": _in_order(definition.tests if definition.tests is not None else theirs["tests"]),
    }
    theirs = {**theirs, "tests": _in_order(theirs["tests"])}
    editor.result.tab = "conflict"
    editor.result.conflict = difference_of(theirs, mine)
    editor.result.saved_version = current.version
    return _page(request, editor, partial="saved", status=422)


def _in_order(tests: Any) -> list[dict[str, Any]]:
    return sorted(tests, key=lambda test: (test["column"], test["kind"]))


def _add_test(request: OrganizationRequest, editor: Editor) -> HttpResponse:
    """Put the test that was typed in on the list; it is saved with everything else."""
    added = editor.take_new_test()
    if not added and not editor.new_test.is_bound:
        editor.result.tab = "problems"
        editor.result.problems.append(Problem(_("Name the column to test."), where=_("Tests")))
    return _page(request, editor, partial="tests", status=200 if added else 422, panel="tests")


# Showing -----------------------------------------------------------------------------------------


def _page(
    request: OrganizationRequest,
    editor: Editor,
    *,
    partial: str = "",
    status: int = 200,
    saved: bool = False,
    panel: str = "",
) -> HttpResponse:
    """The page in this state, or with htmx the one part of it."""
    row, can_edit = editor.row, request.actor.can(Permission.EDIT)
    if not can_edit:
        editor.lock()
    if not editor.result.tab and row is not None:
        _show_last_build(editor, row)
    context = {
        "row": row,
        "editor": editor,
        "result": editor.result,
        "saved": saved,
        "panel": panel or ("columns" if row else "settings"),
        "can_edit": can_edit,
        "can_run": request.actor.can(Permission.RUN),
        "never_built": NEVER_BUILT,
        "token": uuid.uuid4().hex,
        **_urls(request, row),
    }
    if not partial or not wants_partial(request) or partial == "saved":
        context |= _surroundings(request, editor)
    return render_page(request, TEMPLATE, context, partial=partial, status=status)


def _urls(request: OrganizationRequest, row: Transformation | None) -> dict[str, str]:
    slug = request.organization.slug
    if row is None:
        names, args = ("transformation-create", "draft-preview", "draft-compile"), [slug]
    else:
        names = ("transformation-detail", "transformation-preview", "transformation-compile")
        args = [slug, row.name]
    save, preview, compile_ = (reverse(f"transforms:{name}", args=args) for name in names)
    return {"save_url": save, "preview_url": preview, "compile_url": compile_}


def _show_last_build(editor: Editor, row: Transformation) -> None:
    """Before anything is tried: what the last build made of it."""
    editor.result.compiled_sql = row.compiled_sql
    failures = {BuildStatus.FAILED, BuildStatus.TESTS_FAILED}
    if row.build_status in failures and row.build_message:
        editor.result.problems.append(Problem(row.build_message, where=_("Last build")))


def _surroundings(request: OrganizationRequest, editor: Editor) -> dict[str, Any]:
    """What stands around the SQL: the tree, names for completion, and who uses whom."""
    rows = Transformation.objects.for_organization(request.organization)
    listed = list(rows.defer("sql", "compiled_sql", "description"))
    tree: dict[str, list[Transformation]] = {}
    for other in listed:
        tree.setdefault(other.folder, []).append(other)
    connection = editor.connection
    return {
        "tree": tree.items(),
        "names": [other.name for other in listed],
        "folders": [folder for folder in tree if folder],
        "schema": selectors.completion_of(connection) if connection else {},
        "dialect": connection.connector if connection else "",
        "reads": _reads(request, editor.row) if editor.row else [],
        "readers": selectors.readers_of(editor.row) if editor.row else [],
        "syntax_error": references(editor.row.sql) if editor.row else None,
    }


def _reads(request: OrganizationRequest, row: Transformation) -> list[Use]:
    slug = request.organization.slug
    found = selectors.upstreams_of(row)
    rows = Transformation.objects.for_organization(request.organization)
    known = set(rows.filter(name__in=found.refs).values_list("name", flat=True))
    uses = [
        Use(
            "transformation",
            name,
            reverse("transforms:transformation-detail", args=[slug, name]) if name in known else "",
            name in known,
        )
        for name in sorted(found.refs)
    ]
    tables = {(t.schema, t.name) for t in selectors.dataset_tables(row.connection)}
    sources = reverse("transforms:source-list", args=[slug])
    uses += [
        Use(
            "source",
            f"{dataset}.{table}",
            f"{sources}?q={dataset}.{table}" if (dataset, table) in tables else "",
            (dataset, table) in tables,
        )
        for dataset, table in sorted(found.sources)
    ]
    return uses


def _draft(request: OrganizationRequest) -> dict[str, Any]:
    """What a new transformation begins with."""
    query = request.GET
    chosen = selectors.warehouses(request.organization)
    initial: dict[str, Any] = {
        "folder": query.get("folder", "models"),
        "materialization": "view",
        "connection": query.get("warehouse") or (chosen[0].slug if chosen else ""),
    }
    if not query.get("table"):
        return initial
    rows = DatasetTable.objects.for_organization(request.organization)
    table = rows.filter(
        connection__slug=query.get("warehouse", ""),
        connection__deleted_at__isnull=True,
        schema=query.get("dataset", ""),
        name=query["table"],
    ).first()
    if table is None:
        raise NotFound(_("That table is not known here."), remedy=_("Choose it from the list."))
    draft = selectors.staging_draft(table)
    taken = Transformation.objects.for_organization(request.organization)
    names = set(taken.values_list("name", flat=True))
    return {**initial, "name": _free(draft.name, names), "folder": draft.folder, "sql": draft.sql}


def _free(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name[:60]}_{number}"
    return candidate
