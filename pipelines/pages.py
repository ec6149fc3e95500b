"""What every page of one pipeline has: its head, its tabs, and what may be done."""

import uuid
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from common.access import OrganizationRequest, Permission
from pipelines import services
from pipelines.history import waiting_rejects
from pipelines.models import Mode, Pipeline
from pipelines.wording import mode_words


def run_token(pipeline: Pipeline) -> str:
    """In every form that starts a run: sent twice, it starts one."""
    return f"{uuid.uuid4().hex}-{pipeline.pk}"


def page_url(pipeline: Pipeline, page: str, *args: object) -> str:
    """Of one of its pages: ``detail``, ``rejects``, …"""
    slugs = [pipeline.organization.slug, pipeline.slug, *args]
    return reverse(f"pipelines:pipeline-{page}", args=slugs)


def page_context(request: OrganizationRequest, pipeline: Pipeline, tab: str) -> dict[str, Any]:
    """The head, the tabs and the actions that every page of a pipeline has."""
    target = f"pipeline:{pipeline.slug}"
    runs = reverse("orchestration:run-list", args=[request.organization.slug])
    rejected = waiting_rejects(pipeline)
    return {
        "pipeline": pipeline,
        "mode_words": mode_words(pipeline),
        "target": target,
        "token": run_token(pipeline),
        "tabs": [
            {
                "label": label,
                "url": page_url(pipeline, page),
                "count": count,
                "current": page == tab,
            }
            for page, label, count in _tabs(pipeline, rejected)
            if page != "sharing" or request.actor.can(Permission.VIEW)
        ],
        "rejected": rejected,
        "runs_url": f"{runs}?target={target}",
        "can_edit": request.actor.can(Permission.EDIT, on=pipeline),
        "can_run": request.actor.can(Permission.RUN, on=pipeline),
        # Who was given this one makes no second, and runs no others along.
        "end_links": "" if request.actor.can(Permission.VIEW) else "no",
        "may_look": request.actor.can(Permission.RUN, on=pipeline.source),
        "builds": request.actor.can(Permission.EDIT),
        "runs_all": request.actor.can(Permission.RUN),
        "can_see_audit": request.actor.can(Permission.VIEW_AUDIT),
    }


def _tabs(pipeline: Pipeline, rejected: int) -> list[tuple[str, str, int | None]]:
    """(page, label, count) of each tab."""
    # Of a whole database only some tables have settings, so their number says little.
    whole = pipeline.mode == Mode.FULL_DATABASE
    tables = None if whole else len(services.resources_of(pipeline))
    return [
        ("detail", _("Overview"), None),
        ("tables", _("Files") if pipeline.mode == Mode.FILES else _("Tables"), tables),
        ("runs", _("Runs"), None),
        ("state", _("State"), None),
        ("rejects", _("Rejected rows"), rejected or None),
        ("shape", _("Schema"), None),
        ("update", _("Configuration"), None),
        ("changes", _("Changes"), None),
        ("sharing", _("Sharing"), None),
    ]
