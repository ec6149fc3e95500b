"""The pages of the wizard have one frame."""

from typing import Any

from django.http import HttpResponse

from common.access import OrganizationRequest
from common.http import render_page
from pipelines.wizard import Draft, step_items


def draft_page(
    request: OrganizationRequest,
    draft: Draft | None,
    step: str,
    context: dict[str, Any],
    *,
    template: str = "",
    partial: str = "",
    status: int = 200,
) -> HttpResponse:
    """A step of the wizard; ``template`` is its page where that is not named after the step."""
    return render_page(
        request,
        f"pipelines/draft_{template or step}.html",
        {"draft": draft, "steps": step_items(draft, step), **context},
        partial=partial,
        status=status,
    )
