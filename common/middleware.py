"""Errors as pages: every ``DatanikaError`` becomes one sentence, never a traceback."""

import logging
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from common.errors import DatanikaError

logger = logging.getLogger("datanika.http")

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
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer our own errors; everything else is Django's 500."""
        if not isinstance(error, DatanikaError):
            return None
        if error.http_status >= 500 and not error.transient:
            logger.error("request failed: %s", error.code, exc_info=error)
        return problem_page(request, error)


def problem_page(request: HttpRequest, error: DatanikaError) -> HttpResponse:
    """The error as a page; to htmx as JSON, which ``app.js`` shows as a toast."""
    if getattr(request, "htmx", False):
        return JsonResponse(
            {"code": error.code, "message": error.message, "remedy": error.remedy},
            status=error.http_status,
        )
    context = {
        "code": error.http_status,
        "title": error.message,
        "message": "",
        "remedy": error.remedy,
        "detail": error.detail,
        "request_id": getattr(request, "request_id", ""),
        "back_url": "/",
    }
    return render(request, "errors/problem.html", context, status=error.http_status)
