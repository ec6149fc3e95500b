"""The exported log as the answer of a page or of the API."""

from typing import TYPE_CHECKING

from django.http import HttpRequest, StreamingHttpResponse

from audit.exports import Shape, parts
from audit.selectors import Filters, events_of
from audit.services import EventActor, record_audit_export
from common.http import download

if TYPE_CHECKING:
    from tenants.models import Organization


def export_response(
    request: HttpRequest,
    *,
    organization: "Organization",
    actor: EventActor,
    filters: Filters,
    shape: Shape,
) -> StreamingHttpResponse:
    """Write down that the log is exported, then send what it held before."""
    noted = record_audit_export(
        organization=organization, actor=actor, shape=shape, filters=filters.as_json()
    )
    rows = events_of(organization, filters).filter(pk__lt=noted.pk)
    name = f"audit-{organization.slug}.{shape}"
    return download(request, parts(rows, shape), name=name, content_type=shape.content_type)
