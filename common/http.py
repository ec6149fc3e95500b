"""The few HTTP helpers that every view uses."""

import json
from typing import Any, TypeVar

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
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
