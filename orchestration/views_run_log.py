"""The log of a run: by polling everywhere, by server-sent events where the server can hold streams open."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from audit.services import record_export
from common.access import OrganizationRequest, Permission, requires
from common.http import download
from orchestration.grants import may_view
from orchestration.log_lines import (
    LEVELS,
    LineFilter,
    every_batch,
    last_lines,
    lines_after,
    lines_around,
    lines_before,
)
from orchestration.models import Run, RunLogLine
from orchestration.run_page import line_as_json
from orchestration.views_runs import run_of
from tenants.actors import Actor
from tenants.models import Membership

#: Lines in one answer; a page that lags asks again.
CHUNK = 1_000
#: Lines on one screen and around it: what a page asks for when it goes back, or to a line.
SCREEN = 500
#: A stream that is further behind goes on with the newest lines: the page loads the others where they are looked at.
FAR_BEHIND = 5_000
LOOK_SECONDS, KEEP_ALIVE_SECONDS, RIGHTS_SECONDS, LONGEST_SECONDS = 0.5, 10, 30, 300


def _answer(run: Run, after: int, wanted: LineFilter) -> dict[str, Any]:
    """The next lines. ``done`` only once the run has ended and nothing is left to read."""
    # Read the state first: lines written between the two reads are then asked for again.
    run.refresh_from_db(fields=["status", "has_warnings", "last_line"])
    found = lines_after(run, after, CHUNK, wanted)
    return {
        "lines": [line_as_json(line) for line in found.lines],
        "next": found.edge,
        "state": run.shown_status,
        "done": not run.is_active and found.is_end,
        "end": found.is_end,
    }


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 else None


def _after(request: OrganizationRequest) -> int:
    return _number(request.headers.get("Last-Event-ID") or request.GET.get("after")) or 0


def filter_of(request: OrganizationRequest) -> LineFilter:
    """``?level=warn|error&q=text``."""
    level = request.GET.get("level", "")
    return LineFilter(level if level in LEVELS else "", request.GET.get("q", "").strip()[:200])


@require_GET
@requires(Permission.VIEW, grantable="run")
def run_log(request: OrganizationRequest, number: int) -> HttpResponse:
    """``{"lines", "next", "state", "done"}`` behind line ``?after=``, narrowed by ``?level=`` and ``?q=``.

    With ``?before=`` the last lines before one (0: the end), with ``?around=`` those on both sides; ``first`` is
    then where to go on backwards, and ``begin`` says that nothing stands before.
    """
    run, wanted = run_of(request, number), filter_of(request)
    before, around = _number(request.GET.get("before")), _number(request.GET.get("around"))
    if before is None and around is None:
        answer = _answer(run, _after(request), wanted)
    else:
        answer = _backwards(run, before, around, wanted)
    response = JsonResponse(answer)
    response["Cache-Control"] = "no-store"
    return response


def _backwards(
    run: Run, before: int | None, around: int | None, wanted: LineFilter
) -> dict[str, Any]:
    if around is not None:
        found = lines_around(run, around, SCREEN)
    elif before:
        found = lines_before(run, before, SCREEN, wanted)
    else:
        found = last_lines(run, SCREEN, wanted)
    lines = found.lines
    return {
        # What is written from now on stands behind this.
        "newest": run.last_line,
        "lines": [line_as_json(line) for line in lines],
        "first": found.edge,
        "begin": found.edge <= 1,
        "next": lines[-1].number if lines else 0,
        "state": run.shown_status,
        "end": found.is_end if around is not None else False,
    }


@require_GET
@requires(Permission.VIEW, grantable="run")
def run_log_download(request: OrganizationRequest, number: int) -> HttpResponseBase:
    """The whole log as a text file, read and sent some thousand lines at a time."""
    run = run_of(request, number)
    record_export(organization=request.organization, actor=request.actor, target=run, what="log")
    name = f"{request.organization.slug}-run-{run.number}.log"
    return download(request, _text(run), name=name, content_type="text/plain; charset=utf-8")


def _text(run: Run) -> Iterator[str]:
    for lines in every_batch(run):
        yield _as_text(lines)


def _as_text(lines: Iterable[RunLogLine]) -> str:
    return "".join(
        f"{line.at.isoformat(timespec='milliseconds')} {line.level.upper():5} [{line.scope}]"
        f" {line.text}\n"
        for line in lines
    )


@require_GET
@requires(Permission.VIEW, grantable="run")
def run_stream(request: OrganizationRequest, number: int) -> HttpResponseBase:
    """The same lines as server-sent events; 501 where a stream would hold a thread of the server."""
    run = run_of(request, number)
    if not hasattr(request, "scope"):
        return HttpResponse(
            "This server cannot stream; ask the log's own address.",
            status=501,
            content_type="text/plain",
        )
    zone = timezone.get_current_timezone_name()
    events = _events(run, _after(request), filter_of(request), request.membership, zone)
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    # Compression would hold lines back until its buffer is full.
    response["Content-Encoding"] = "identity"
    return response


async def _events(
    run: Run, after: int, wanted: LineFilter, membership: Membership | None, zone: str
) -> AsyncIterator[str]:
    # A shared pool of threads: a stream must not hold a database connection of its own.
    look = sync_to_async(_look, thread_sensitive=False)
    allowed = sync_to_async(_still_allowed, thread_sensitive=False)
    started = spoken = checked = time.monotonic()
    yield ": hello\n\n"
    while time.monotonic() - started < LONGEST_SECONDS:
        now = time.monotonic()
        if now - checked > RIGHTS_SECONDS:
            checked = now
            if not await allowed(membership, run):
                return
        answer = await look(run, after, wanted, zone)
        after = answer["next"]
        if answer["lines"]:
            spoken = now
            # One event for all of them: a page draws once for each.
            said = {"lines": answer["lines"], "skipped": answer["skipped"]}
            yield f"id: {after}\nevent: lines\ndata: {json.dumps(said)}\n\n"
        if answer["done"]:
            yield f"event: end\ndata: {json.dumps({'state': answer['state']})}\n\n"
            return
        if now - spoken > KEEP_ALIVE_SECONDS:
            spoken = now
            yield f"id: {after}\n: still here\n\n"
        if answer["end"]:
            await asyncio.sleep(LOOK_SECONDS)


def _look(run: Run, after: int, wanted: LineFilter, zone: str) -> dict[str, Any]:
    with timezone.override(zone):
        answer = _answer(run, after, wanted)
        answer["skipped"] = run.last_line - after > FAR_BEHIND and not wanted.is_set
        if answer["skipped"]:
            newest = last_lines(run, SCREEN).lines
            answer["lines"] = [line_as_json(line) for line in newest]
            answer["next"] = newest[-1].number if newest else after
            answer["end"] = True
            answer["done"] = not run.is_active
        return answer


def _still_allowed(membership: Membership | None, run: Run) -> bool:
    """Whether the person still belongs here, and a guest still sees this run."""
    rows = Membership.all_organizations.select_related("user")
    found = rows.filter(pk=membership.pk).first() if membership else None
    return found is not None and may_view(Actor.member(found), run)
