"""Every refusal of the API names the field, the cause and what to do: the codes are counted, not guessed."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import validators as django_validators
from django.forms import fields as form_fields
from django.forms import models as form_models
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import exceptions, fields, relations, serializers, validators

from common import remedies
from common.api import _REMEDIES, checked, exception_handler

#: Codes of fields that no form and no serializer of ours may have, so nothing needs to be said of them.
NEVER = frozenset[str]()


def _classes(*modules: Any) -> Iterator[type]:
    for module in modules:
        yield from (kind for _, kind in inspect.getmembers(module, inspect.isclass))


def _views(patterns: list[Any]) -> Iterator[type]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "view_class"):
            yield pattern.callback.view_class


def _our_serializers() -> set[type[serializers.BaseSerializer[Any]]]:
    """Of every module that an API view stands in."""
    modules = {view.__module__ for view in _views(get_resolver().url_patterns)}
    found = _classes(*(importlib.import_module(name) for name in modules))
    return {
        kind
        for kind in found
        if issubclass(kind, serializers.Serializer) and kind.__module__ in modules
    }


def test_every_code_of_every_field_and_validator_has_a_remedy() -> None:
    kinds = _classes(fields, relations, serializers, form_fields, form_models)
    codes = {code for kind in kinds for code in getattr(kind, "default_error_messages", {})}
    checks = _classes(django_validators, validators)
    codes |= {code for kind in checks if isinstance(code := getattr(kind, "code", None), str)}
    assert {"required", "blank", "null", "max_length", "does_not_exist", "not_a_list"} <= codes
    assert codes - remedies.CODES - NEVER == set()


def test_every_field_of_every_serializer_of_ours_is_covered() -> None:
    found = _our_serializers()
    assert len(found) > 30
    for kind in found:
        serializer = kind()
        for field in getattr(serializer, "fields", {}).values():
            codes = {*field.error_messages}
            codes |= {getattr(check, "code", None) or "invalid" for check in field.validators}
            assert codes <= remedies.CODES, (kind, field.field_name, codes - remedies.CODES)


def test_what_is_refused_before_a_view_sees_it_has_a_remedy() -> None:
    kinds = [
        kind
        for kind in _classes(exceptions)
        if issubclass(kind, exceptions.APIException) and kind is not exceptions.ValidationError
    ]
    assert {kind.default_code for kind in kinds} <= {*_REMEDIES}


class _Inner(serializers.Serializer[Any]):
    port = serializers.IntegerField(min_value=1)
    kind = serializers.ChoiceField(["a", "b"])


class _Outer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=5)
    note = serializers.CharField(required=False)
    numbers = serializers.ListField(child=serializers.IntegerField(), required=False)
    inner = _Inner(required=False)
    inners = _Inner(many=True, required=False)
    when = serializers.DateTimeField(required=False)


@pytest.mark.parametrize(
    ("data", "field", "code", "message", "remedy"),
    [
        ({}, "name", "required", "name is missing.", "Give name a value."),
        ({"name": ""}, "name", "blank", "name is empty.", "Give name a text, or leave"),
        ({"name": None}, "name", "null", "name is null.", "Give name a value, or leave"),
        ({"name": "longer"}, "name", "max_length", "no more than 5", "Make it shorter."),
        ({"name": "a", "numbers": 1}, "numbers", "not_a_list", "Expected a list", "Send a list"),
        ({"name": "a", "numbers": [1, "x"]}, "numbers.1", "invalid", "valid integer", "such as 12"),
        ({"name": "a", "when": "soon"}, "when", "invalid", "wrong format", "2026-11-25T02:14:00Z"),
        ({"name": "a", "inner": {"port": 1, "kind": "c"}}, "inner.kind", "invalid_choice",
         "not a valid choice", "Use one of: a, b."),
        ({"name": "a", "inners": [{"port": 0, "kind": "a"}]}, "inners.0.port", "min_value",
         "greater than or equal to 1", "Use a larger number."),
        ([], "", "invalid", "The body is not a JSON object.", "Send the settings by their names."),
    ],
)  # fmt: skip
def test_field_cause_and_remedy(
    data: Any, field: str, code: str, message: str, remedy: str
) -> None:
    with pytest.raises(exceptions.ValidationError) as caught:
        checked(_Outer(data=data))
    response = exception_handler(caught.value, {})
    assert response is not None
    problem = response.data["problems"][0]
    assert (problem["field"], problem["code"]) == (field, code)
    assert message in problem["message"]
    assert remedy in problem["remedy"]
    assert response.data["field"] == field.partition(".")[0]
    assert response.data["title"] == problem["message"]
    assert response.data["detail"] == f"{problem['message']} {problem['remedy']}"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(exceptions.ValidationError) as caught:
        checked(_Outer(data={"when": "soon", "numbers": ["x", "y"]}))
    response = exception_handler(caught.value, {})
    assert response is not None
    told = [problem["field"] for problem in response.data["problems"]]
    assert told == ["name", "numbers.0", "numbers.1", "when"]
    assert all(problem["remedy"] for problem in response.data["problems"])
