"""The audit log, for owners and admins: a list with filters, each event, and the same as a file."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from audit import selectors, words
from audit.actions import AuditAction
from audit.exports import Shape
from audit.models import AuditEvent, AuditLink
from audit.responses import export_response
from audit.selectors import Filters
from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import get_or_404, render_page


class FilterForm(forms.Form):
    """The filters in the URL; what makes no sense there is left out rather than refused."""

    q = forms.CharField(required=False, max_length=100)
    action = forms.ChoiceField(
        required=False,
        label=_("Action"),
        choices=[
            ("", _("Every action")),
            *((action.value, words.title_of(action)) for action in AuditAction),
        ],
    )
    actor = forms.CharField(required=False, max_length=200, label=_("Person"))
    target = forms.CharField(required=False, max_length=90, label=_("Thing"))
    since = forms.DateField(
        required=False, label=_("From"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = forms.DateField(
        required=False, label=_("To"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )


@dataclass(frozen=True)
class EventRow:
    event: AuditEvent
    url: str
    predicate: str
    target: str
    kind: str
    changes: list[words.Change]


def _filters(form: FilterForm) -> Filters:
    form.is_valid()
    data = form.cleaned_data
    return Filters(
        text=data.get("q", ""),
        action=data.get("action", ""),
        actor=data.get("actor", ""),
        target=data.get("target", ""),
        since=data.get("since"),
        until=data.get("until"),
    )


@require_GET
@requires(Permission.VIEW_AUDIT)
def event_list(request: OrganizationRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    filters = _filters(form)
    page = selectors.page_of(
        selectors.events_of(request.organization, filters),
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    choices = selectors.choices_of(request.organization)
    query = urlencode(filters.as_json())
    link = f"{request.path}?{query}&" if query else f"{request.path}?"
    export = reverse("audit:event-export", args=[request.organization.slug])
    context = {
        "form": form,
        "filtered": bool(filters),
        "actors": _with(choices.actors, filters.actor),
        "targets": [
            (name, words.thing_of(name)) for name in _with(choices.targets, filters.target)
        ],
        "rows": [_row(request, event) for event in page.events],
        "older_url": f"{link}after={page.after}" if page.after else "",
        "newer_url": f"{link}before={page.before}" if page.before else "",
        "exports": [
            (label, f"{export}?{urlencode({**filters.as_json(), 'as': shape})}")
            for label, shape in (("CSV", Shape.CSV), ("JSON", Shape.JSON_LINES))
        ],
    }
    return render_page(request, "audit/event_list.html", context, partial="events")


def _with(names: list[str], chosen: str) -> list[str]:
    """The choices, and what the address asks for where they do not have it."""
    return [chosen, *names] if chosen and chosen not in names else names


def _row(request: OrganizationRequest, event: AuditEvent) -> EventRow:
    return EventRow(
        event,
        reverse("audit:event-detail", args=[request.organization.slug, event.pk]),
        words.predicate_of(event.action),
        words.target_of(event),
        str(words.ACTOR_KINDS.get(event.actor_kind, event.actor_kind)),
        words.changes_of(event),
    )


@require_GET
@requires(Permission.VIEW_AUDIT)
def event_detail(request: OrganizationRequest, event: int) -> HttpResponse:
    """Everything the log knows of one event, with its place in the chain."""
    rows = AuditEvent.objects.for_organization(request.organization)
    found = get_or_404(rows, pk=event)
    context = {
        "row": _row(request, found),
        "action": words.title_of(found.action),
        "thing": words.thing_of(found.target_type),
        "link": AuditLink.objects.filter(pk=found.pk).first(),
        "list_url": _list_url(request, {}),
        "actor_url": _list_url(request, {"actor": found.actor_label}),
        "target_url": _list_url(request, {"target": f"{found.target_type}:{found.target_id}"}),
    }
    return render_page(request, "audit/event_detail.html", context)


def _list_url(request: OrganizationRequest, query: dict[str, Any]) -> str:
    url = reverse("audit:event-list", args=[request.organization.slug])
    return f"{url}?{urlencode(query)}" if query else url


@require_GET
@requires(Permission.VIEW_AUDIT)
def event_export(request: OrganizationRequest) -> HttpResponseBase:
    """The filtered log as a file, ``?as=csv`` or ``?as=jsonl``; that it was exported is an event too."""
    wanted = request.GET.get("as") or Shape.CSV
    if wanted not in list(Shape):
        raise UserError(
            f"There is no export as {wanted!r}.", field="as", remedy=f"Use {' or '.join(Shape)}."
        )
    return export_response(
        request,
        organization=request.organization,
        actor=request.actor,
        filters=_filters(FilterForm(request.GET)),
        shape=Shape(wanted),
    )
