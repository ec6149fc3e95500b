"""The form of the connection page: a connector's own form, with the name and the role in front."""

from collections.abc import Mapping
from functools import cache
from types import new_class
from typing import Any, cast

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.ui.forms import ChoiceCards, SecretInput
from connections.connectors.base import Category, Connector, ConnectorForm
from connections.connectors.registry import get_connector
from connections.models import Connection, UseAs

ROLES: dict[str, tuple[str | Promise, str | Promise]] = {
    UseAs.SOURCE: (_("Source"), _("Pipelines read from it")),
    UseAs.DESTINATION: (_("Destination"), _("Pipelines write to it")),
    UseAs.BOTH: (_("Both"), _("Read and write")),
}
#: Of a destination in which transformations are built too.
_WAREHOUSE = _("Pipelines write to it, transformations run in it")
#: Seen only with a tunnel, which needs them.
_TUNNEL_NEEDS = frozenset({"ssh_host", "ssh_user"})


class SecretTextarea(forms.Textarea):
    """A long secret (a key file); like a password it is never rendered back."""

    def __init__(
        self, attrs: dict[str, Any] | None = None, *, stored_hint: str | Promise = ""
    ) -> None:
        super().__init__({"autocomplete": "off", "spellcheck": "false", **(attrs or {})})
        self.stored_hint = stored_hint

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        if self.stored_hint:
            context["widget"]["attrs"]["placeholder"] = self.stored_hint
        return context


def build_form(
    connector: Connector,
    *,
    data: Mapping[str, Any] | None = None,
    connection: Connection | None = None,
    initial: dict[str, Any] | None = None,
) -> ConnectorForm:
    """The page's form: empty, of a stored connection, or bound to what was sent."""
    first: dict[str, Any] = {
        "use_as": UseAs.DESTINATION if _is_warehouse(connector) else UseAs.SOURCE
    }
    if connection:
        first = {**connection.config, "name": connection.name, "use_as": connection.use_as}
    form = _form_class(connector.key)(data=data, initial={**first, **(initial or {})})
    stored = connection.secrets if connection else {}
    for name in connector.form_class.secret_fields:
        field = form.fields[name]
        is_stored = bool(stored.get(name))
        # Browsers and proxies keep pages; a secret that was sent does not come back in one.
        typed = bool(form.is_bound and (data or {}).get(name))
        hint = _("Enter it again") if typed else _("Stored, leave empty to keep")
        field.widget = _secret_widget(field.widget, hint if typed or is_stored else "")
        field.required = field.required and not is_stored
    return form


def settings_of(form: ConnectorForm, connector: Connector) -> dict[str, Any]:
    """What was sent for the connector's own fields, as its form takes it again."""
    return {
        name: form.fields[name].widget.value_from_datadict(form.data, form.files, name)
        for name in connector.form_class.base_fields
    }


def without_optional_marks(form: ConnectorForm) -> ConnectorForm:
    """For showing only: a list with a preselected choice cannot be left empty, so it is not optional."""
    # Judged before, so that the mark is no rule.
    form.is_valid()
    for name, field in form.fields.items():
        chosen = isinstance(field.widget, forms.Select) and field.initial
        if chosen or name in _TUNNEL_NEEDS:
            field.required = True
    return form


def dropped_secrets(form: ConnectorForm) -> list[str]:
    """Labels of secrets that were sent and have to be entered again."""
    if not form.is_bound:
        return []
    names = sorted(form.secret_fields)
    return [str(form.fields[name].label) for name in names if form.data.get(name)]


@cache
def _form_class(key: str) -> type[ConnectorForm]:
    connector = get_connector(key)
    base = connector.form_class
    attributes: dict[str, Any] = {
        "name": forms.CharField(
            label=_("Name"),
            max_length=80,
            help_text=_("Shown in lists and logs. You can change it later."),
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        )
    }
    sections = list(base.sections or (("", tuple(base.base_fields)),))
    heading, names = sections[0]
    sections[0] = (heading, ("name", *names))
    if connector.capabilities.source and connector.capabilities.destination:
        attributes["use_as"] = _role_field(connector)
        sections.insert(0, ("", ("use_as",)))
    attributes |= {"sections": tuple(sections), "spans": {**base.spans, "name": "f-6"}}
    made = new_class("ConnectionForm", (base,), exec_body=lambda space: space.update(attributes))
    return cast(type[ConnectorForm], made)


def _role_field(connector: Connector) -> forms.ChoiceField:
    descriptions = {value: text for value, (_label, text) in ROLES.items()}
    if connector.capabilities.dbt:
        descriptions[UseAs.DESTINATION] = _WAREHOUSE
    return forms.ChoiceField(
        label=_("Use it as"),
        choices=[(value, label) for value, (label, _text) in ROLES.items()],
        widget=ChoiceCards(descriptions=descriptions),
    )


def _secret_widget(widget: forms.Widget, hint: str | Promise) -> forms.Widget:
    if isinstance(widget, forms.Textarea):
        return SecretTextarea(widget.attrs, stored_hint=hint)
    return SecretInput(widget.attrs, stored_hint=hint)


def _is_warehouse(connector: Connector) -> bool:
    return connector.category is Category.WAREHOUSE
