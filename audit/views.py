"""The audit log, for owners and admins: a list with filters, and the same as a file."""

from dataclasses import dataclass

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from audit import selectors, words
from audit.actions import AuditAction
from audit.models import AuditEvent
from audit.selectors import Filters
from common.access import OrganizationRequest, Permission, requires
from common.http import render_page


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
    since = forms.DateField(
        required=False, label=_("From"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = forms.DateField(
        required=False, label=_("To"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )


@dataclass(frozen=True)
class EventRow:
    event: AuditEvent
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
    here, query = request.path, request.GET.copy()
    query.pop("after", None)
    query.pop("before", None)
    export = reverse("audit:event-export", args=[request.organization.slug])
    link = f"{here}?{query.urlencode()}&" if query else f"{here}?"
    context = {
        "form": form,
        "filtered": bool(filters),
        "actors": selectors.actors_of(request.organization),
        "rows": [_row(event) for event in page.events],
        "older_url": f"{link}after={page.after}" if page.after else "",
        "newer_url": f"{link}before={page.before}" if page.before else "",
        "export_url": f"{export}?{query.urlencode()}" if query else export,
    }
    return render_page(request, "audit/event_list.html", context, partial="events")


def _row(event: AuditEvent) -> EventRow:
    return EventRow(
        event,
        words.predicate_of(event.action),
        words.target_of(event),
        str(words.ACTOR_KINDS.get(event.actor_kind, event.actor_kind)),
        words.changes_of(event),
    )


@require_GET
@requires(Permission.VIEW_AUDIT)
def event_export(request: OrganizationRequest) -> HttpResponse:
    """The filtered log as CSV."""
    rows = selectors.events_of(request.organization, _filters(FilterForm(request.GET)))
    response = HttpResponse(selectors.export(rows), content_type="text/csv; charset=utf-8")
    name = f"audit-{request.organization.slug}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
