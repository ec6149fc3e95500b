"""With whom a pipeline is shared."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page
from pipelines.pages import page_context, page_url
from pipelines.views_resources import find_pipeline
from tenants.sharing import Level, give, sharing_context, take


def _levels() -> list[Level]:
    return [
        Level(Permission.VIEW, _("See it"), _("Its tables, runs and logs, and no other pipeline.")),
        Level(
            Permission.RUN,
            _("Run it"),
            _("Also start, cancel and repeat its runs and backfills, alone and not with others."),
        ),
        Level(
            Permission.EDIT,
            _("Edit it"),
            _(
                "Also change, pause, delete and restore it. Which tables, rows and columns it reads, "
                "only if they may use its source connection."
            ),
        ),
    ]


@require_GET
@requires(Permission.VIEW)
def pipeline_sharing(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Names all members, so a guest does not see it."""
    pipeline = find_pipeline(request, slug)
    context = {
        **page_context(request, pipeline, "sharing"),
        **sharing_context(request, pipeline, _levels()),
    }
    return render_page(request, "pipelines/pipeline_sharing.html", context)


@require_POST
@requires(Permission.MANAGE_MEMBERS)
def pipeline_share(request: OrganizationRequest, slug: str) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    give(request, pipeline)
    return redirect(page_url(pipeline, "sharing"))


@require_POST
@requires(Permission.MANAGE_MEMBERS)
def pipeline_unshare(request: OrganizationRequest, slug: str, member: int) -> HttpResponse:
    pipeline = find_pipeline(request, slug)
    take(request, pipeline, member)
    return redirect(page_url(pipeline, "sharing"))
