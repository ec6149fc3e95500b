"""What the pages of alerts share."""

from typing import Any

from django.utils.translation import gettext as _

from alerts import links
from tenants.models import Organization


def tabs(organization: Organization, current: str) -> list[dict[str, Any]]:
    places = (
        ("rules", _("Rules"), "alerts:rule-list"),
        ("channels", _("Channels"), "alerts:channel-list"),
        ("deliveries", _("Deliveries"), "alerts:delivery-list"),
    )
    return [
        {"label": label, "url": links.page(organization, name), "current": key == current}
        for key, label, name in places
    ]
