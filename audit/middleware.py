"""Refused permissions of pages end in the log of their organization; the API's own views see to theirs."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.services import record_refusal
from common.errors import PermissionDenied


class RefusalMiddleware:
    """Stands behind ``common.middleware.UserErrorMiddleware``, so that it sees an error before that answers it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        actor = getattr(request, "actor", None)
        if isinstance(error, PermissionDenied) and actor is not None:
            record_refusal(
                organization=request.organization,  # type: ignore[attr-defined]
                actor=actor,
                error=error,
                method=str(request.method),
                path=request.path,
            )
