"""What needs attention, each with the action that mends it: the one answer to "is anything wrong?".

What other parts of the overview colour as wrong is in here too (``transforms.models.BAD_BUILDS``, ``Standing.tone``).
All kinds are counted in one question and only the newest that are shown are read, so the answer takes the same time
however much there is.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.counting import counts_of
from common.scoping import Trashable
from common.ui.formats import format_duration
from connections.models import CheckStatus, Connection
from orchestration import links
from orchestration.models import (
    IS_ACTIVE,
    Run,
    RunStep,
    Schedule,
    Standing,
    Status,
    Tone,
)
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms.models import BAD_BUILDS, DOUBTFUL_BUILDS, BuildStatus, Transformation

SHOWN = 8
#: A start this much behind its time is late.
LATE = timedelta(minutes=1)
#: A scheduled pipeline that has loaded nothing so long after its last due time is stale.
STALE = timedelta(hours=2)
MOST_COUNTED = 1_000


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


@dataclass(frozen=True)
class Attention:
    """The first ``SHOWN`` items, failures before warnings and the newest first, and how many there are of each."""

    items: list[Item]
    bad: int
    warn: int
    #: How many there are in all, for comparison.
    pipelines: int

    @property
    def count(self) -> int:
        return self.bad + self.warn

    @property
    def is_cut(self) -> bool:
        return self.count > len(self.items)

    @property
    def verdict(self) -> str:
        """The answer to "is anything wrong?" in one line."""
        if not self.count:
            return _("All good")
        n = self.count
        return ngettext("%(n)d thing needs attention", "%(n)d things need attention", n) % {"n": n}

    @property
    def tone(self) -> str:
        return "bad" if self.bad else "warn" if self.warn else "ok"


def attention_of(organization: Organization, *, can_edit: bool) -> Attention:
    kinds = _kinds(organization, can_edit=can_edit)
    counted = {name: kind.rows.order_by()[:MOST_COUNTED] for name, kind in kinds.items()}
    pipelines = Pipeline.objects.for_organization(organization).order_by()
    counts = counts_of({**counted, "pipelines": pipelines})
    found: list[Item] = []
    totals = {"bad": 0, "warn": 0}
    for tone in totals:
        some = {name: kind for name, kind in kinds.items() if kind.tone == tone and counts[name]}
        totals[tone] = sum(counts[name] for name in some)
        # Warnings stand behind all failures.
        if len(found) < SHOWN:
            found += _newest(some.values())
    return Attention(found[:SHOWN], totals["bad"], totals["warn"], counts["pipelines"])


class _Kind(NamedTuple):
    tone: str
    rows: QuerySet[Any]
    made: Callable[[Any], Item]


def _newest(kinds: Iterable[_Kind]) -> list[Item]:
    items = [kind.made(row) for kind in kinds for row in kind.rows[:SHOWN]]
    return sorted(items, key=lambda item: item.at.timestamp() if item.at else 0.0, reverse=True)


def _kinds(organization: Organization, *, can_edit: bool) -> dict[str, _Kind]:
    standings = Standing.objects.for_organization(organization).filter(
        pipeline__deleted_at__isnull=True
    )
    ends = ("pipeline__source", "pipeline__destination", "pipeline__organization")
    standings = standings.select_related(*ends).order_by("-ended_at")
    connections = _of(Connection, organization).filter(check_status=CheckStatus.UNREACHABLE)
    schedules = _of(Schedule, organization).filter(is_active=True)
    late = schedules.filter(next_run_at__lt=timezone.now() - LATE).order_by("next_run_at")
    built = _of(Transformation, organization).defer("sql").order_by("-built_at")
    failed = built.filter(build_status__in=sorted(BAD_BUILDS))
    warned = built.filter(build_status__in=sorted(DOUBTFUL_BUILDS))
    paused = _of(Pipeline, organization).filter(is_paused=True).exclude(paused_reason="")
    return {
        "failed": _Kind(
            "bad", standings.filter(tone=Tone.BAD), lambda row: _failed(row, can_edit=can_edit)
        ),
        "failing": _Kind("bad", _failing(organization), _failed_step),
        "unreachable": _Kind(
            "bad",
            connections.defer("secrets").order_by("-checked_at"),
            lambda row: _connection(row, can_edit=can_edit),
        ),
        "late": _Kind("bad", late, _late),
        "not built": _Kind("bad", failed, _transformation),
        "built with warnings": _Kind("warn", warned, _transformation),
        "warned": _Kind("warn", standings.filter(tone=Tone.WARN), _warned),
        "stale": _Kind("warn", _stale(organization, standings), _stale_item),
        "paused": _Kind("warn", paused, _paused),
        "not started": _Kind(
            "warn", schedules.exclude(note="").order_by("-last_run_at"), _not_started
        ),
    }


def _of(model: type[Trashable], organization: Organization) -> QuerySet[Any]:
    """Rows with their organization: it is part of every address."""
    return model.objects.for_organization(organization).select_related("organization")


def _failing(organization: Organization) -> QuerySet[RunStep]:
    """Steps that failed in a run that goes on; when it ends, the standings have them."""
    active = Run.objects.for_organization(organization).filter(IS_ACTIVE)
    # The few runs first, then their steps: by organization there are as many as there ever were.
    rows = RunStep.all_organizations.filter(
        run__in=active.order_by().values("pk"), status=Status.FAILED
    )
    return rows.select_related("run__organization").order_by("-finished_at")


def _stale(organization: Organization, standings: QuerySet[Standing]) -> QuerySet[Standing]:
    """Pipelines of schedules whose last due time brought nothing, and nothing of it goes on."""
    due = Schedule.objects.for_organization(organization).filter(
        node__pipeline=OuterRef("pipeline"),
        is_active=True,
        note="",
        last_run_at__gt=OuterRef("succeeded_at"),
        last_run_at__lt=timezone.now() - STALE,
    )
    going_on = RunStep.objects.for_organization(organization).filter(
        IS_ACTIVE, pipeline__isnull=False
    )
    # What failed or has warnings is told already.
    rows = standings.filter(tone=Tone.GOOD, pipeline__is_paused=False)
    return rows.filter(Exists(due)).exclude(pipeline__in=going_on.values("pipeline"))


def _run_url(row: Standing) -> str:
    return links.page(row.pipeline.organization, "orchestration:run-detail", row.run_number)


def _failed(row: Standing, *, can_edit: bool) -> Item:
    organization, pipeline = row.pipeline.organization, row.pipeline
    action, action_url = _("See run"), _run_url(row)
    ends = {"source": pipeline.source, "destination": pipeline.destination}
    end = ends.get(row.error_end)
    if can_edit and end:
        action = _("Fix connection %s") % end.name
        action_url = links.connection_url(organization, end.slug)
    times = {"n": row.failures}
    return Item(
        tone="bad",
        name=pipeline.name,
        url=links.pipeline_url(organization, pipeline.slug),
        what=ngettext("failed", "failed %(n)d times in a row", row.failures) % times,
        message=row.error,
        at=row.ended_at,
        action=action,
        action_url=action_url,
    )


def _failed_step(step: RunStep) -> Item:
    url = links.run_url(step.run)
    what = _("failed in run #%d, which goes on") % step.run.number
    return Item("bad", step.name, url, what, step.error, step.finished_at, _("See run"), url)


def _transformation(row: Transformation) -> Item:
    words: dict[str, tuple[str, str]] = {
        BuildStatus.FAILED: ("bad", _("could not be built")),
        BuildStatus.TESTS_FAILED: ("bad", _("failed its tests")),
        BuildStatus.WARNED: ("warn", _("was built with warnings")),
        BuildStatus.SKIPPED: ("warn", _("was skipped")),
    }
    tone, what = words[row.build_status]
    url = links.transformation_url(row.organization, row.name)
    message = row.build_message.strip().partition("\n")[0]
    return Item(tone, row.name, url, what, message, row.built_at, _("Open"), url)


def _connection(row: Connection, *, can_edit: bool) -> Item:
    stages: list[dict[str, Any]] = row.check_stages
    failed = [stage for stage in stages if stage.get("status") == "failed"]
    url = links.connection_url(row.organization, row.slug)
    return Item(
        tone="bad",
        name=row.name,
        url=url,
        what=_("cannot be reached"),
        message=str(failed[0].get("text", "")) if failed else "",
        at=row.checked_at,
        action=_("Fix connection") if can_edit else _("Open"),
        action_url=url,
    )


def _warned(row: Standing) -> Item:
    organization, pipeline = row.pipeline.organization, row.pipeline
    url, count = links.pipeline_url(organization, pipeline.slug), row.rejected_rows
    if not count:
        what = _("was loaded with warnings")
        return Item("warn", pipeline.name, url, what, "", row.ended_at, _("See run"), _run_url(row))
    words = ngettext("loaded with %(n)d rejected row", "loaded with %(n)d rejected rows", count)
    return Item(
        tone="warn",
        name=pipeline.name,
        url=url,
        what=words % {"n": count},
        message=row.rejected_reason,
        at=row.ended_at,
        action=_("Review rows"),
        action_url=links.rejects_url(organization, pipeline.slug, row.rejected_table),
    )


def _stale_item(row: Standing) -> Item:
    organization, pipeline = row.pipeline.organization, row.pipeline
    return Item(
        tone="warn",
        name=pipeline.name,
        url=links.pipeline_url(organization, pipeline.slug),
        what=_("is stale"),
        message=_("Its last due time brought nothing new."),
        at=row.succeeded_at,
        action=_("See runs"),
        action_url=links.runs_url(organization, f"pipeline:{pipeline.slug}"),
    )


def _late(schedule: Schedule) -> Item:
    url = links.page(schedule.organization, "orchestration:schedule-list")
    assert schedule.next_run_at is not None
    behind = timezone.now() - schedule.next_run_at
    return Item(
        tone="bad",
        name=schedule.name,
        url=url,
        what=_("is %s late") % format_duration(behind),
        message=_("The scheduler has not started it. It may have stopped; the operator sees why."),
        at=schedule.next_run_at,
        action=_("Open"),
        action_url=url,
    )


def _paused(pipeline: Pipeline) -> Item:
    url = links.pipeline_url(pipeline.organization, pipeline.slug)
    what, reason = _("was paused"), pipeline.paused_reason
    return Item("warn", pipeline.name, url, what, reason, None, _("Open"), url)


def _not_started(schedule: Schedule) -> Item:
    url = links.page(schedule.organization, "orchestration:schedule-list")
    return Item(
        tone="warn",
        name=schedule.name,
        url=url,
        what=_("did not start"),
        message=schedule.note,
        at=schedule.last_run_at,
        action=_("Open"),
        action_url=url,
    )
