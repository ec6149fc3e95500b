"""What every API view shares: errors as RFC 9457 problem details, pages by cursor."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from django.http import Http404
from rest_framework import exceptions, pagination, serializers
from rest_framework.response import Response
from rest_framework.settings import api_settings

from common import remedies
from common.errors import DatanikaError, NotFound, PermissionDenied

PROBLEM = "application/problem+json"
#: What to do about what REST framework refuses before a view sees it.
_REMEDIES = {
    "not_authenticated": "Send an API key or a token in the header Authorization, as Bearer.",
    "authentication_failed": "Check the key or the token; it may have run out or been revoked.",
    "permission_denied": "Ask an admin of the organization for the right.",
    "not_found": "Check the address.",
    "method_not_allowed": "Use one of the methods that the header Allow names.",
    "not_acceptable": "Ask for application/json.",
    "unsupported_media_type": "Send application/json.",
    "parse_error": "Send valid JSON in UTF-8.",
    "throttled": "Wait for as long as the header Retry-After says, then try again.",
    "error": "Try again; if it stays, tell the operator the X-Request-Id of the answer.",
}
_NO_FIELD = api_settings.NON_FIELD_ERRORS_KEY


class KnownKeys(serializers.Serializer[Any]):
    """Refuses keys it does not know: a misspelled option must not become the usual run."""

    def to_internal_value(self, data: Any) -> Any:
        known = list(self.fields)
        if isinstance(data, Mapping) and (unknown := sorted({*map(str, data)} - {*known})):
            text = f"There is no such setting. It has: {', '.join(known)}."
            raise exceptions.ValidationError({unknown[0]: [text]}, code="unknown_key")
        return super().to_internal_value(data)


class CursorPagination(pagination.CursorPagination):
    """Stable under inserts; ``ordering`` is the view's."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = "-pk"

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        """One page; a cursor that somebody has written themselves is not found, whatever it makes of the query."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (TypeError, ValueError, OverflowError, DjangoValidationError, DataError):
            if self.cursor_query_param not in request.query_params:
                raise
            raise exceptions.NotFound(self.invalid_cursor_message) from None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every error as ``{type, title, status, detail, code, field, remedy, errors, problems}``."""
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
        code = _code(error)
        remedy = _REMEDIES.get(code, "")
        response = _problem(error.status_code, code, str(error.detail), "", remedy)
        if header := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = header
        if wait := getattr(error, "wait", None):
            response["Retry-After"] = str(int(wait) + 1)
        return response
    return None


def _code(error: exceptions.APIException) -> str:
    return str(getattr(error, "default_code", "error"))


def checked(serializer: serializers.BaseSerializer[Any]) -> Any:
    """The data of ``serializer``; where they do not fit, the error says what the fields would take."""
    try:
        serializer.is_valid(raise_exception=True)
    except exceptions.ValidationError as error:
        # Only the serializer knows what else could have been sent.
        error.serializer = serializer  # type: ignore[attr-defined]
        raise
    return serializer.validated_data


def _invalid(error: exceptions.ValidationError) -> Response:
    """The first of what is wrong as the problem itself, and all of it as ``problems``."""
    detail = error.detail
    errors = detail if isinstance(detail, dict) else {_NO_FIELD: detail}
    serializer = getattr(error, "serializer", None)
    found = list(_every(errors)) or [([_NO_FIELD], "The request is not valid.")]
    problems = [_told(path, one, _field_at(serializer, path)) for path, one in found]
    first, (path, _detail) = problems[0], found[0]
    field = "" if path[0] == _NO_FIELD else path[0]
    response = _problem(422, "invalid", first["message"], field, first["remedy"])
    response.data["errors"] = errors
    response.data["problems"] = problems
    return response


def _told(path: list[str], detail: Any, field: Any) -> dict[str, str]:
    """``{field, code, message, remedy}`` of one thing that is wrong."""
    names = path[:-1] if path and path[-1] == _NO_FIELD else path
    name, message, code = ".".join(names), str(detail), str(getattr(detail, "code", "invalid"))
    if code == "invalid" and not names and message.startswith("Invalid data."):
        return {
            "field": "",
            "code": code,
            "message": "The body is not a JSON object.",
            "remedy": "Send the settings by their names.",
        }
    # A related field would ask the database for its own.
    known = field.choices if isinstance(field, serializers.ChoiceField) else ()
    choices = [str(choice) for choice in known if choice != ""]
    kinds = [kind.__name__ for kind in type(field).__mro__]
    return {
        "field": name,
        "code": code,
        "message": remedies.cause(code, name, message),
        "remedy": remedies.remedy(code, name, kinds=kinds, choices=choices),
    }


def _field_at(node: Any, path: list[str]) -> Any:
    """The field of the serializer that the path leads to; None where it is not known."""
    for name in path:
        child = getattr(node, "child", None)
        node = child if child is not None else getattr(node, "fields", {}).get(name)
    return node


def _every(detail: Any) -> Iterator[tuple[list[str], Any]]:
    """Each message of an error and the path to it: of ``["numbers", "1"]``, the second of the numbers."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            for path, message in _every(inner):
                yield [str(name), *path], message
    elif isinstance(detail, list):
        for at, inner in enumerate(detail):
            for path, message in _every(inner):
                yield ([str(at), *path] if isinstance(inner, Mapping) else path), message
    else:
        yield [], detail


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
