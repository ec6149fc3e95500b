"""From requests to rows: runs and their steps, planned and written in the caller's transaction.

One run and ten thousand are made by the same code: what they have in common is read and planned once, and rows of
one kind are written together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.actions import AuditAction
from common import bulk
from common.errors import DatanikaError
from orchestration.blueprints import DAG, Asked, Blueprint, Thing, blueprints_of, chosen_of
from orchestration.engine import log
from orchestration.models import Run, RunStep, Schedule, Trigger
from orchestration.options import as_json, check_for, words_beside_title
from pipelines.runner import USUAL, LoadOptions
from tenants.actors import Actor
from tenants.models import Organization
from tenants.services import check_awake

__all__ = ["DAG", "Asked", "Desk", "Made", "RunRequest", "chosen_of", "create_run"]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """``options`` hold for the target's pipeline; a full refresh holds for everything that runs.

    ``after`` is a run that has to end first.
    """

    asked: Asked
    actor: Actor
    trigger: Trigger = Trigger.MANUAL
    options: LoadOptions = USUAL
    schedule: Schedule | None = None
    scheduled_for: datetime | None = None
    retry_of: Run | None = None
    after: "Run | Made | None" = None
    idempotency_key: str = ""


@dataclass(frozen=True)
class Made:
    """A run, QUEUED, and the ids of its steps that can start at once."""

    pk: int
    number: int
    ready: list[int] = field(default_factory=list)
    is_active: ClassVar[bool] = True


@dataclass(frozen=True)
class _Sort:
    """What all runs of one blueprint and the same options have in common, put into words once."""

    title: str
    options: dict[str, Any]
    capsule: dict[str, Any]
    changes: dict[str, Any]
    opening: str
    warnings: list[str]


class Desk:
    """Where the runs of one organization are made, for the length of one transaction."""

    def __init__(self, organization_id: int) -> None:
        # Numbers are handed out in turn; with SQLite the transaction itself is the turn.
        self.organization = Organization.objects.select_for_update().get(pk=organization_id)
        self._known: dict[Asked, Blueprint | DatanikaError] = {}
        self._sorts: dict[tuple[Asked, LoadOptions], _Sort] = {}

    def create(self, requests: Sequence[RunRequest]) -> list[Made | DatanikaError]:
        """In the order of the requests: what was made of each, or why nothing was."""
        new = {request.asked for request in requests} - self._known.keys()
        if new:
            self._known |= blueprints_of(self.organization, new)
        answers = [self._checked(request) for request in requests]
        pairs = list(zip(requests, answers, strict=True))
        good = [(request, found) for request, found in pairs if isinstance(found, Blueprint)]
        made = iter(self._write(good))
        return [found if isinstance(found, DatanikaError) else next(made) for found in answers]

    def _checked(self, request: RunRequest) -> Blueprint | DatanikaError:
        found = self._known[request.asked]
        if isinstance(found, DatanikaError) or request.options == USUAL:
            return found
        try:
            check_for(found.thing, request.options)
        except DatanikaError as error:
            return error
        return found

    def _write(self, pairs: list[tuple[RunRequest, Blueprint]]) -> list[Made]:
        if not pairs:
            return []
        organization = self.organization
        first = organization.last_run_number + 1
        organization.last_run_number += len(pairs)
        organization.save(update_fields=["last_run_number"])
        ids = bulk.new_ids(Run, len(pairs))
        made = [Made(pk, number) for number, pk in enumerate(ids, first)]
        sorts = [self._sort(*pair) for pair in pairs]
        now = timezone.now()
        together = list(zip(made, pairs, sorts, strict=True))
        rows = [_run(*one) for one in together]
        bulk.insert(Run, rows, organization_id=organization.pk, requested_at=now)
        self._write_steps(made, pairs, now)
        log.open_logs(organization.pk, [(one[0].pk, _opening(*one, now)) for one in together])
        audit.record_many(
            organization=organization,
            action=AuditAction.RUN_REQUESTED,
            target_type=Run,
            entries=[
                audit.Entry(request.actor, str(run.pk), f"Run #{run.number}", sort.changes)
                for run, (request, _), sort in together
            ],
        )
        return made

    def _write_steps(
        self, made: list[Made], pairs: list[tuple[RunRequest, Blueprint]], now: datetime
    ) -> None:
        ids = iter(bulk.new_ids(RunStep, sum(len(blueprint.steps) for _, blueprint in pairs)))
        rows: list[dict[str, Any]] = []
        for run, (request, blueprint) in zip(made, pairs, strict=True):
            waits = request.after is not None and request.after.is_active
            for step in blueprint.steps:
                row = {**step, "id": next(ids), "run_id": run.pk}
                if waits:
                    row["is_ready"] = False
                if row["is_ready"]:
                    run.ready.append(row["id"])
                rows.append(row)
        bulk.insert(RunStep, rows, organization_id=self.organization.pk, queued_at=now)

    def _sort(self, request: RunRequest, blueprint: Blueprint) -> _Sort:
        key = (request.asked, request.options)
        if key not in self._sorts:
            self._sorts[key] = _sort(request, blueprint)
        return self._sorts[key]


@transaction.atomic
def create_run(
    *,
    organization: Organization,
    actor: Actor,
    target: str,
    select: str = "",
    trigger: Trigger = Trigger.MANUAL,
    options: LoadOptions = USUAL,
    schedule: Schedule | None = None,
    scheduled_for: datetime | None = None,
    retry_of: Run | None = None,
    after: Run | None = None,
    only: set[str] | None = None,
    succeeded: frozenset[str] = frozenset(),
    idempotency_key: str = "",
) -> tuple[Run, list[int]]:
    """A run with its steps, QUEUED, and the ids of the steps that can start at once.

    ``target`` is ``pipeline:<slug>``, ``transformation:<name>`` or ``dag``; ``select`` narrows or widens it
    (``+slug+``, ``tag:x``). ``only`` replaces both by keys (a run again from failure, which leaves out what has
    ``succeeded``). See ``RunRequest`` for the others.
    """
    request = RunRequest(
        asked=Asked(target, select, None if only is None else frozenset(only), succeeded),
        actor=actor,
        trigger=trigger,
        options=options,
        schedule=schedule,
        scheduled_for=scheduled_for,
        retry_of=retry_of,
        after=after,
        idempotency_key=idempotency_key,
    )
    desk = Desk(organization.pk)
    check_awake(desk.organization)
    (made,) = desk.create([request])
    if isinstance(made, DatanikaError):
        raise made
    run = Run.all_organizations.get(pk=made.pk)
    run.organization = desk.organization
    return run, made.ready


def _run(made: Made, pair: tuple[RunRequest, Blueprint], sort: _Sort) -> dict[str, Any]:
    request, blueprint = pair
    return {
        "id": made.pk,
        "number": made.number,
        "node_id": blueprint.node.pk if blueprint.node else None,
        "target": request.asked.target,
        "title": sort.title,
        "select": request.asked.select,
        "full_refresh": request.options.full_refresh,
        "options": sort.options,
        "trigger": request.trigger,
        "requested_by": request.actor.label,
        "schedule_id": request.schedule.pk if request.schedule else None,
        "scheduled_for": request.scheduled_for,
        "retry_of_id": request.retry_of.pk if request.retry_of else None,
        "after_id": request.after.pk if request.after else None,
        "idempotency_key": request.idempotency_key,
        "capsule": sort.capsule,
        "last_line": 1 + len(sort.warnings),
    }


def _sort(request: RunRequest, blueprint: Blueprint) -> _Sort:
    asked, options = request.asked, as_json(request.options)
    steps = blueprint.plan.steps
    nodes = sum(len(step.nodes) for step in steps)
    what = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    things = "1 node" if nodes == 1 else f"{nodes} nodes"
    words = request.options.words()
    changes = {"target": [None, asked.target], "select": [None, asked.select]}
    return _Sort(
        title=_title(blueprint.thing, asked.select, request.options),
        options=options,
        capsule={**blueprint.capsule, "options": options},
        changes=changes | ({"options": [None, options]} if options else {}),
        opening=f"{things} in {what}." + (f" Asked for: {words}." if words else ""),
        warnings=[
            f"{key.partition(':')[2]} is paused and left out."
            for key in sorted(blueprint.plan.paused)
        ],
    )


def _title(thing: Thing | None, expression: str, options: LoadOptions) -> str:
    name = thing.name if thing else (expression or "Whole graph")
    more = [expression] if thing and expression else []
    if words := words_beside_title(options):
        more.append(words)
    return f"{name} ({', '.join(more)})"[:160] if more else name[:160]


def _opening(
    made: Made, pair: tuple[RunRequest, Blueprint], sort: _Sort, now: datetime
) -> list[log.Line]:
    """The first lines of its log: who asked for what, and what is left out."""
    text = f"Run #{made.number} requested by {pair[0].actor.label}: {sort.opening}"
    return [
        log.own_line("info", text, now),
        *(log.own_line("warn", warning, now) for warning in sort.warnings),
    ]
