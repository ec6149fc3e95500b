"""Starting a run of several nodes: what it would do is shown first."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from common.access import OrganizationRequest, Permission, requires
from common.errors import UserError
from common.http import render_page
from orchestration import links
from orchestration.graph import find_thing
from orchestration.preview import preview_of
from orchestration.requests import DAG

#: Steps that the preview spells out.
MOST_STEPS = 60


@require_GET
@requires(Permission.RUN, grantable="target")
def run_prepare(request: OrganizationRequest) -> HttpResponse:
    """``?target=`` and ``?select=`` as for a run: the steps it would have, and the button that starts it."""
    target = request.GET.get("target") or DAG
    expression = " ".join(request.GET.get("select", "").split())[:500]
    thing = find_thing(request.organization, target)
    context: dict[str, Any] = {
        "target": target,
        "expression": expression,
        "thing": thing,
        "thing_url": links.key_url(request.organization, target),
        "ways": _ways(target, expression) if thing else [],
        "token": uuid.uuid4().hex,
    }
    try:
        found = preview_of(request.organization, target, expression)
    except UserError as error:
        context["problem"] = error
    else:
        context |= {
            "preview": found,
            "steps": found.steps[:MOST_STEPS],
            "more": max(len(found.steps) - MOST_STEPS, 0),
        }
    return render_page(request, "orchestration/run_prepare.html", context, partial="preview")


def _ways(target: str, expression: str) -> list[dict[str, Any]]:
    """Alone, with what it needs, with what needs it."""
    name = target.partition(":")[2]
    ways = (
        ("", _("Alone")),
        (f"+{name}", _("With upstream")),
        (f"{name}+", _("With downstream")),
        (f"+{name}+", _("Both")),
    )
    return [
        {
            "label": label,
            "url": f"?{urlencode({'target': target, 'select': select})}",
            "current": select == expression,
        }
        for select, label in ways
    ]
