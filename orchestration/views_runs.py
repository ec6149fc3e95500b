"""Runs: the list, one run, starting, cancelling and repeating."""

import json
import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import get_or_404, render_page, say
from common.ui.status import status_of
from orchestration import links, services
from orchestration.errors import InvalidSelection
from orchestration.models import Run
from orchestration.run_page import line_as_json, view_of
from orchestration.run_report import asked_words
from orchestration.selectors import (
    RunFilter,
    last_lines,
    neighbours,
    page_of_runs,
)

#: Log lines in the page; older ones come with ``?lines=all``.
LINES, ALL_LINES = 500, 5_000
COMPACT = 10
STATUSES = ("active", "succeeded", "warning", "failed", "cancelled")


def run_of(request: OrganizationRequest, number: int) -> Run:
    """The run with this number, or 404."""
    rows = Run.objects.for_organization(request.organization)
    return get_or_404(rows.select_related("organization", "schedule", "retry_of"), number=number)


@require_GET
@requires(Permission.VIEW)
def run_list(request: OrganizationRequest) -> HttpResponse:
    """The filter is the query; ``compact=1`` is the short table that other pages include."""
    query = request.GET
    wanted = RunFilter(
        status=query.get("status", ""),
        kind=query.get("kind", ""),
        query=query.get("q", "").strip(),
        period=query.get("period", ""),
        target=query.get("target", ""),
    )
    if query.get("compact"):
        return _compact(request, wanted)
    before, after = _number(query.get("before")), _number(query.get("after"))
    page = page_of_runs(request.organization, wanted, before=before, after=after)
    context: dict[str, Any] = {
        "wanted": wanted,
        "page": page,
        "runs": [*page.active, *page.ended],
        "can_run": request.actor.can(Permission.RUN),
        "statuses": _status_segments(request, wanted.status),
        "kinds": [
            ("", _("All kinds")),
            ("pipeline", _("Pipelines")),
            ("transformation", _("Transformations")),
            ("dag", _("Whole graph")),
        ],
        "periods": [
            ("", _("Any time")),
            ("24h", _("Last 24 h")),
            ("7d", _("Last 7 days")),
            ("30d", _("Last 30 days")),
        ],
        "first_page": before is None and after is None,
        "token": uuid.uuid4().hex,
    }
    return render_page(request, "orchestration/run_list.html", context, partial="results")


def _compact(request: OrganizationRequest, wanted: RunFilter) -> HttpResponse:
    page = page_of_runs(request.organization, wanted, size=COMPACT)
    runs = [*page.active, *page.ended][:COMPACT]
    for run in runs:
        # The page around it knows what it is of, but not what was asked, or that it was part of more.
        own = run.target == wanted.target and not run.select
        run.said = asked_words(run) if own else run.title  # type: ignore[attr-defined]
    context = {
        "runs": runs,
        "page": page,
        "active": bool(page.active),
        "wanted": wanted,
        "url": request.get_full_path(),
    }
    return render_page(request, "orchestration/run_compact.html", context)


def _status_segments(request: OrganizationRequest, current: str) -> list[dict[str, Any]]:
    labels = {"": _("All"), "active": _("Active")}
    segments = []
    for key in ("", *STATUSES):
        query = request.GET.copy()
        for name in ("before", "after", "status"):
            query.pop(name, None)
        if key:
            query["status"] = key
        label = labels.get(key) or (_("Warnings") if key == "warning" else status_of(key).word)
        segments.append({"label": label, "url": f"?{query.urlencode()}", "current": key == current})
    return segments


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and len(text) < 18 else None


@require_POST
@requires(Permission.RUN)
def run_create(request: OrganizationRequest) -> HttpResponse:
    """Start ``target`` (narrowed or widened by ``select``) and go to the run; the same token starts it once.

    What else may be asked of a pipeline: ``full_refresh``, ``tables``, ``cursor_from`` and ``cursor_to``,
    ``replay_rejects``.
    """
    # Boxes ticked in a list send one term each; none of them ticked must not mean everything.
    select = " ".join(request.POST.getlist("select")).strip()
    if request.POST.get("from_list") and not select:
        raise InvalidSelection("Nothing is selected.", remedy="Tick what is to be built.")
    replays = _is_on(request, "replay_rejects")
    if replays and not request.POST.getlist("tables"):
        raise InvalidSelection(
            "No table is selected.", field="tables", remedy="Tick the tables to try again."
        )
    run = services.request_run(
        organization=request.organization,
        actor=request.actor,
        target=request.POST.get("target", ""),
        select=select,
        full_refresh=_is_on(request, "full_refresh"),
        tables=request.POST.getlist("tables"),
        cursor_from=request.POST.get("cursor_from", ""),
        cursor_to=request.POST.get("cursor_to", ""),
        replay_rejects=replays,
        idempotency_key=request.POST.get("token", "")[:80],
    )
    say(request, _("Run #%d is queued.") % run.number)
    return redirect(links.run_url(run))


def _is_on(request: OrganizationRequest, name: str) -> bool:
    return request.POST.get(name) in {"1", "on", "true"}


@require_GET
@requires(Permission.VIEW)
def run_detail(request: OrganizationRequest, number: int) -> HttpResponse:
    """The page, or with htmx the parts that change while it goes on."""
    run = run_of(request, number)
    view = view_of(run)
    everything = request.GET.get("lines") == "all"
    lines = last_lines(run, ALL_LINES if everything else LINES)
    cut = bool(lines) and lines[0].number > 1
    context = {
        "run": run,
        "view": view,
        "can_run": request.actor.can(Permission.RUN),
        "lines": [line_as_json(line) for line in lines],
        "log_done": not run.is_active,
        "earlier_url": "?lines=all#log-h" if cut and not everything else "",
        "target_url": links.key_url(request.organization, run.target) if run.node else "",
        "streams": hasattr(request, "scope"),
        "tab": "run",
    }
    return render_page(request, "orchestration/run_detail.html", context, partial="live")


@require_GET
@requires(Permission.VIEW)
def run_configuration(request: OrganizationRequest, number: int) -> HttpResponse:
    """What was run exactly: the capsule, without secrets."""
    run = run_of(request, number)
    older, newer = neighbours(run)
    context = {
        "run": run,
        "older": older,
        "newer": newer,
        "capsule": json.dumps(run.capsule, indent=2, ensure_ascii=False, sort_keys=True),
        "versions": run.capsule.get("versions", {}),
    }
    return render_page(request, "orchestration/run_configuration.html", context)


@require_POST
@requires(Permission.RUN)
def run_cancel(request: OrganizationRequest, number: int) -> HttpResponse:
    run = services.cancel_run(run=run_of(request, number), actor=request.actor)
    say(request, _("Run #%d is being cancelled.") % run.number)
    return redirect(links.run_url(run))


@require_POST
@requires(Permission.RUN)
def run_retry(request: OrganizationRequest, number: int) -> HttpResponse:
    """Again as a whole, or with ``from_failure`` only what failed and what stands behind it."""
    again = services.retry_run(
        run=run_of(request, number),
        actor=request.actor,
        from_failure=bool(request.POST.get("from_failure")),
    )
    say(request, _("Run #%d is queued.") % again.number)
    return redirect(links.run_url(again))
