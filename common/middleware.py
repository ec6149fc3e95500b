"""Errors as pages: every ``DatanikaError`` becomes one sentence, never a traceback."""

import json
import logging
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from common.errors import DatanikaError, UserError

logger = logging.getLogger("datanika.http")

_NUL = "Take %00 out of it."

Handler = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """A short id in every response and error page, so that a person can quote it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4().hex[:12]  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


class UserErrorMiddleware:
    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # PostgreSQL has no text with it; forms and JSON are refused it where they are read, filters and paths come as
        # they are.
        if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path_info:
            return problem_page(
                request, UserError("The address holds a NUL character.", remedy=_NUL)
            )
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer our own errors; everything else is Django's 500."""
        if not isinstance(error, DatanikaError):
            return None
        if error.http_status >= 500 and not error.transient:
            logger.error("request failed: %s", error.code, exc_info=error)
        return problem_page(request, error)


def problem_json(error: DatanikaError) -> JsonResponse:
    """The error as RFC 9457 has it, for what is refused before the API itself is asked."""
    data = {
        "type": f"urn:datanika:{error.code}",
        "title": error.message,
        "status": error.http_status,
        "detail": str(error),
        "code": error.code,
        "field": error.field,
        "remedy": error.remedy,
    }
    return JsonResponse(data, status=error.http_status, content_type="application/problem+json")


def problem_page(request: HttpRequest, error: DatanikaError) -> HttpResponse:
    """The error as a page; to htmx as a toast, and the fragment on the page stays as it was; to the API as JSON."""
    if request.path_info.startswith("/api/"):
        return problem_json(error)
    if getattr(request, "htmx", False):
        toast = {"tone": "bad", "title": error.message, "text": error.remedy}
        # htmx swaps a 422 in, as it is a form with its errors; this is not one.
        status = 400 if error.http_status == 422 else error.http_status
        response = HttpResponse(status=status)
        response["HX-Trigger"] = json.dumps({"toast": toast})
        return response
    context = {
        "code": error.http_status,
        "title": error.message,
        "message": "",
        "remedy": error.remedy,
        "detail": error.detail,
        "request_id": getattr(request, "request_id", ""),
        "back_url": getattr(error, "back_url", "") or "/",
    }
    return render(request, "errors/problem.html", context, status=error.http_status)
