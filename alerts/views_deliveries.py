"""What was sent: the log, one delivery, trying again."""

import json

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from alerts import selectors, services
from alerts.models import AlertDelivery, DeliveryStatus
from alerts.pages import tabs
from alerts.sending import MOST_ATTEMPTS
from common.access import OrganizationRequest, Permission, requires
from common.http import get_or_404, render_page, say

PAGE_SIZE = 50


@require_GET
@requires(Permission.VIEW)
def delivery_list(request: OrganizationRequest) -> HttpResponse:
    """``?status=&rule=&channel=``; ``?before=<pk>`` for older ones."""
    organization = request.organization
    status = request.GET.get("status", "")
    wanted = selectors.DeliveryFilter(
        status, request.GET.get("rule", ""), request.GET.get("channel", "")
    )
    rows = selectors.deliveries_of(organization, wanted)
    before = request.GET.get("before", "")
    if before.isdigit() and len(before) < 18:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    context = {
        "tabs": tabs(organization, "deliveries"),
        "rows": found[:PAGE_SIZE],
        "before": found[PAGE_SIZE - 1].pk if len(found) > PAGE_SIZE else None,
        "is_first": not before,
        "filtered": any((wanted.status, wanted.rule, wanted.channel)),
        "can_edit": request.actor.can(Permission.EDIT),
        "retryable": {row.pk for row in found if selectors.is_retryable(row)},
        "statuses": [
            {"label": label, "url": f"?status={key}" if key else "?", "current": key == status}
            for key, label in [("", _("All")), *DeliveryStatus.choices]
        ],
    }
    return render_page(request, "alerts/delivery_list.html", context, partial="results")


def _delivery(request: OrganizationRequest, pk: int) -> AlertDelivery:
    rows = AlertDelivery.objects.for_organization(request.organization)
    rows = rows.select_related("organization", "rule", "channel").defer("channel__secrets")
    return get_or_404(rows, pk=pk)


@require_GET
@requires(Permission.VIEW)
def delivery_detail(request: OrganizationRequest, pk: int) -> HttpResponse:
    delivery = _delivery(request, pk)
    context = {
        "delivery": delivery,
        "data": delivery.message.get("data", {}),
        "json": json.dumps(delivery.message, indent=2, ensure_ascii=False),
        "most_attempts": MOST_ATTEMPTS,
        "can_retry": request.actor.can(Permission.EDIT) and selectors.is_retryable(delivery),
    }
    return render_page(request, "alerts/delivery_detail.html", context)


@require_POST
@requires(Permission.EDIT)
def delivery_retry(request: OrganizationRequest, pk: int) -> HttpResponse:
    delivery = _delivery(request, pk)
    services.retry_delivery(delivery=delivery, actor=request.actor)
    say(request, _("It is sent again now."))
    return redirect("alerts:delivery-detail", request.organization.slug, delivery.pk)
