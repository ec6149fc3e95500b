"""The few HTTP helpers that every view uses."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from common.errors import NotFound

M = TypeVar("M", bound=Model)


def get_or_404(queryset: QuerySet[M], **lookup: Any) -> M:
    """The one row of an already scoped queryset, or ``NotFound`` (404)."""
    try:
        return queryset.get(**lookup)
    except ObjectDoesNotExist:
        name = queryset.model._meta.verbose_name
        raise NotFound(f"There is no such {name} in this organization.") from None


def wants_partial(request: HttpRequest) -> bool:
    """Whether htmx asked for a fragment rather than the page."""
    htmx: Any = getattr(request, "htmx", None)
    if not htmx:
        return False
    return not htmx.boosted and not htmx.history_restore_request


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    partial: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page, or with htmx only its ``partialdef`` named ``partial``: one URL serves both."""
    name = f"{template}#{partial}" if partial and wants_partial(request) else template
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def say(request: HttpRequest, text: str) -> None:
    """A quiet success message, shown as a toast on the next page."""
    messages.success(request, text)


def warn(request: HttpRequest, text: str) -> None:
    """A message that stays until dismissed."""
    messages.error(request, text)


def trigger(response: HttpResponse, event: str, detail: dict[str, Any] | None = None) -> None:
    """Tell the page that something changed ("runs:changed")."""
    response["HX-Trigger"] = json.dumps({event: detail or {}})


def client_ip(request: HttpRequest) -> str:
    """The peer's address; proxies are trusted only through Django's own settings."""
    return str(request.META.get("REMOTE_ADDR", ""))


def download(
    request: HttpRequest, parts: Iterator[str], *, name: str, content_type: str
) -> StreamingHttpResponse:
    """A file of any length, sent as its parts are made."""
    # Under ASGI an ordinary iterator would be read to its end before the first byte is sent.
    body = _one_by_one(parts) if hasattr(request, "scope") else parts
    response = StreamingHttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _one_by_one(parts: Iterator[str]) -> AsyncIterator[str]:
    # In the thread of the request, whose connection to the database is closed with it.
    step = sync_to_async(lambda: next(parts, None), thread_sensitive=True)
    while (part := await step()) is not None:
        yield part
