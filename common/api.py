"""What every API view shares: errors as RFC 9457 problem details, pages by cursor."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from rest_framework import exceptions, pagination, serializers
from rest_framework.response import Response

from common.errors import DatanikaError, NotFound, PermissionDenied

PROBLEM = "application/problem+json"


class KnownKeys(serializers.Serializer[Any]):
    """Refuses keys it does not know: a misspelled option must not become the usual run."""

    def to_internal_value(self, data: Any) -> Any:
        known = list(self.fields)
        if isinstance(data, Mapping) and (unknown := sorted({*map(str, data)} - {*known})):
            raise exceptions.ValidationError(
                {unknown[0]: [f"There is no such setting. It has: {', '.join(known)}."]}
            )
        return super().to_internal_value(data)


class CursorPagination(pagination.CursorPagination):
    """Stable under inserts; ``ordering`` is the view's."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = "-pk"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every error as ``{type, title, status, detail, code, field, remedy, errors}``."""
    if isinstance(error, DatanikaError):
        response = _problem(error.http_status, error.code, error.message, error.field, error.remedy)
        if errors := getattr(error, "errors", None):
            response.data["errors"] = errors
        return response
    if isinstance(error, Http404):
        return exception_handler(NotFound(), context)
    if isinstance(error, DjangoPermissionDenied):
        return exception_handler(PermissionDenied(), context)
    if isinstance(error, exceptions.ValidationError):
        return _invalid(error)
    if isinstance(error, exceptions.APIException):
        response = _problem(error.status_code, _code(error), str(error.detail), "", "")
        if header := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = header
        if wait := getattr(error, "wait", None):
            response["Retry-After"] = str(int(wait) + 1)
        return response
    return None


def _code(error: exceptions.APIException) -> str:
    return str(getattr(error, "default_code", "error"))


def _invalid(error: exceptions.ValidationError) -> Response:
    detail = error.detail
    errors = detail if isinstance(detail, dict) else {"non_field_errors": detail}
    field, messages = next(iter(errors.items()))
    first = messages[0] if isinstance(messages, list) and messages else messages
    response = _problem(422, "invalid", str(first), str(field), "")
    response.data["errors"] = errors
    return response


def _problem(status: int, code: str, message: str, field: str, remedy: str) -> Response:
    data = {
        "type": f"urn:datanika:{code}",
        "title": message,
        "status": status,
        "detail": f"{message} {remedy}".strip(),
        "code": code,
        "field": field,
        "remedy": remedy,
    }
    return Response(data, status=status, content_type=PROBLEM)
