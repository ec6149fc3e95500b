"""With whom a connection is shared."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import get_or_404, render_page
from connections.models import Connection
from tenants.sharing import Level, give, sharing_context, take


def _levels() -> list[Level]:
    return [
        Level(
            Permission.VIEW,
            _("See it"),
            _("Its settings without its secrets, and the tables that stand in it."),
        ),
        Level(
            Permission.RUN,
            _("Use it"),
            _("Also test it, and change what the pipelines that they may edit read from it."),
        ),
        Level(
            Permission.EDIT,
            _("Edit it"),
            _("Also change, delete and restore it. Stored secrets stay hidden."),
        ),
    ]


@require_GET
@requires(Permission.VIEW)
def connection_sharing(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Names all members, so a guest does not see it."""
    connection = _get(request, slug)
    context = {"connection": connection, **sharing_context(request, connection, _levels())}
    return render_page(request, "connections/connection_sharing.html", context)


@require_POST
@requires(Permission.MANAGE_MEMBERS)
def connection_share(request: OrganizationRequest, slug: str) -> HttpResponse:
    connection = _get(request, slug)
    give(request, connection)
    return _back(request, connection)


@require_POST
@requires(Permission.MANAGE_MEMBERS)
def connection_unshare(request: OrganizationRequest, slug: str, member: int) -> HttpResponse:
    connection = _get(request, slug)
    take(request, connection, member)
    return _back(request, connection)


def _get(request: OrganizationRequest, slug: str) -> Connection:
    rows = Connection.objects.for_organization(request.organization)
    return get_or_404(rows.select_related("organization"), slug=slug)


def _back(request: OrganizationRequest, connection: Connection) -> HttpResponse:
    return redirect("connections:connection-sharing", request.organization.slug, connection.slug)
