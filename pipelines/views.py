"""The pages of one pipeline that ask nobody outside, and what is done with it as a whole."""

from itertools import groupby

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page, say
from pipelines import services
from pipelines.history import history
from pipelines.models import Pipeline
from pipelines.pages import page_context
from pipelines.safety import has_own_rules, safety_of
from pipelines.selectors import changes_of, tables_of
from pipelines.views_resources import find_pipeline
from pipelines.wording import filter_words, how_words, what_words

# --- what is known ---------------------------------------------------------------------------------


@require_GET
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_detail(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    definition = services.definition_of(pipeline)
    tables = tables_of(pipeline)
    filters = [filter_words(one) for r in definition.resources for one in r.filters]
    context = {
        **page_context(request, pipeline, "detail"),
        "running": history().is_running(pipeline),
        "what": what_words(definition),
        "how": how_words(definition),
        "tables": tables,
        "filters": filters,
        "rules": safety_of(definition),
        "own_rules": has_own_rules(definition),
        "loaded_at": max((one.loaded_at for one in tables if one.loaded_at), default=None),
    }
    return render_page(request, "pipelines/pipeline_detail.html", context, partial="tables")


@require_GET
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_tables(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    context = {
        **page_context(request, pipeline, "tables"),
        "running": history().is_running(pipeline),
        "tables": tables_of(pipeline),
        "all_columns": True,
    }
    return render_page(request, "pipelines/pipeline_tables.html", context, partial="tables")


@require_GET
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_runs(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    context = page_context(request, pipeline, "runs")
    return render_page(request, "pipelines/pipeline_runs.html", context)


@require_GET
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_shape(request: OrganizationRequest, slug: str) -> HttpResponse:
    """How its tables changed their columns, run by run."""
    pipeline = find_pipeline(request, slug)
    changes = history().changes(pipeline)
    # The newest first, so those of one run stand together.
    runs = [(run, list(group)) for run, group in groupby(changes, key=lambda one: one.run)]
    context = {**page_context(request, pipeline, "shape"), "runs": runs}
    return render_page(request, "pipelines/pipeline_shape.html", context)


@require_GET
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_changes(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    context = {**page_context(request, pipeline, "changes"), "changes": changes_of(pipeline)}
    return render_page(request, "pipelines/pipeline_changes.html", context)


# --- actions --------------------------------------------------------------------------------------


@require_POST
@requires(Permission.EDIT, grantable="pipeline")
def pipeline_pause(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    services.set_paused(pipeline=pipeline, actor=request.actor, paused=True)
    say(request, _("%(name)s is paused. Runs started by hand still work.") % {"name": pipeline})
    return _back(request, pipeline)


@require_POST
@requires(Permission.EDIT, grantable="pipeline")
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
@requires(Permission.EDIT, grantable="pipeline")
def pipeline_delete(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Asked for on a page of its own too, so that it works without scripts."""
    pipeline = find_pipeline(request, slug)
    if request.method == "GET":
        return render_page(request, "pipelines/pipeline_delete.html", {"pipeline": pipeline})
    services.delete_pipeline(pipeline=pipeline, actor=request.actor)
    say(request, _("Pipeline %(name)s deleted. Its tables stay.") % {"name": pipeline.name})
    return redirect("pipelines:pipeline-list", request.organization.slug)
