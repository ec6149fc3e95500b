"""The rejected rows of a pipeline: reading them, trying them again, throwing them away."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page, say, wants_partial
from pipelines import services
from pipelines.history import history
from pipelines.models import Pipeline
from pipelines.pages import page_context, page_url, run_token
from pipelines.rejected import RejectPage, ask_rejects, resource_names
from pipelines.views_resources import find_pipeline


@require_GET
@requires(Permission.VIEW, grantable="pipeline")
def pipeline_rejects(request: OrganizationRequest, slug: str) -> HttpResponse:
    """At once without its rows; with htmx or ``?ask=1`` with those of ``?table=`` behind ``?after=``."""
    pipeline = find_pipeline(request, slug)
    asks = wants_partial(request) or bool(request.GET.get("ask"))
    table, after = request.GET.get("table", ""), request.GET.get("after", "")
    may_act = request.actor.can(Permission.EDIT, on=pipeline)
    may_look = may_act and request.actor.can(Permission.RUN, on=pipeline.source)
    page = RejectPage(table, after)
    if asks:
        # The rows are as the source has them, columns that are hashed or masked included.
        page = ask_rejects(pipeline, table=table, after=after, with_values=may_look)
    context = {
        **page_context(request, pipeline, "rejects"),
        "asked": asks,
        "page": page,
        "own_url": page_url(pipeline, "rejects"),
        "segments": _segments(page),
        "load_query": request.GET.urlencode(),
        "oob": wants_partial(request),
        "names": resource_names(pipeline) if asks else {},
    }
    return render_page(request, "pipelines/pipeline_rejects.html", context, partial="rows")


def _segments(page: RejectPage) -> list[dict[str, Any]]:
    """A table each; none where there is only one to choose."""
    if len(page.tables) < 2:
        return []
    everything = [("", page.total), *page.tables]
    return [
        {"name": name, "label": name or _("All"), "count": count, "current": name == page.table}
        for name, count in everything
    ]


@require_GET
@requires(Permission.RUN, grantable="pipeline")
def rejects_retry(request: OrganizationRequest, slug: str) -> HttpResponse:
    """What trying again means, and of which tables; the form starts a run."""
    pipeline = find_pipeline(request, slug)
    names = resource_names(pipeline)
    wanted = request.GET.getlist("table")
    if not wanted:
        last = history().tables(pipeline)
        wanted = [target for target, load in last.items() if load.rows_rejected]
        offered = names
    else:
        offered = {target: name for target, name in names.items() if target in wanted}
    context = {
        "pipeline": pipeline,
        "target": f"pipeline:{pipeline.slug}",
        "token": run_token(pipeline),
        "offered": offered,
        # A table without any would fail the run, so only those that had some are ticked.
        "ticked": wanted,
        "rejects_url": page_url(pipeline, "rejects"),
        "in_dialog": wants_partial(request),
    }
    return render_page(request, "pipelines/rejects_retry.html", context, partial="form")


@require_POST
@requires(Permission.EDIT, grantable="pipeline")
def rejects_discard(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Throws the ticked rows away; without ``confirmed`` it asks first, the way without script."""
    pipeline = find_pipeline(request, slug)
    ids = request.POST.getlist("ids")
    if ids and not request.POST.get("confirmed"):
        return _confirm(request, pipeline, ids)
    number = services.discard_rejects(pipeline=pipeline, actor=request.actor, ids=ids)
    words = ngettext("%(n)d row is thrown away", "%(n)d rows are thrown away", number)
    say(request, words % {"n": number})
    return redirect(page_url(pipeline, "rejects"))


def _confirm(request: OrganizationRequest, pipeline: Pipeline, ids: list[str]) -> HttpResponse:
    context = {
        "pipeline": pipeline,
        "ids": ids,
        "rejects_url": page_url(pipeline, "rejects"),
        "discard_url": request.path,
    }
    return render_page(request, "pipelines/rejects_discard.html", context)
