"""How each table is read and written: the same pages for the wizard's draft and for a pipeline."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import get_or_404, render_page, say, wants_partial
from connections import runner
from connections.connectors.filters import check_types
from connections.models import Connection
from connections.services import list_files
from pipelines.definition.query import checked_query
from pipelines.filter_form import FilterForm
from pipelines.filter_preview import FilterCount, Preview, count_rows, preview_rows
from pipelines.holders import DraftHolder, Holder, PipelineHolder
from pipelines.models import Mode, Pipeline, PipelineDraft
from pipelines.resource_form import ResourceForm, initial_of
from pipelines.wizard import Draft
from tenants.models import User

TABLES_A_PAGE = 50
#: Actions that show rows, which is for those who may use the source.
ASKS_SOURCE = ("preview", "count-filters")


# --- the tables of a source -----------------------------------------------------------------------


@dataclass
class Catalogue:
    """A page of what a source holds, or why it could not be asked."""

    search: str = ""
    schema: str = ""
    tables: list[dict[str, Any]] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    next: str = ""
    error: UserError | None = None


def catalogue_of(
    request: OrganizationRequest, source: Connection, *, schema: str = ""
) -> Catalogue:
    """As ``?q=``, ``?schema=`` and ``?after=`` ask for it; ``schema`` fixes the schema."""
    found = Catalogue(request.GET.get("q", ""), schema or request.GET.get("schema", ""))
    try:
        page = runner.discover(
            source,
            search=found.search,
            schema=found.schema,
            after=request.GET.get("after", ""),
            limit=TABLES_A_PAGE,
        )
    except UserError as error:
        found.error = error
        return found
    found.tables = [{**one, "value": key_of(one["schema"], one["name"])} for one in page["tables"]]
    if len(page["schemas"]) == 1:
        found.schema = page["schemas"][0]
    found.schemas, found.next = list(page["schemas"]), page["next"] or ""
    return found


def key_of(schema: str, name: str) -> str:
    """Of a table, for a button's value: any character may stand in a name."""
    return json.dumps([schema, name], ensure_ascii=False)


def read_key(text: str) -> tuple[str, str]:
    """The reverse; ``UserError`` for what no button of ours sent."""
    try:
        schema, name = json.loads(text)
    except (ValueError, TypeError):
        raise UserError("Choose a table of the list.", field="table") from None
    return str(schema), str(name)


def known_files(catalogue: Catalogue, source: Connection) -> list[dict[str, Any]]:
    """What the connection matches, then the other uploaded files."""
    seen = {one["name"] for one in catalogue.tables}
    uploads = [one for one in list_files(source.organization) if one["path"] not in seen]
    return [
        *({"name": one["name"], "kind": one["kind"]} for one in catalogue.tables),
        *({"name": one["path"], "kind": "upload", "size": one["size"]} for one in uploads),
    ]


# --- one table ------------------------------------------------------------------------------------


def edit_resource(
    request: OrganizationRequest, holder: Holder, position: int, *, done: str, say_saved: bool
) -> HttpResponse:
    """The form of one table: shown, previewed, its filter rows added and removed, and saved."""
    resource = holder.resource(position)
    action = request.POST.get("action", "").partition(":")[0]
    if action in ASKS_SOURCE or _asks_otherwise(request, resource):
        request.actor.require(Permission.RUN, on=holder.source)
    if action == "count-filters" and wants_partial(request):
        return _count(request, holder, resource)
    described, problem = _described(request, holder, position)
    submitted = request.method == "POST" and action in {"", "save"}
    columns = described["columns"] if described else None
    if request.method == "POST":
        filters = FilterForm.read(request.POST, columns)
    else:
        filters = FilterForm.of(resource.get("filters", []), columns)
    form = ResourceForm(
        request.POST if request.method == "POST" else None,
        columns=columns,
        filters=filters,
        defaults=holder.inherited,
        dispositions=holder.dispositions,
        may_leave_out=holder.mode == Mode.FULL_DATABASE,
        is_query=holder.mode == Mode.QUERY,
        initial=initial_of(resource, described) | {"version": holder.version},
    )
    wrong_query = problem if problem and problem.field == "query" else None
    if submitted and not wrong_query and _save(request, holder, position, form):
        if say_saved:
            say(request, _("%(name)s saved") % {"name": resource["name"]})
        return redirect(done)
    shown, counted = _looked_at(request, holder, resource, form, action, wrong_query)
    if not submitted:
        # Adding a filter row is no attempt to save, so nothing is called wrong yet.
        form.errors.clear()
    if wrong_query:
        form.put_error(wrong_query)
    context = {
        **holder.context(),
        "may_look": request.actor.can(Permission.RUN, on=holder.source),
        "form": form,
        "holder": holder,
        "resource": resource,
        "position": position,
        "described": described,
        "problem": None if wrong_query else problem,
        "list_url": holder.url("list"),
        "action_url": request.path,
        "preview": shown,
        "filter_count": counted,
    }
    template = "pipelines/resource_form.html"
    partial = "preview" if action == "preview" else "filters" if "filter" in action else ""
    if partial:
        return render_page(request, template, context, partial=partial)
    return render_page(request, template, context, status=422 if submitted else 200)


def _described(
    request: OrganizationRequest, holder: Holder, position: int
) -> tuple[dict[str, Any] | None, UserError | None]:
    """What the source says of the table; of a query as it stands in the form, saved or not."""
    resource = holder.resource(position)
    if holder.mode != Mode.QUERY:
        return holder.describe(resource["name"])
    try:
        query = checked_query(request.POST.get("query", resource["query"]), where="query")
    except UserError as error:
        return None, error
    holder.resources[position] = {**resource, "query": query}
    return holder.describe(resource["name"], query)


def _save(request: OrganizationRequest, holder: Holder, position: int, form: ResourceForm) -> bool:
    if not form.is_valid():
        return False
    try:
        settings = form.resource(holder.resource(position))
        if form.source_columns is not None:
            kind = holder.source.connector
            check_types(settings["filters"], form.source_columns, kind, "resource.filters")
        holder.put(request.actor, position, settings, form.cleaned_data.get("version"))
    except UserError as error:
        form.put_error(error)
        return False
    return True


def _count(request: OrganizationRequest, holder: Holder, resource: dict[str, Any]) -> HttpResponse:
    """Only the count, without asking for the columns again: somebody is typing."""
    filters = FilterForm.read(request.POST, None)
    counted = count_rows(holder, resource["name"], filters, query=_query(request, resource))
    context = {"filters": filters, "filter_count": counted, "out_of_band": True}
    return render_page(request, "pipelines/_filter_count.html", context)


def _asks_otherwise(request: OrganizationRequest, resource: dict[str, Any]) -> bool:
    """Whether another statement stands in the form; browsers end their lines in another way."""
    return _query(request, resource).split() != str(resource.get("query", "")).split()


def _query(request: OrganizationRequest, resource: dict[str, Any]) -> str:
    """The statement as it stands in the form; empty where a table is read."""
    stored: str = resource.get("query", "")
    return request.POST.get("query", stored) if stored else ""


def _looked_at(
    request: OrganizationRequest,
    holder: Holder,
    resource: dict[str, Any],
    form: ResourceForm,
    action: str,
    wrong_query: UserError | None,
) -> tuple[Preview | None, FilterCount | None]:
    """The rows and counts that a button asked for."""
    name, query = resource["name"], _query(request, resource)
    if wrong_query:
        return (Preview(error=wrong_query) if action == "preview" else None), None
    if action == "preview":
        form.is_valid()
        return preview_rows(holder, name, form.filters, form.chosen_columns(), query=query)
    if action == "count-filters":
        return None, count_rows(holder, name, form.filters, query=query)
    return None, None


def add_resource(request: OrganizationRequest, holder: Holder) -> HttpResponse:
    """Choose a table of a whole database that is to have settings of its own."""
    request.actor.require(Permission.RUN, on=holder.source)
    if request.method == "POST":
        _schema, name = read_key(request.POST.get("table", ""))
        return redirect(holder.url("edit", holder.add(request.actor, name)))
    context = {
        **holder.context(),
        "holder": holder,
        "catalogue": catalogue_of(request, holder.source, schema=holder.schema),
        "fixed_schema": True,
        "list_url": holder.url("list"),
        "has_own": {one["name"] for one in holder.resources},
    }
    return render_page(request, "pipelines/resource_add.html", context, partial="tables")


# --- of a draft -----------------------------------------------------------------------------------


def find_draft(request: OrganizationRequest, draft: int) -> Draft:
    """A wizard of the person's own; 404 for anybody else's."""
    rows = PipelineDraft.objects.for_organization(request.organization)
    assert isinstance(request.user, User)
    return Draft.load(get_or_404(rows.filter(created_by=request.user), pk=draft))


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def draft_resource(request: OrganizationRequest, draft: int, position: int) -> HttpResponse:
    holder = DraftHolder(find_draft(request, draft))
    return edit_resource(request, holder, position, done=holder.url("list"), say_saved=False)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def draft_resource_add(request: OrganizationRequest, draft: int) -> HttpResponse:
    return add_resource(request, DraftHolder(find_draft(request, draft)))


@require_POST
@requires(Permission.EDIT)
def draft_resource_remove(request: OrganizationRequest, draft: int, position: int) -> HttpResponse:
    holder = DraftHolder(find_draft(request, draft))
    holder.remove(request.actor, position)
    return redirect(holder.url("list"))


# --- of a pipeline --------------------------------------------------------------------------------


def find_pipeline(request: OrganizationRequest, slug: str) -> Pipeline:
    rows = Pipeline.objects.for_organization(request.organization)
    return get_or_404(rows.select_related("source", "destination"), slug=slug)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT, grantable="pipeline")
def resource_update(request: OrganizationRequest, slug: str, position: int) -> HttpResponse:
    holder = PipelineHolder(find_pipeline(request, slug))
    return edit_resource(request, holder, position, done=holder.url("list"), say_saved=True)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT, grantable="pipeline")
def resource_add(request: OrganizationRequest, slug: str) -> HttpResponse:
    return add_resource(request, PipelineHolder(find_pipeline(request, slug)))


@require_POST
@requires(Permission.EDIT, grantable="pipeline")
def resource_remove(request: OrganizationRequest, slug: str, position: int) -> HttpResponse:
    holder = PipelineHolder(find_pipeline(request, slug))
    name = holder.remove(request.actor, position)
    say(request, _("%(name)s has no settings of its own any more") % {"name": name})
    return redirect(holder.url("list"))
