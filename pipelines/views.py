"""The list of pipelines, the pages of one, and what is done with it as a whole."""

import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import render_page, say
from pipelines import services
from pipelines.definition import PipelineDefinition
from pipelines.forms import PipelineForm, YamlForm, put_error
from pipelines.models import Mode, Pipeline, WriteDisposition
from pipelines.selectors import changes_of, definitions_of, drafts_of, list_pipelines, tables_of
from pipelines.views_resources import find_pipeline
from pipelines.wizard import Draft
from pipelines.wording import filter_words, how_words, what_words
from pipelines.yaml import from_yaml, to_yaml
from tenants.models import User

#: Fewer than on other lists: every row has a form and a menu.
PAGE = 30


# --- the list -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListRow:
    pipeline: Pipeline
    what: str
    how: str
    token: str


@require_GET
@requires(Permission.VIEW)
def pipeline_list(request: OrganizationRequest) -> HttpResponse:
    """All pipelines by name, ``?q=`` filters, ``?after=`` and ``?before=`` page."""
    text = request.GET.get("q", "")
    matching = list_pipelines(request.organization, text=text)
    pipelines, previous, following = _page(request, matching)
    definitions = definitions_of(pipelines)
    can_edit = request.actor.can(Permission.EDIT)
    assert isinstance(request.user, User)
    drafts = drafts_of(request.organization, request.user) if can_edit else []
    total = matching.count()
    context = {
        "text": text,
        "rows": [_list_row(one, definitions[one.pk]) for one in pipelines],
        "drafts": [Draft.load(row) for row in drafts],
        "next_url": following,
        "previous_url": previous,
        "footer": ngettext("%(n)d pipeline", "%(n)d pipelines", total) % {"n": total},
        "can_edit": can_edit,
        "can_run": request.actor.can(Permission.RUN),
    }
    return render_page(request, "pipelines/pipeline_list.html", context, partial="results")


def _page(request: OrganizationRequest, matching: Any) -> tuple[list[Pipeline], str, str]:
    """One page of a list sorted by name and key, with the addresses of its neighbours."""
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    rows = matching
    edge = matching.model.all_organizations.filter(
        organization=request.organization, pk__in=[k for k in (before or after,) if k.isdigit()]
    ).first()
    if edge and before:
        rows = rows.filter(Q(name__lt=edge.name) | Q(name=edge.name, pk__lt=edge.pk)).reverse()
    elif edge:
        rows = rows.filter(Q(name__gt=edge.name) | Q(name=edge.name, pk__gt=edge.pk))
    found = list(rows[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    if edge and before:
        found.reverse()
    has_previous, has_next = (more, True) if edge and before else (bool(edge), more)
    return (
        found,
        _query(request, before=found[0].pk) if found and has_previous else "",
        _query(request, after=found[-1].pk) if found and has_next else "",
    )


def _query(request: OrganizationRequest, **changes: int) -> str:
    query = request.GET.copy()
    for name in ("before", "after"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = str(value)
    return f"?{query.urlencode()}"


def _list_row(pipeline: Pipeline, definition: PipelineDefinition) -> ListRow:
    return ListRow(
        pipeline,
        what_words(pipeline.mode, definition.resources, pipeline.source_schema),
        how_words(definition),
        _token(pipeline),
    )


def _token(pipeline: Pipeline) -> str:
    """In every form that starts a run: sent twice, it starts one."""
    return f"{uuid.uuid4().hex}-{pipeline.pk}"


# --- one pipeline ---------------------------------------------------------------------------------


def _context(request: OrganizationRequest, pipeline: Pipeline, tab: str) -> dict[str, Any]:
    """The head, the tabs and the actions that every page of a pipeline has."""
    organization = request.organization.slug
    target = f"pipeline:{pipeline.slug}"
    resources = services.resources_of(pipeline)
    pages = [
        ("detail", _("Overview"), None),
        ("tables", _("Tables") if pipeline.mode != Mode.FILES else _("Files"), len(resources)),
        ("runs", _("Runs"), None),
        ("update", _("Configuration"), None),
        ("changes", _("Changes"), None),
    ]
    if pipeline.mode == Mode.FULL_DATABASE:
        pages[1] = ("tables", _("Tables"), None)
    runs = reverse("orchestration:run-list", args=[organization])
    return {
        "pipeline": pipeline,
        "target": target,
        "token": _token(pipeline),
        "tabs": [
            {
                "label": label,
                "url": reverse(f"pipelines:pipeline-{page}", args=[organization, pipeline.slug]),
                "count": count,
                "current": page == tab,
            }
            for page, label, count in pages
        ],
        "runs_url": f"{runs}?target={target}",
        "can_edit": request.actor.can(Permission.EDIT),
        "can_run": request.actor.can(Permission.RUN),
        "can_see_audit": request.actor.can(Permission.VIEW_AUDIT),
    }


@require_GET
@requires(Permission.VIEW)
def pipeline_detail(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    definition = services.definition_of(pipeline)
    tables = tables_of(pipeline)
    filters = [filter_words(one) for r in definition.resources for one in r.filters]
    context = {
        **_context(request, pipeline, "detail"),
        "what": what_words(pipeline.mode, definition.resources, pipeline.source_schema),
        "how": how_words(definition),
        "tables": tables,
        "filters": filters,
        "loaded_at": max((one.loaded_at for one in tables if one.loaded_at), default=None),
    }
    return render_page(request, "pipelines/pipeline_detail.html", context)


@require_GET
@requires(Permission.VIEW)
def pipeline_tables(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    context = {**_context(request, pipeline, "tables"), "tables": tables_of(pipeline)}
    return render_page(request, "pipelines/pipeline_tables.html", context)


@require_GET
@requires(Permission.VIEW)
def pipeline_runs(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    return render_page(request, "pipelines/pipeline_runs.html", _context(request, pipeline, "runs"))


@require_GET
@requires(Permission.VIEW)
def pipeline_changes(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    context = {**_context(request, pipeline, "changes"), "changes": changes_of(pipeline)}
    return render_page(request, "pipelines/pipeline_changes.html", context)


# --- configuration --------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.VIEW)
def pipeline_update(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Name, description and the default way of writing; viewers see the YAML alone."""
    pipeline = find_pipeline(request, slug)
    definition = services.definition_of(pipeline)
    form = PipelineForm(
        request.POST or None,
        mode=pipeline.mode,
        initial={
            "name": pipeline.name,
            "description": pipeline.description,
            "write_disposition": pipeline.write_disposition,
            "version": pipeline.version,
        },
    )
    if request.method == "POST":
        request.actor.require(Permission.EDIT)
        if form.is_valid():
            values = dict(form.cleaned_data)
            version = values.pop("version")
            default = values.get("write_disposition", pipeline.write_disposition)
            values["write_disposition"] = WriteDisposition(default)
            try:
                services.update_pipeline(
                    pipeline=pipeline,
                    actor=request.actor,
                    definition=replace(definition, **values),
                    expected_version=version,
                )
            except UserError as error:
                put_error(form, error)
            else:
                say(request, _("Configuration saved"))
                return redirect(
                    "pipelines:pipeline-update", request.organization.slug, pipeline.slug
                )
    context = {
        **_context(request, pipeline, "update"),
        "form": form,
        "yaml": _yaml_of(pipeline),
    }
    return render_page(
        request, "pipelines/pipeline_update.html", context, status=422 if form.is_bound else 200
    )


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def pipeline_yaml(request: OrganizationRequest, slug: str) -> HttpResponse:
    """The whole definition as text, to change it in one go."""
    pipeline = find_pipeline(request, slug)
    initial = {"text": _yaml_of(pipeline), "version": pipeline.version}
    form = YamlForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            definition, ends = from_yaml(form.cleaned_data["text"])
            services.check_ends(pipeline, ends)
            services.update_pipeline(
                pipeline=pipeline,
                actor=request.actor,
                definition=definition,
                expected_version=form.cleaned_data["version"],
            )
        except UserError as error:
            form.add_error("text", f"{error} {error.detail}".strip())
        else:
            say(request, _("Configuration saved"))
            return redirect("pipelines:pipeline-update", request.organization.slug, pipeline.slug)
    context = {**_context(request, pipeline, "update"), "form": form}
    return render_page(
        request, "pipelines/pipeline_yaml.html", context, status=422 if form.is_bound else 200
    )


def _yaml_of(pipeline: Pipeline) -> str:
    return to_yaml(
        services.definition_of(pipeline),
        source=pipeline.source.slug,
        destination=pipeline.destination.slug,
    )


# --- actions --------------------------------------------------------------------------------------


@require_POST
@requires(Permission.EDIT)
def pipeline_pause(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    services.set_paused(pipeline=pipeline, actor=request.actor, paused=True)
    say(request, _("%(name)s is paused. Runs started by hand still work.") % {"name": pipeline})
    return _back(request, pipeline)


@require_POST
@requires(Permission.EDIT)
def pipeline_resume(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    services.set_paused(pipeline=pipeline, actor=request.actor, paused=False)
    say(request, _("%(name)s runs by its schedules again.") % {"name": pipeline})
    return _back(request, pipeline)


def _back(request: OrganizationRequest, pipeline: Pipeline) -> HttpResponse:
    """To the list when the button stood there, else to the pipeline."""
    organization = request.organization.slug
    if request.POST.get("from") == "list":
        return redirect("pipelines:pipeline-list", organization)
    return redirect("pipelines:pipeline-detail", organization, pipeline.slug)


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT)
def pipeline_delete(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Asked for on a page of its own too, so that it works without scripts."""
    pipeline = find_pipeline(request, slug)
    if request.method == "GET":
        return render_page(request, "pipelines/pipeline_delete.html", {"pipeline": pipeline})
    services.delete_pipeline(pipeline=pipeline, actor=request.actor)
    say(request, _("Pipeline %(name)s deleted. Its tables stay.") % {"name": pipeline.name})
    return redirect("pipelines:pipeline-list", request.organization.slug)
