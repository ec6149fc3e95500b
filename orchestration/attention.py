"""What needs attention, each with the action that mends it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connections.models import CheckStatus
from orchestration import links
from orchestration.models import RunStep, RunStepResult, Status
from orchestration.overview import Facts
from pipelines.models import Pipeline
from transforms.models import BuildStatus

#: Errors whose remedy stands on the connection's page.
CONNECTION_CODES = frozenset(
    {"authentication_failed", "connection_failed", "temporarily_unavailable", "unreachable"}
)
SHOWN = 8


@dataclass(frozen=True)
class Item:
    #: ``bad`` or ``warn``.
    tone: str
    name: str
    url: str
    what: str
    message: str
    at: datetime | None
    action: str
    action_url: str


def items(facts: Facts, *, can_edit: bool) -> list[Item]:
    """Failures first, then warnings, each the newest first."""
    found = [
        *_failed_pipelines(facts, can_edit=can_edit),
        *_transformations(facts),
        *_connections(facts, can_edit=can_edit),
        *_rejected(facts),
        *_stopped(facts),
    ]
    found.sort(key=lambda item: item.at.timestamp() if item.at else 0.0, reverse=True)
    return sorted(found, key=lambda item: item.tone != "bad")


def _ended(facts: Facts, pipeline: Pipeline) -> list[RunStep]:
    return [step for step in facts.steps.get(pipeline.pk, []) if not step.is_active]


def _failed_pipelines(facts: Facts, *, can_edit: bool) -> Iterator[Item]:
    for pipeline in facts.pipelines:
        steps = _ended(facts, pipeline)
        if not steps or steps[-1].status != Status.FAILED:
            continue
        last, failures = steps[-1], 0
        for step in reversed(steps):
            if step.status != Status.FAILED:
                break
            failures += 1
        run_url = links.page(facts.organization, "orchestration:run-detail", last.run.number)
        action, action_url = _("See run"), run_url
        if can_edit and last.error_code in CONNECTION_CODES:
            action = _("Fix connection")
            action_url = links.connection_url(facts.organization, pipeline.source.slug)
        yield Item(
            tone="bad",
            name=pipeline.name,
            url=links.pipeline_url(facts.organization, pipeline.slug),
            what=ngettext("failed", "failed %(n)d times in a row", failures) % {"n": failures},
            message=last.error,
            at=last.finished_at,
            action=action,
            action_url=action_url,
        )


def _transformations(facts: Facts) -> Iterator[Item]:
    words = {
        str(BuildStatus.FAILED): ("bad", _("could not be built")),
        str(BuildStatus.WARNED): ("warn", _("was built with warnings")),
        str(BuildStatus.SKIPPED): ("warn", _("was skipped")),
    }
    for row in facts.transformations:
        if row.build_status not in words:
            continue
        tone, what = words[row.build_status]
        url = links.transformation_url(facts.organization, row.name)
        message = row.build_message.strip().partition("\n")[0]
        yield Item(tone, row.name, url, what, message, row.built_at, _("Open"), url)


def _connections(facts: Facts, *, can_edit: bool) -> Iterator[Item]:
    for row in facts.connections:
        if row.check_status != CheckStatus.UNREACHABLE:
            continue
        stages: list[dict[str, Any]] = row.check_stages
        failed = [stage for stage in stages if stage.get("status") == "failed"]
        url = links.connection_url(facts.organization, row.slug)
        yield Item(
            tone="bad",
            name=row.name,
            url=url,
            what=_("cannot be reached"),
            message=str(failed[0].get("text", "")) if failed else "",
            at=row.checked_at,
            action=_("Fix connection") if can_edit else _("Open"),
            action_url=url,
        )


def _rejected(facts: Facts) -> Iterator[Item]:
    last: dict[int, Pipeline] = {}
    for pipeline in facts.pipelines:
        steps = _ended(facts, pipeline)
        if steps and steps[-1].status == Status.SUCCEEDED:
            last[steps[-1].pk] = pipeline
    rows = RunStepResult.objects.for_organization(facts.organization).filter(
        step__in=last, rows_rejected__gt=0
    )
    by_step: dict[int, list[RunStepResult]] = defaultdict(list)
    for row in rows.select_related("step__run").order_by("pk"):
        by_step[row.step_id].append(row)
    for step_id, found in by_step.items():
        pipeline, step = last[step_id], found[0].step
        count = sum(row.rows_rejected or 0 for row in found)
        # One table's rows, or all of them where several have some.
        table = found[0].target if len(found) == 1 else ""
        yield Item(
            tone="warn",
            name=pipeline.name,
            url=links.pipeline_url(facts.organization, pipeline.slug),
            what=ngettext(
                "loaded with %(n)d rejected row", "loaded with %(n)d rejected rows", count
            )
            % {"n": count},
            message=_reason(found[0]),
            at=step.finished_at,
            action=_("Review rows"),
            action_url=links.rejects_url(facts.organization, pipeline.slug, table),
        )


def _reason(row: RunStepResult) -> str:
    """Why rows of a table were refused: the reason of the first column that had some."""
    refusals = row.details.get("rejects") or []
    if not refusals:
        return _("in the table %s") % row.name
    first = refusals[0]
    return f"{row.name}.{first.get('column') or '?'} {first.get('reason') or ''}".strip()


def _stopped(facts: Facts) -> Iterator[Item]:
    """Pipelines that the system paused, and schedules whose last due time started nothing."""
    for pipeline in facts.pipelines:
        if pipeline.is_paused and pipeline.paused_reason:
            url = links.pipeline_url(facts.organization, pipeline.slug)
            reason = pipeline.paused_reason
            yield Item("warn", pipeline.name, url, _("was paused"), reason, None, _("Open"), url)
    for schedule in facts.schedules:
        if schedule.is_active and schedule.note:
            url = links.page(facts.organization, "orchestration:schedule-list")
            yield Item(
                tone="warn",
                name=schedule.name,
                url=url,
                what=_("did not start"),
                message=schedule.note,
                at=schedule.last_run_at,
                action=_("Open"),
                action_url=url,
            )
