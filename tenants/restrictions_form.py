"""Form fields of the platform settings that are lists."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget

from tenants import restrictions


class LinesField(forms.CharField):
    """One entry a line; a list."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=AdminTextareaWidget(attrs={"rows": 3}), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class RootsField(LinesField):
    """One path a line; empty is None, a hyphen alone an empty list."""

    def prepare_value(self, value: Any) -> Any:
        return super().prepare_value(value) or "-" if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str] | None:
        lines = super().clean(value)
        if lines == ["-"]:
            return []
        return lines or None


class DomainsField(LinesField):
    """Domains of e-mail addresses, one a line; an @ before one is a way to write it."""

    def clean(self, value: Any) -> list[str]:
        return [line.lower().removeprefix("@") for line in super().clean(value)]


class ConnectorsField(forms.MultipleChoiceField):
    """The types of connection that are offered; all of them is None, so that later ones are offered too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            choices=lambda: list(restrictions.connector_labels().items()),
            widget=forms.CheckboxSelectMultiple,
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        return list(restrictions.connector_labels()) if value is None else value

    def clean(self, value: Any) -> list[str] | None:
        chosen = super().clean(value)
        return None if set(chosen) == set(restrictions.connector_labels()) else chosen

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)
