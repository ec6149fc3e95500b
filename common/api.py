"""What every API view shares: errors as RFC 9457 problem details, pages by cursor."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from rest_framework import exceptions, pagination, serializers
from rest_framework.response import Response
from rest_framework.settings import api_settings

from common.errors import DatanikaError, NotFound, PermissionDenied

PROBLEM = "application/problem+json"
_NO_FIELD = api_settings.NON_FIELD_ERRORS_KEY


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


def checked(serializer: serializers.BaseSerializer[Any]) -> Any:
    """The data of ``serializer``; where they do not fit, the error says which choices a field has."""
    try:
        serializer.is_valid(raise_exception=True)
    except exceptions.ValidationError as error:
        # Only the serializer knows what else could have been chosen.
        error.choices = _choices_of(serializer)  # type: ignore[attr-defined]
        raise
    return serializer.validated_data


def _choices_of(serializer: serializers.BaseSerializer[Any]) -> dict[str, list[str]]:
    return {
        name: [str(choice) for choice in field.choices if choice != ""]
        for name, field in getattr(serializer, "fields", {}).items()
        if isinstance(field, serializers.ChoiceField)
    }


def _invalid(error: exceptions.ValidationError) -> Response:
    detail = error.detail
    errors = detail if isinstance(detail, dict) else {_NO_FIELD: detail}
    path, first = _first(errors)
    field = "" if path[0] == _NO_FIELD else path[0]
    message, remedy = str(first), ""
    code = getattr(first, "code", "")
    if code == "invalid_choice" and (choices := getattr(error, "choices", {}).get(".".join(path))):
        remedy = f"Use one of: {', '.join(choices)}."
    elif code == "invalid" and path == [_NO_FIELD] and message.startswith("Invalid data."):
        message, remedy = "The body is not a JSON object.", "Send the settings by their names."
    response = _problem(422, "invalid", message, field, remedy)
    response.data["errors"] = errors
    return response


def _first(detail: Any) -> tuple[list[str], Any]:
    """The first message of an error and the path to it: of ``["numbers", "1"]``, the second of the numbers."""
    if isinstance(detail, Mapping) and detail:
        name, inner = next(iter(detail.items()))
        path, first = _first(inner)
        return [str(name), *path], first
    if isinstance(detail, list) and detail:
        # A list of forms has an empty error for each that is right.
        at = next((at for at, inner in enumerate(detail) if inner), 0)
        path, first = _first(detail[at])
        return ([str(at), *path] if isinstance(detail[at], Mapping) else path), first
    return [], detail


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
