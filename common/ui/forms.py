"""How every form looks: one renderer, and the few widgets Django does not have.

``FORM_RENDERER`` names it. Pages write ``{{ form }}`` or ``{{ form.host.as_field_group }}``; no
form sets CSS classes by hand, and those of other packages get them too.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.utils.functional import Promise

#: Widget template → class, for the templates Django renders its own widgets with.
_CLASSES = {
    "django/forms/widgets/textarea.html": "input",
    "django/forms/widgets/select.html": "input",
    "django/forms/widgets/checkbox.html": "",
    "django/forms/widgets/radio.html": "",
    "django/forms/widgets/checkbox_select.html": "",
    "django/forms/widgets/hidden.html": "",
    "django/forms/widgets/multiple_hidden.html": "",
    "django/forms/widgets/file.html": "input input-file",
    "django/forms/widgets/clearable_file_input.html": "input input-file",
}


class Renderer(TemplatesSetting):
    """Renders forms with ``templates/components`` and gives each widget its class by its kind."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"

    def render(
        self,
        template_name: str,
        context: dict[str, Any],
        request: HttpRequest | None = None,
    ) -> str:
        widget = context.get("widget")
        if isinstance(widget, dict) and template_name.startswith("django/forms/widgets/"):
            context = {**context, "widget": _with_class(template_name, widget)}
        return super().render(template_name, context, request)


def _with_class(template_name: str, widget: dict[str, Any]) -> dict[str, Any]:
    name = _CLASSES.get(template_name, "input")
    attrs = widget.get("attrs", {})
    own = str(attrs.get("class", ""))
    if not name or name.split()[0] in own.split():
        return widget
    return {**widget, "attrs": {**attrs, "class": f"{name} {own}".strip()}}


class Switch(forms.CheckboxInput):
    """An on/off switch: for what takes effect as a setting, where a checkbox is for a choice."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": "switch", "role": "switch", **(attrs or {})})


class ChoiceCards(forms.RadioSelect):
    """Radio buttons as cards; ``descriptions`` gives a second line by choice value."""

    template_name = "components/choice_cards.html"

    def __init__(
        self,
        attrs: dict[str, Any] | None = None,
        *,
        descriptions: Mapping[str, str | Promise] | None = None,
    ) -> None:
        super().__init__(attrs)
        self.descriptions = descriptions or {}

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        option["description"] = self.descriptions.get(str(option["value"]), "")
        return option


class SecretInput(forms.PasswordInput):
    """A write-only value, never rendered back; ``stored_hint`` says that empty keeps it."""

    def __init__(
        self, attrs: dict[str, Any] | None = None, *, stored_hint: str | Promise = ""
    ) -> None:
        super().__init__({"autocomplete": "new-password", **(attrs or {})}, render_value=False)
        self.stored_hint = stored_hint

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        if self.stored_hint:
            context["widget"]["attrs"]["placeholder"] = self.stored_hint
        return context


def form_sections(form: forms.BaseForm) -> list[tuple[str, list[forms.BoundField]]]:
    """(heading, fields) as the form's ``sections`` groups them; fields in no section come last."""
    sections = getattr(form, "sections", ())
    placed = {name for _heading, names in sections for name in names}
    grouped = [
        (str(heading), [form[name] for name in names if name in form.fields])
        for heading, names in sections
    ]
    rest = [field for field in form.visible_fields() if field.name not in placed]
    return [(heading, fields) for heading, fields in [*grouped, ("", rest)] if fields]


def field_span(field: forms.BoundField) -> str:
    """The grid class of a field ("f-3" is half a row), from the form's ``spans`` or the widget."""
    spans: Mapping[str, str] = getattr(field.form, "spans", {})
    return spans.get(field.name) or str(field.field.widget.attrs.get("data-span", ""))
