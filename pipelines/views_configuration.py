"""The configuration of a pipeline, as a form and as text."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import render_page, say
from pipelines import services
from pipelines.choosing import Chooser, tables_of_schema
from pipelines.configuration_form import ConfigurationForm
from pipelines.forms import YamlForm, put_error
from pipelines.holders import PipelineHolder
from pipelines.models import Mode, Pipeline
from pipelines.pages import page_context, page_url
from pipelines.views_resources import find_pipeline
from pipelines.yaml import from_yaml, to_yaml

#: The button, and the typing, that ask which tables the patterns match.
COUNT = "count"


@require_http_methods(["GET", "POST"])
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_update(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Name, description, what is copied, and how; viewers see the YAML alone."""
    pipeline = find_pipeline(request, slug)
    holder = PipelineHolder(pipeline)
    form = ConfigurationForm(request.POST or None, holder=holder)
    counts = request.POST.get("action") == COUNT
    if request.method == "POST":
        request.actor.require(Permission.EDIT, on=pipeline)
        if counts:
            request.actor.require(Permission.RUN, on=pipeline.source)
        if not counts and form.is_valid() and _save(request, holder, form):
            say(request, _("Configuration saved"))
            return redirect(page_url(pipeline, "update"))
    chooser, problem = _matches(pipeline, form) if counts else (None, None)
    if counts:
        # Looking at what matches is no attempt to save, so nothing is called wrong yet.
        form.errors.clear()
    context = {
        **page_context(request, pipeline, "update"),
        "form": form,
        "mode": pipeline.mode,
        "own_tables": len(holder.resources) if pipeline.mode == Mode.FULL_DATABASE else 0,
        "yaml": _yaml_of(pipeline),
        "chooser": chooser,
        "problem": problem,
    }
    return render_page(
        request,
        "pipelines/pipeline_update.html",
        context,
        partial="matches" if counts else "",
        status=422 if form.is_bound and not counts else 200,
    )


def _save(request: OrganizationRequest, holder: PipelineHolder, form: ConfigurationForm) -> bool:
    try:
        holder.change(request.actor, form.values(), version=form.cleaned_data["version"])
    except UserError as error:
        put_error(form, error)
        return False
    return True


def _matches(
    pipeline: Pipeline, form: ConfigurationForm
) -> tuple[Chooser | None, UserError | None]:
    """The tables that the patterns in the form take, or why the source did not say."""
    if "include" not in form.fields:
        return None, None
    try:
        tables, is_cut = tables_of_schema(pipeline.source, pipeline.source_schema)
    except UserError as error:
        return None, error
    return Chooser(tables, form.picking(), is_cut=is_cut), None


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT, grantable="pipeline")
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
            return redirect(page_url(pipeline, "update"))
    context = {**page_context(request, pipeline, "update"), "form": form}
    return render_page(
        request, "pipelines/pipeline_yaml.html", context, status=422 if form.is_bound else 200
    )


def _yaml_of(pipeline: Pipeline) -> str:
    return to_yaml(
        services.definition_of(pipeline),
        source=pipeline.source.slug,
        destination=pipeline.destination.slug,
    )
