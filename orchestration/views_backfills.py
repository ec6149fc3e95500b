"""Backfills: the list, a new one with its preview, one of them, and what can be done to it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.errors import Conflict, UserError
from common.http import get_or_404, render_page, say, wants_partial, warn
from orchestration import links, services
from orchestration.backfill_forms import BackfillForm
from orchestration.backfill_page import (
    FILTERS,
    backfills_of,
    find_backfill,
    page_of_slices,
    progress_of,
    slices_of,
    strip_of,
)
from orchestration.forms import put_error
from orchestration.models import Backfill
from orchestration.services.backfills import Plan
from pipelines.models import Pipeline
from pipelines.selectors import RangedResource, list_pipelines, ranged_resources

#: Slices that the preview shows at each end of a longer list.
SHOWN = 6
MOST_LISTED = 100
#: What the menu marks: backfills have no place of their own in it.
NAV = "pipelines"


def backfill_url(backfill: Backfill) -> str:
    return links.page(backfill.organization, "orchestration:backfill-detail", backfill.number)


@require_GET
@requires(Permission.VIEW, grantable="named pipeline")
def backfill_list(request: OrganizationRequest) -> HttpResponse:
    """The newest; with ``pipeline`` those of one."""
    slug = request.GET.get("pipeline", "")
    pipeline = _pipeline(request, slug) if slug else None
    rows = list(backfills_of(request.organization, pipeline=slug)[:MOST_LISTED])
    context = {
        "nav_key": NAV,
        "backfills": rows,
        "pipeline": pipeline,
        "active": any(one.status == "running" for one in rows),
        "can_run": request.actor.can(Permission.RUN, on=pipeline),
        "most": MOST_LISTED,
    }
    return render_page(request, "orchestration/backfill_list.html", context, partial="results")


@require_http_methods(["GET", "POST"])
@requires(Permission.RUN, grantable="named pipeline")
def backfill_create(request: OrganizationRequest) -> HttpResponse:
    """The range, and the slices it makes, in the query; a POST of the same values starts them."""
    given = request.POST if request.method == "POST" else request.GET
    form, pipeline = _form(request, given.dict())
    plan = _plan(form, pipeline)
    if request.method == "POST" and plan is not None:
        try:
            backfill = services.request_backfill(
                organization=request.organization,
                actor=request.actor,
                pipeline=plan.pipeline,
                resource=plan.resource,
                cursor_from=plan.cursor_from,
                cursor_to=plan.cursor_to,
                slice_size=plan.slice_size,
                estimated_rows=_count(given.get("estimated_rows")),
            )
        except UserError as error:
            put_error(form, error)
        else:
            say(request, _("Backfill #%d has begun.") % backfill.number)
            return redirect(backfill_url(backfill))
    context = {
        **_context(request, form, plan),
        "pipeline": pipeline,
        "has_tables": bool(form.fields["resource"].choices),  # type: ignore[attr-defined]
    }
    if request.GET.get("ask") and plan and not wants_partial(request):
        context |= _estimate(plan) | {"asked": True}
    status = 422 if request.method == "POST" else 200
    return render_page(
        request, "orchestration/backfill_create.html", context, partial="plan", status=status
    )


@require_GET
@requires(Permission.RUN, grantable="named pipeline")
def backfill_estimate(request: OrganizationRequest) -> HttpResponse:
    """The rows of the range in the query, as a part of that page."""
    form, pipeline = _form(request, request.GET.dict())
    plan = _plan(form, pipeline)
    context = _context(request, form, plan) | (_estimate(plan) if plan else {})
    return render_page(request, "orchestration/backfill_estimate.html", context)


@require_GET
@requires(Permission.VIEW, grantable="backfill")
def backfill_detail(request: OrganizationRequest, number: int) -> HttpResponse:
    backfill = find_backfill(request.organization, number)
    wanted = request.GET.get("show", "")
    progress = progress_of(backfill)
    context = {
        "nav_key": NAV,
        "backfill": backfill,
        "progress": progress,
        "strip": strip_of(slices_of(backfill)),
        "page": page_of_slices(backfill, wanted, _count(request.GET.get("from")) or 0),
        "wanted": wanted,
        "segments": _segments(wanted),
        "polled": wants_partial(request),
        "moving": backfill.status == "running" or bool(progress.running),
        "can_run": request.actor.can(Permission.RUN, on=backfill.pipeline),
        "own_url": backfill_url(backfill),
        "pipeline_url": links.pipeline_url(request.organization, backfill.pipeline.slug),
    }
    return render_page(request, "orchestration/backfill_detail.html", context, partial="body")


@require_POST
@requires(Permission.RUN, grantable="backfill")
def backfill_pause(request: OrganizationRequest, number: int) -> HttpResponse:
    return _done(
        request, number, services.pause_backfill, _("No further slice starts until it is resumed.")
    )


@require_POST
@requires(Permission.RUN, grantable="backfill")
def backfill_resume(request: OrganizationRequest, number: int) -> HttpResponse:
    return _done(request, number, services.resume_backfill, _("The backfill goes on."))


@require_POST
@requires(Permission.RUN, grantable="backfill")
def backfill_cancel(request: OrganizationRequest, number: int) -> HttpResponse:
    return _done(request, number, services.cancel_backfill, _("The backfill is cancelled."))


@require_POST
@requires(Permission.RUN, grantable="backfill")
def backfill_retry(request: OrganizationRequest, number: int) -> HttpResponse:
    return _done(
        request, number, services.retry_backfill, _("What did not succeed is loaded again.")
    )


def _done(
    request: OrganizationRequest, number: int, change: Callable[..., Backfill], text: str
) -> HttpResponse:
    """Back to its page; a refusal, such as that it has ended meanwhile, is said there."""
    backfill = find_backfill(request.organization, number)
    try:
        change(backfill=backfill, actor=request.actor)
    except Conflict as refusal:
        warn(request, str(refusal))
    else:
        say(request, text)
    return redirect(backfill_url(backfill))


def _pipeline(request: OrganizationRequest, slug: str) -> Pipeline:
    rows = Pipeline.objects.for_organization(request.organization)
    return get_or_404(rows.select_related("source", "destination", "organization"), slug=slug)


def _form(
    request: OrganizationRequest, given: dict[str, Any]
) -> tuple[BackfillForm, Pipeline | None]:
    slug = str(given.get("pipeline") or "")
    pipeline = _pipeline(request, slug) if slug else None
    tables: list[RangedResource] = ranged_resources(pipeline) if pipeline else []
    offered = [
        one
        for one in list_pipelines(request.organization)
        if request.actor.can(Permission.RUN, on=one)
    ]
    return BackfillForm(given, pipelines=offered, tables=tables), pipeline


def _plan(form: BackfillForm, pipeline: Pipeline | None) -> Plan | None:
    """None while the form is not complete, or with what is wrong about it at its field."""
    if pipeline is None or not form.is_valid() or not form.is_complete:
        return None
    given = {name: value for name, value in form.cleaned_data.items() if name != "pipeline"}
    try:
        return services.plan_backfill(pipeline=pipeline, **given)
    except UserError as error:
        put_error(form, error)
        return None


def _context(request: OrganizationRequest, form: BackfillForm, plan: Plan | None) -> dict[str, Any]:
    slices = plan.slices if plan else []
    numbered = list(enumerate(slices, start=1))
    return {
        "nav_key": NAV,
        "form": form,
        "plan": plan,
        "first": numbered[:SHOWN] if len(numbered) > 2 * SHOWN else numbered,
        "last": numbered[-SHOWN:] if len(numbered) > 2 * SHOWN else [],
        "between": max(len(numbered) - 2 * SHOWN, 0),
        "query": request.GET.urlencode(),
        "own_url": links.page(request.organization, "orchestration:backfill-create"),
        "estimate_url": links.page(request.organization, "orchestration:backfill-estimate"),
    }


def _estimate(plan: Plan) -> dict[str, Any]:
    try:
        found = services.estimate_backfill(plan)
    except UserError as error:
        return {"failure": error}
    many = found.source_rows is not None and len(plan.slices) > 1
    each = round((found.source_rows or 0) / len(plan.slices)) if many else 0
    return {"estimate": found, "rows_each": each}


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 18 else None


def _segments(wanted: str) -> list[dict[str, Any]]:
    words = {
        "": _("All"),
        "failed": _("Failed"),
        "waiting": _("To come"),
        "succeeded": _("Succeeded"),
    }
    return [
        {"label": words[key], "url": f"?show={key}" if key else "?", "current": key == wanted}
        for key in FILTERS
    ]
