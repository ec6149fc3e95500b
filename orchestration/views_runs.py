"""Runs: one run, starting, cancelling and repeating."""

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page, say
from orchestration import links, services
from orchestration.capsules import capsule_of, with_cursors
from orchestration.errors import InvalidSelection
from orchestration.grants import may_run
from orchestration.log_lines import LEVELS, LineFilter, last_lines, lines_around, lines_before
from orchestration.models import Run
from orchestration.run_changes import changes_since, connections_since, last_success
from orchestration.run_page import line_as_json, view_of
from orchestration.selectors import neighbours, run_numbered

#: Log lines in the page as it comes; ``log.js`` loads others where they are looked at.
LINES = 500


def run_of(request: OrganizationRequest, number: int) -> Run:
    """The run with this number, 404, or 410 when it is not kept any more."""
    return run_numbered(request.organization, number)


@require_POST
@requires(Permission.RUN, grantable="target")
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
@requires(Permission.VIEW, grantable="run")
def run_detail(request: OrganizationRequest, number: int) -> HttpResponse:
    """The page, or with htmx the parts that change while it goes on. ``?line=`` shows the log around that line,
    ``?before=`` older lines; ``?level=`` and ``?q=`` narrow it.
    """
    run = run_of(request, number)
    shown = _shown_lines(request, run)
    context = {
        "run": run,
        "view": view_of(run),
        "can_run": may_run(request.actor, run),
        "log_done": not run.is_active,
        "target_url": links.key_url(request.organization, run.target) if run.node else "",
        "streams": hasattr(request, "scope"),
        "tab": "run",
        **shown,
    }
    return render_page(request, "orchestration/run_detail.html", context, partial="live")


def _shown_lines(request: OrganizationRequest, run: Run) -> dict[str, Any]:
    """The lines that the page comes with, and where its links to others lead."""
    level, text = request.GET.get("level", ""), request.GET.get("q", "").strip()[:200]
    wanted = LineFilter(level if level in LEVELS else "", text)
    line, before = _line_number(request, "line"), _line_number(request, "before")
    if line:
        found = lines_around(run, line, LINES)
    elif before:
        found = lines_before(run, before, LINES, wanted)
    else:
        found = last_lines(run, LINES, wanted)
    begins = found.edge <= 1
    query = (
        {"before": found.edge} | ({"level": level} if level else {}) | ({"q": text} if text else {})
    )
    return {
        "lines": [line_as_json(one) for one in found.lines],
        "log_filter": wanted,
        "log_line": line,
        # A page in the middle of a log follows nothing.
        "log_middle": bool(line or before),
        "earlier_url": "" if begins else f"?{urlencode(query)}#log-h",
        "newest_url": f"{request.path}#log-h" if line or before else "",
        "log_first": found.edge,
    }


def _line_number(request: OrganizationRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


@require_GET
@requires(Permission.VIEW)
def run_configuration(request: OrganizationRequest, number: int) -> HttpResponse:
    """What was run exactly, without secrets, and what is different from the last success or from ``?against=``.

    It has settings of connections and names of what the run waited for, so a guest does not see it.
    """
    run = run_of(request, number)
    against = _line_number(request, "against")
    other = run_of(request, against) if against else last_success(run)
    older, newer = neighbours(run)
    capsule = with_cursors(run, capsule_of(run))
    context = {
        "run": run,
        "older": older,
        "newer": newer,
        "comparison": changes_since(run, other),
        "connections_since": connections_since(run),
        "capsule": json.dumps(capsule, indent=2, ensure_ascii=False, sort_keys=True),
        "versions": run.capsule.get("versions", {}),
        "can_repeat": may_run(request.actor, run)
        and not run.is_active
        and bool(run.capsule.get("nodes")),
    }
    return render_page(request, "orchestration/run_configuration.html", context)


@require_POST
@requires(Permission.RUN, grantable="run")
def run_cancel(request: OrganizationRequest, number: int) -> HttpResponse:
    run = services.cancel_run(run=run_of(request, number), actor=request.actor)
    say(request, _("Run #%d is being cancelled.") % run.number)
    return redirect(links.run_url(run))


@require_POST
@requires(Permission.RUN, grantable="run")
def run_retry(request: OrganizationRequest, number: int) -> HttpResponse:
    """Again as a whole; with ``from_failure`` only what failed and what follows, with ``as_it_was`` as it was then."""
    again = services.retry_run(
        run=run_of(request, number),
        actor=request.actor,
        from_failure=bool(request.POST.get("from_failure")),
        as_it_was=bool(request.POST.get("as_it_was")),
    )
    say(request, _("Run #%d is queued.") % again.number)
    return redirect(links.run_url(again))
