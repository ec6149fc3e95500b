"""Refused permissions, of pages and of the API, end in the log of their organization."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.services import record_refusal
from common.errors import PermissionDenied, refusals

_SAFE = ("GET", "HEAD", "OPTIONS")


class RefusalMiddleware:
    """Writes down what was refused to the request's ``actor``, also where the answer is a form with the reason."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen: list[PermissionDenied] = []
        token = refusals.set(seen)
        try:
            response = self.get_response(request)
        finally:
            refusals.reset(token)
        # Of what is only looked at, a part that is left out is no refusal.
        if seen and (request.method not in _SAFE or response.status_code == 403):
            _record(request, seen)
        return response


def _record(request: HttpRequest, seen: list[PermissionDenied]) -> None:
    actor = getattr(request, "actor", None)
    if actor is None:
        return
    # One answer may say the same of many things.
    for error in {(error.permission, error.message): error for error in seen}.values():
        record_refusal(
            organization=request.organization,  # type: ignore[attr-defined]
            actor=actor,
            error=error,
            method=str(request.method),
            path=request.path,
        )
