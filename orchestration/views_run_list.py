"""Runs: the list with its filter, the short table and the strip that other pages include, many at once."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page, say, warn
from common.ui.formats import format_duration
from common.ui.status import status_of
from orchestration import links, services
from orchestration.activity import tell_waits
from orchestration.grants import runnable_by_grant, visible
from orchestration.models import Run, Trigger
from orchestration.run_filters import MOST_COUNTED, WINDOW, RunFilter, RunPage, page_of_runs
from orchestration.run_report import asked_words
from orchestration.services.bulk import BulkOutcome

COMPACT, STRIP = 10, 30
STATUSES = ("active", "succeeded", "warning", "failed", "cancelled")
#: Reasons why something was not done that a message quotes.
QUOTED = 3


def filter_of(query: QueryDict) -> RunFilter:
    """The filter that an address holds; what it does not understand narrows nothing."""
    trigger = query.get("trigger", "")
    return RunFilter(
        status=query.get("status", ""),
        kind=query.get("kind", ""),
        query=query.get("q", "").strip(),
        period=query.get("period", ""),
        since=_moment(query.get("since", "")),
        until=_moment(query.get("until", "")),
        target=query.get("target", "").strip(),
        person=query.get("person", "").strip(),
        trigger=trigger if trigger in Trigger.values else "",
        tag=query.get("tag", "").strip(),
    )


def _moment(text: str) -> datetime | None:
    """``2026-11-25``, with a time of day where there is one; in the organization's zone unless it names another."""
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    except ValueError:
        return None
    if found is None:
        return None
    return found if timezone.is_aware(found) else timezone.make_aware(found)


@require_GET
@requires(Permission.VIEW, grantable="target")
def run_list(request: OrganizationRequest) -> HttpResponse:
    """The filter is the query; ``compact=1`` is the short table and ``strip=1`` the row of marks of other pages."""
    query = request.GET
    wanted = filter_of(query)
    if query.get("compact"):
        return _compact(request, wanted)
    if query.get("strip"):
        return _strip(request, wanted)
    request.actor.require(Permission.VIEW)
    before, after = _number(query.get("before")), _number(query.get("after"))
    page = page_of_runs(request.organization, wanted, before=before, after=after)
    runs = [*page.active, *page.ended]
    tell_waits(request.organization, page.active)
    runnable = runnable_by_grant(request.actor, runs)
    context: dict[str, Any] = {
        "wanted": wanted,
        "page": page,
        "runs": runs,
        "footer": _footer(page, len(runs), first=before is None and after is None),
        "window": WINDOW,
        "can_run": request.actor.can(Permission.RUN),
        "can_act": request.actor.can(Permission.RUN) or bool(runnable),
        "runnable": runnable,
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
        "triggers": [("", _("Any start")), *Trigger.choices],
        "more_set": any(
            (wanted.target, wanted.person, wanted.trigger, wanted.tag, wanted.since, wanted.until)
        ),
        "since": _field(wanted.since),
        "until": _field(wanted.until),
        "first_page": before is None and after is None,
        "here": query.urlencode(),
        "token": uuid.uuid4().hex,
    }
    return render_page(request, "orchestration/run_list.html", context, partial="results")


def _field(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M}" if moment else ""


def _footer(page: RunPage, shown: int, *, first: bool) -> str:
    if page.total is None:
        return ngettext("%(n)d run", "%(n)d runs", shown) % {"n": shown}
    if page.total > MOST_COUNTED:
        return _("%(n)d of more than %(most)s runs") % {"n": shown, "most": f"{MOST_COUNTED:,}"}
    total = {"n": shown, "total": f"{page.total:,}"}
    return ngettext("%(n)d of %(total)s run", "%(n)d of %(total)s runs", page.total) % total


def _compact(request: OrganizationRequest, wanted: RunFilter) -> HttpResponse:
    page = page_of_runs(request.organization, wanted, size=COMPACT, counts=False)
    everything = visible(request.actor, [*page.active, *page.ended])
    runs = everything[:COMPACT]
    for run in runs:
        # The page around it knows what it is of, but not what was asked, or that it was part of more.
        own = run.target == wanted.target and not run.select
        run.said = asked_words(run) if own else run.title  # type: ignore[attr-defined]
    context = {
        "runs": runs,
        "more": len(everything) > len(runs) or page.before is not None,
        "active": bool(page.active),
        "wanted": wanted,
        "url": request.get_full_path(),
    }
    return render_page(request, "orchestration/run_compact.html", context)


def _strip(request: OrganizationRequest, wanted: RunFilter) -> HttpResponse:
    """The last runs as marks that lead to them, the oldest first: height is duration, colour is how it ended."""
    page = page_of_runs(request.organization, wanted, size=STRIP, counts=False)
    runs = visible(request.actor, [*page.active, *page.ended])[:STRIP][::-1]
    longest = max((run.took.total_seconds() for run in runs if run.took), default=0.0) or 1.0
    context = {
        "marks": [_mark(request, run, longest) for run in runs],
        "active": bool(page.active),
        "wanted": wanted,
        "url": request.get_full_path(),
    }
    return render_page(request, "orchestration/run_strip.html", context)


def _mark(request: OrganizationRequest, run: Run, longest: float) -> dict[str, Any]:
    shown = status_of(run.shown_status)
    # What went wrong is seen however soon it ended.
    least = 10 if shown.tone in {"bad", "warn"} else 4
    height = max(least, round(24 * run.took.total_seconds() / longest)) if run.took else least
    return {
        "url": links.page(request.organization, "orchestration:run-detail", run.number),
        "tone": "none" if shown.tone == "idle" else shown.tone,
        "height": height,
        "y": 26 - height,
        "label": f"#{run.number}, {shown.word}, {format_duration(run.took)}",
        "number": run.number,
    }


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
    return int(text) if text and text.isdecimal() and len(text) < 18 else None


@require_POST
@requires(Permission.RUN)
def run_bulk(request: OrganizationRequest) -> HttpResponse:
    """``do`` (cancel, retry or retry_failed) to the runs ``numbers``, then back to the list as it was."""
    given = request.POST.getlist("numbers")
    numbers = [number for text in given if (number := _number(text)) is not None]
    who: dict[str, Any] = {"organization": request.organization, "actor": request.actor}
    if request.POST.get("do") == "cancel":
        outcome = services.cancel_runs(numbers=numbers, **who)
        _tell(request, outcome, _cancelled_words)
    else:
        from_failure = request.POST.get("do") == "retry_failed"
        outcome = services.retry_runs(numbers=numbers, from_failure=from_failure, **who)
        _tell(request, outcome, _queued_words)
    url = links.page(request.organization, "orchestration:run-list")
    here = QueryDict(request.POST.get("here", "")).urlencode()
    return redirect(f"{url}?{here}" if here else url)


def _cancelled_words(n: int) -> str:
    return ngettext("%(n)d run is being cancelled.", "%(n)d runs are being cancelled.", n) % {
        "n": n
    }


def _queued_words(n: int) -> str:
    return ngettext("%(n)d run is queued.", "%(n)d runs are queued.", n) % {"n": n}


def _tell(request: OrganizationRequest, outcome: BulkOutcome, words: Callable[[int], str]) -> None:
    if outcome.done:
        say(request, words(len(outcome.done)))
    if not outcome.refused:
        return
    reasons = [f"#{number}: {why}" for number, why in outcome.refused.items()]
    count = len(reasons)
    text = ngettext("%(n)d was left as it is.", "%(n)d were left as they are.", count)
    more = " …" if count > QUOTED else ""
    warn(request, f"{text % {'n': count}} {' '.join(reasons[:QUOTED])}{more}")
