"""The log of a run: by polling everywhere, by server-sent events where the server can hold streams open."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from orchestration.models import Run, RunLogLine
from orchestration.run_page import line_as_json
from orchestration.selectors import lines_after
from orchestration.views_runs import run_of
from tenants.models import Membership

#: Lines in one answer; a page that lags asks again.
CHUNK = 1_000
LOOK_SECONDS, KEEP_ALIVE_SECONDS, RIGHTS_SECONDS, LONGEST_SECONDS = 0.5, 10, 30, 300


def _answer(run: Run, after: int) -> dict[str, Any]:
    """The next lines. ``done`` only once the run has ended and nothing is left to read."""
    # Read the state first: lines written between the two reads are then asked for again.
    run.refresh_from_db(fields=["status", "has_warnings", "last_line"])
    lines = lines_after(run, after, CHUNK)
    return {
        "lines": [line_as_json(line) for line in lines],
        "next": lines[-1].number if lines else after,
        "state": run.shown_status,
        "done": not run.is_active and len(lines) < CHUNK,
    }


def _after(request: OrganizationRequest) -> int:
    text = request.headers.get("Last-Event-ID") or request.GET.get("after", "0")
    return int(text) if text.isdigit() and len(text) < 10 else 0


@require_GET
@requires(Permission.VIEW)
def run_log(request: OrganizationRequest, number: int) -> HttpResponse:
    """``{"lines", "next", "state", "done"}`` behind line ``?after=``."""
    response = JsonResponse(_answer(run_of(request, number), _after(request)))
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@requires(Permission.VIEW)
def run_log_download(request: OrganizationRequest, number: int) -> HttpResponseBase:
    """The whole log as a text file."""
    run = run_of(request, number)
    response = StreamingHttpResponse(_text(run), content_type="text/plain; charset=utf-8")
    name = f"{request.organization.slug}-run-{run.number}.log"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _text(run: Run) -> Iterator[str]:
    rows = RunLogLine.objects.for_organization(run.organization).filter(run=run)
    for line in rows.order_by("number").iterator(chunk_size=CHUNK):
        at = line.at.isoformat(timespec="milliseconds")
        yield f"{at} {line.level.upper():5} [{line.scope}] {line.text}\n"


@require_GET
@requires(Permission.VIEW)
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
    events = _events(run, _after(request), request.membership, zone)
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    # Compression would hold lines back until its buffer is full.
    response["Content-Encoding"] = "identity"
    return response


async def _events(
    run: Run, after: int, membership: Membership | None, zone: str
) -> AsyncIterator[str]:
    # A shared pool of threads: a stream must not hold a database connection of its own.
    look = sync_to_async(_look, thread_sensitive=False)
    allowed = sync_to_async(_still_member, thread_sensitive=False)
    started = spoken = checked = time.monotonic()
    yield ": hello\n\n"
    while time.monotonic() - started < LONGEST_SECONDS:
        now = time.monotonic()
        if now - checked > RIGHTS_SECONDS:
            checked = now
            if not await allowed(membership):
                return
        answer = await look(run, after, zone)
        for line in answer["lines"]:
            yield f"id: {line['n']}\nevent: line\ndata: {json.dumps(line)}\n\n"
        after = answer["next"]
        if answer["done"]:
            yield f"event: end\ndata: {json.dumps({'state': answer['state']})}\n\n"
            return
        if answer["lines"]:
            spoken = now
        elif now - spoken > KEEP_ALIVE_SECONDS:
            spoken = now
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_SECONDS)


def _look(run: Run, after: int, zone: str) -> dict[str, Any]:
    with timezone.override(zone):
        return _answer(run, after)


def _still_member(membership: Membership | None) -> bool:
    return membership is not None and Membership.all_organizations.filter(pk=membership.pk).exists()
