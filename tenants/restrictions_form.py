"""A list of directories as lines of text."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget


class RootsField(forms.CharField):
    """One path a line; empty is None, a hyphen alone an empty list."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=AdminTextareaWidget(attrs={"rows": 3}), **options)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return "\n".join(value) or "-"
        return value

    def clean(self, value: Any) -> list[str] | None:
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        if lines == ["-"]:
            return []
        return lines or None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)
