"""Problems: errors of one cause as one thing, and the runs that had it."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.errors import NotFound
from common.http import render_page
from orchestration.explanations import explain_step
from orchestration.problems import MOST, occurrences, problem_of, problems_of

PERIODS = {"7d": timedelta(days=7), "30d": timedelta(days=30), "all": None}
#: Runs of one problem on a page.
PAGE = 50


@require_GET
@requires(Permission.VIEW)
def problem_list(request: OrganizationRequest) -> HttpResponse:
    """``?p=7d|30d|all``; what is over stands below what still fails."""
    period = request.GET.get("p", "30d")
    period = period if period in PERIODS else "30d"
    length = PERIODS[period]
    since = timezone.now() - length if length else None
    found = problems_of(request.organization, since=since)
    # The order within both halves is that of the query: the newest first.
    problems = sorted(found, key=lambda problem: problem.is_over)
    context: dict[str, Any] = {
        "problems": problems,
        "open": sum(not problem.is_over for problem in problems),
        "is_cut": len(problems) == MOST,
        "period": period,
        "periods": _periods(period),
        "nav_key": "runs",
    }
    return render_page(request, "orchestration/problem_list.html", context, partial="results")


def _periods(current: str) -> list[dict[str, Any]]:
    labels = {"7d": _("7 days"), "30d": _("30 days"), "all": _("Any time")}
    return [
        {"label": label, "url": f"?p={key}", "current": key == current}
        for key, label in labels.items()
    ]


@require_GET
@requires(Permission.VIEW)
def problem_detail(request: OrganizationRequest, fingerprint: str) -> HttpResponse:
    """One problem: what it is, what to do, and its runs (``?before=<id of the last one shown>``)."""
    problem = problem_of(request.organization, fingerprint)
    if problem is None:
        raise NotFound(_("No run of this organization had this problem."))
    before = request.GET.get("before", "")
    number = int(before) if before.isdigit() and len(before) < 18 else None
    rows = occurrences(request.organization, fingerprint, before=number, most=PAGE + 1)
    context = {
        "problem": problem,
        "explained": explain_step(problem.latest),
        "rows": rows[:PAGE],
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "is_first": number is None,
        "nav_key": "runs",
    }
    return render_page(request, "orchestration/problem_detail.html", context, partial="runs")
