"""What a row filter is chosen from in a form: operators with their words, columns with their kinds."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.connectors.filters import OFFERED, OPERATORS, Kind
from pipelines.models import FilterOperator

#: What a person chooses as one thing, and the definition writes as an operator and a value.
WHOLE: dict[str, tuple[str, bool]] = {
    "is_true": ("eq", True),
    "is_false": ("eq", False),
    "is_null": ("is_null", True),
    "not_null": ("is_null", False),
}
_LABELS = {
    **dict(FilterOperator.choices),
    "like": _("matches the pattern"),
    "is_true": _("is true"),
    "is_false": _("is false"),
    "is_null": _("has no value"),
    "not_null": _("has a value"),
}
_HINTS = {
    "in": _("Values with commas"),
    "not_in": _("Values with commas"),
    "like": _("% any characters, _ one"),
}


@dataclass(frozen=True)
class Choice:
    """An operator in the form's list, with the kinds of columns it is offered for."""

    value: str
    label: Any
    kinds: str
    hint: Any = ""


@dataclass(frozen=True)
class ColumnChoice:
    """A column in the form's list, with what its operators and values depend on."""

    name: str
    kind: Kind
    example: str
    is_gone: bool = False


def choices() -> list[Choice]:
    """The operators in their order."""
    found: list[Choice] = []
    for op in OPERATORS:
        kinds = " ".join(kind for kind, ops in OFFERED.items() if op in ops)
        if op == FilterOperator.IS_NULL:
            found += [Choice(word, _LABELS[word], Kind.BOOLEAN) for word in ("is_true", "is_false")]
            found += [Choice(word, _LABELS[word], kinds) for word in ("is_null", "not_null")]
        else:
            found.append(Choice(op, _LABELS[op], kinds, _HINTS.get(op, "")))
    return found


def word_of(op: str, value: bool) -> str:
    """The choice that stands for an operator with a truth value; empty for none."""
    return next((word for word, whole in WHOLE.items() if whole == (op, value)), "")
