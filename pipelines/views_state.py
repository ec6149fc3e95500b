"""The state of a pipeline: its cursors, moving one, and letting one begin anew."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from common.access import OrganizationRequest, Permission, requires
from common.errors import Conflict, UserError
from common.http import render_page, say, wants_partial, warn
from pipelines import services
from pipelines.forms_loads import MoveForm, ResetForm
from pipelines.models import Pipeline
from pipelines.pages import page_context, page_url
from pipelines.state import StateRow, asked_state, check_value, find_row, known_state
from pipelines.views_resources import find_pipeline

CURSOR = "pipelines/pipeline_cursor.html"


@require_GET
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_state(request: OrganizationRequest, slug: str) -> HttpResponse:
    """At once as we know it; with htmx or ``?ask=1`` as the destination has it now."""
    pipeline = find_pipeline(request, slug)
    asks = wants_partial(request) or bool(request.GET.get("ask"))
    rows, problem = known_state(pipeline), None
    if asks and rows:
        try:
            rows = asked_state(pipeline)
        except UserError as error:
            problem = error
    context = {
        **page_context(request, pipeline, "state"),
        "rows": rows,
        "asked": asks,
        "problem": problem,
    }
    return render_page(request, "pipelines/pipeline_state.html", context, partial="state")


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT, grantable="pipeline")
def cursor_move(request: OrganizationRequest, slug: str, position: int) -> HttpResponse:
    """Let the next run begin behind a value of a person's choice."""
    pipeline = find_pipeline(request, slug)
    row = find_row(pipeline, position)
    form = MoveForm(request.POST or None, initial=_initial(row))
    if request.method == "POST" and form.is_valid():
        value = form.cleaned_data["value"]
        try:
            checked = check_value(pipeline, row.resource, value, like=row.value)
            _set(request, pipeline, row, value, form)
        except UserError as error:
            row = _refused(form, error, pipeline, row)
        else:
            words = {"name": row.resource.name, "value": value}
            say(request, _("The next run of %(name)s begins at %(value)s.") % words)
            if not checked:
                warn(request, _("Nobody could say whether the value fits its column."))
            return _done(request, pipeline)
    return _answer(request, pipeline, row, form, "move")


@require_http_methods(["GET", "POST"])
@requires(Permission.EDIT, grantable="pipeline")
def cursor_reset(request: OrganizationRequest, slug: str, position: int) -> HttpResponse:
    """Let the next run begin anew; what is loaded stays."""
    pipeline = find_pipeline(request, slug)
    row = find_row(pipeline, position)
    form = ResetForm(request.POST or None, initial=_initial(row))
    if request.method == "POST" and form.is_valid():
        try:
            _set(request, pipeline, row, None, form)
        except UserError as error:
            row = _refused(form, error, pipeline, row)
        else:
            say(request, _("The next run of %(name)s begins anew.") % {"name": row.resource.name})
            return _done(request, pipeline)
    return _answer(request, pipeline, row, form, "reset")


def _initial(row: StateRow) -> dict[str, str]:
    return {"resource": row.resource.name, "expected": row.expected, "value": row.value or ""}


def _set(
    request: OrganizationRequest,
    pipeline: Pipeline,
    row: StateRow,
    value: str | None,
    form: ResetForm,
) -> None:
    # The place in the address may belong to another table by now.
    if form.cleaned_data["resource"] != row.resource.name:
        raise Conflict(
            _("The tables of this pipeline were changed since you looked."),
            remedy=_("Go back to its state, and choose the table again."),
        )
    services.set_cursor(
        pipeline=pipeline,
        actor=request.actor,
        resource=row.resource.name,
        value=value,
        expected=form.seen,
    )


def _refused(form: ResetForm, error: UserError, pipeline: Pipeline, row: StateRow) -> StateRow:
    """The error in the form; after a conflict, the cursor as it stands now."""
    field = error.field if error.field in form.fields and error.field != "expected" else None
    form.add_error(field, str(error))
    if not isinstance(error, Conflict):
        return row
    found = find_row(pipeline, row.position)
    form.data = {**form.data.dict(), "expected": found.expected}  # type: ignore[attr-defined]
    return found


def _answer(
    request: OrganizationRequest, pipeline: Pipeline, row: StateRow, form: ResetForm, action: str
) -> HttpResponse:
    context = {
        "pipeline": pipeline,
        "row": row,
        "form": form,
        "action": action,
        "state_url": page_url(pipeline, "state"),
        "refresh_url": page_url(pipeline, "refresh"),
        "in_dialog": wants_partial(request),
    }
    status = 422 if form.is_bound else 200
    return render_page(request, CURSOR, context, partial="form", status=status)


def _done(request: OrganizationRequest, pipeline: Pipeline) -> HttpResponse:
    """To the state: out of the dialog too, whose request would follow a redirect by itself."""
    url = page_url(pipeline, "state")
    if not wants_partial(request):
        return redirect(url)
    response = HttpResponse(status=204)
    response["HX-Redirect"] = url
    return response
