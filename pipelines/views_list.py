"""The list of pipelines, with the wizards that nobody has finished."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.http import render_page
from pipelines.definition import PipelineDefinition
from pipelines.models import Pipeline
from pipelines.pages import run_token
from pipelines.selectors import definitions_of, drafts_of, list_pipelines, tags_of
from pipelines.wizard import Draft
from pipelines.wording import how_words, what_words
from tenants.models import User

#: Fewer than on other lists: every row has a form and a menu.
PAGE = 30


@dataclass(frozen=True)
class ListRow:
    pipeline: Pipeline
    what: str
    how: str
    token: str
    can_run: bool
    can_edit: bool


@require_GET
@requires(Permission.VIEW)
def pipeline_list(request: OrganizationRequest) -> HttpResponse:
    """All pipelines by name, ``?q=`` and ``?tag=`` filter, ``?after=`` and ``?before=`` page."""
    text, tag = request.GET.get("q", ""), request.GET.get("tag", "")
    matching = list_pipelines(request.organization, text=text, tag=tag)
    pipelines, previous, following = _page(request, matching)
    definitions = definitions_of(pipelines)
    can_edit = request.actor.can(Permission.EDIT)
    assert isinstance(request.user, User)
    drafts = drafts_of(request.organization, request.user) if can_edit else []
    total = matching.count()
    context = {
        "text": text,
        "tag": tag,
        "tags": tags_of(request.organization),
        "rows": [_list_row(request, one, definitions[one.pk]) for one in pipelines],
        "drafts": [Draft.load(row) for row in drafts],
        "next_url": following,
        "previous_url": previous,
        "footer": ngettext("%(n)d pipeline", "%(n)d pipelines", total) % {"n": total},
        "can_edit": can_edit,
    }
    return render_page(request, "pipelines/pipeline_list.html", context, partial="results")


def _page(request: OrganizationRequest, matching: Any) -> tuple[list[Pipeline], str, str]:
    """One page of a list sorted by name and key, with the addresses of its neighbours."""
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    rows = matching
    edge = matching.model.all_organizations.filter(
        organization=request.organization, pk__in=[k for k in (before or after,) if k.isdigit()]
    ).first()
    if edge and before:
        rows = rows.filter(Q(name__lt=edge.name) | Q(name=edge.name, pk__lt=edge.pk)).reverse()
    elif edge:
        rows = rows.filter(Q(name__gt=edge.name) | Q(name=edge.name, pk__gt=edge.pk))
    found = list(rows[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    if edge and before:
        found.reverse()
    has_previous, has_next = (more, True) if edge and before else (bool(edge), more)
    return (
        found,
        _query(request, before=found[0].pk) if found and has_previous else "",
        _query(request, after=found[-1].pk) if found and has_next else "",
    )


def _query(request: OrganizationRequest, **changes: int) -> str:
    query = request.GET.copy()
    for name in ("before", "after"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = str(value)
    return f"?{query.urlencode()}"


def _list_row(
    request: OrganizationRequest, pipeline: Pipeline, definition: PipelineDefinition
) -> ListRow:
    return ListRow(
        pipeline,
        what_words(definition),
        how_words(definition),
        run_token(pipeline),
        can_run=request.actor.can(Permission.RUN, on=pipeline),
        can_edit=request.actor.can(Permission.EDIT, on=pipeline),
    )
