"""Loading again what is loaded: everything, one table, or a range of one, with an estimate first."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import render_page, wants_partial
from pipelines import runner
from pipelines.forms_loads import ScopeForm
from pipelines.models import Pipeline
from pipelines.options import InvalidLoadOptions, LoadOptions, check_options
from pipelines.pages import page_context, page_url, run_token
from pipelines.ranges import keeps_versions
from pipelines.rejected import resource_names
from pipelines.state import StateRow, check_value, known_state
from pipelines.views_resources import find_pipeline


@require_GET
@requires(Permission.RUN, grantable="pipeline")
def pipeline_refresh(request: OrganizationRequest, slug: str) -> HttpResponse:
    """The choice and what it means; the form that starts the run stands below what it would do."""
    pipeline = find_pipeline(request, slug)
    form, rows = _form(request, pipeline)
    options, problem = _options(pipeline, form, rows)
    estimates, failure = None, None
    # Without script the page itself has to ask; with it, the estimate comes after the page.
    if request.GET.get("ask") and options and not wants_partial(request):
        estimates, failure = _estimates(pipeline, options)
    context = {
        **page_context(request, pipeline, "refresh"),
        "form": form,
        "own_url": page_url(pipeline, "refresh"),
        "estimate_url": page_url(pipeline, "estimate"),
        "query": request.GET.urlencode(),
        "options": options,
        "problem": problem,
        "row": _ranged(form, rows),
        "estimates": estimates,
        "failure": failure,
        "asked": bool(request.GET.get("ask")),
        "token": run_token(pipeline),
    }
    return render_page(request, "pipelines/pipeline_refresh.html", context, partial="plan")


@require_GET
@requires(Permission.RUN, grantable="pipeline")
def pipeline_estimate(request: OrganizationRequest, slug: str) -> HttpResponse:
    """The rows that the choice in the query would read and replace, as a part of that page."""
    pipeline = find_pipeline(request, slug)
    form, rows = _form(request, pipeline)
    options, _problem = _options(pipeline, form, rows)
    estimates, failure = _estimates(pipeline, options) if options else (None, None)
    context = {"pipeline": pipeline, "estimates": estimates, "failure": failure, "options": options}
    return render_page(request, "pipelines/refresh_estimate.html", context)


def _form(request: OrganizationRequest, pipeline: Pipeline) -> tuple[ScopeForm, list[StateRow]]:
    rows = [row for row in known_state(pipeline) if not keeps_versions(row)]
    tables = list(resource_names(pipeline).values())
    form = ScopeForm(request.GET.dict(), tables=tables, ranged=[row.resource.name for row in rows])
    return form, rows


def _ranged(form: ScopeForm, rows: list[StateRow]) -> StateRow | None:
    wanted = form.data["table"] if form.wants_range else None
    return next((row for row in rows if row.resource.name == wanted), None)


def _options(
    pipeline: Pipeline, form: ScopeForm, rows: list[StateRow]
) -> tuple[LoadOptions | None, UserError | None]:
    """What the run would be asked for; None while the choice is not complete, or with what is wrong about it."""
    if not form.is_valid() or not form.is_complete:
        return None, None
    options = form.options()
    row = _ranged(form, rows)
    try:
        check_options(pipeline, options)
        for field in ("cursor_from", "cursor_to") if row else ():
            assert row is not None
            value = getattr(options, field)
            check_value(pipeline, row.resource, value, like=row.value, field=field)
    except UserError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return None, error
    return options, None


def _estimates(
    pipeline: Pipeline, options: LoadOptions
) -> tuple[list[dict[str, Any]] | None, UserError | None]:
    try:
        found = runner.estimate(pipeline, options)
    except InvalidLoadOptions:
        raise
    except UserError as error:
        return None, error
    wanted = set(options.tables)
    return [one for one in found if not wanted or one["name"] in wanted], None
