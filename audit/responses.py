"""The exported log as the answer of a page or of the API."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from audit.exports import Shape, parts
from audit.models import AuditEvent
from audit.selectors import Filters, events_of
from audit.services import EventActor, record_audit_export

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
    # Under ASGI an ordinary iterator would be read to its end before the first byte is sent.
    body = _parts_async(rows, shape) if hasattr(request, "scope") else parts(rows, shape)
    response = StreamingHttpResponse(body, content_type=shape.content_type)
    name = f"audit-{organization.slug}.{shape}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _parts_async(rows: QuerySet[AuditEvent], shape: Shape) -> AsyncIterator[str]:
    waiting = parts(rows, shape)
    # In the thread of the request, whose connection to the database is closed with it.
    step = sync_to_async(lambda: next(waiting, None), thread_sensitive=True)
    while (part := await step()) is not None:
        yield part
