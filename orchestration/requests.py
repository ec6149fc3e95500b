"""From requests to rows: runs and their steps, planned and written in the caller's transaction.

One run and ten thousand are made by the same code: what they have in common is read and planned once, and rows of
one kind are written together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import DatanikaError
from orchestration.blueprints import DAG, Asked, Blueprint, Thing, blueprints_of, chosen_of
from orchestration.engine import log
from orchestration.models import Run, RunStep, Schedule, Trigger
from orchestration.options import as_json, check_for, options_of, words_beside_title
from pipelines.runner import USUAL, LoadOptions
from tenants.actors import Actor
from tenants.models import Organization

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
    after: Run | None = None
    idempotency_key: str = ""


@dataclass(frozen=True)
class Made:
    """A run, QUEUED, and the ids of its steps that can start at once."""

    run: Run
    ready: list[int]


class Desk:
    """Where the runs of one organization are made, for the length of one transaction."""

    def __init__(self, organization_id: int) -> None:
        # Numbers are handed out in turn; with SQLite the transaction itself is the turn.
        self.organization = Organization.objects.select_for_update().get(pk=organization_id)
        self._known: dict[Asked, Blueprint | DatanikaError] = {}

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
        first = self.organization.last_run_number + 1
        self.organization.last_run_number += len(pairs)
        self.organization.save(update_fields=["last_run_number"])
        runs = [
            _run(self.organization, first + place, request, blueprint)
            for place, (request, blueprint) in enumerate(pairs)
        ]
        lines = [_opening(run, *pair) for run, pair in zip(runs, pairs, strict=True)]
        for run, own in zip(runs, lines, strict=True):
            run.last_line = len(own)
        Run.all_organizations.bulk_create(runs)
        rows = [blueprint.rows(run) for run, (_, blueprint) in zip(runs, pairs, strict=True)]
        RunStep.all_organizations.bulk_create([row for own in rows for row in own])
        log.open_logs(zip(runs, lines, strict=True))
        audit.record_many(
            audit.event_of(
                organization=self.organization,
                actor=request.actor,
                action=AuditAction.RUN_REQUESTED,
                target=run,
                changes=_changes(run),
            )
            for run, (request, _) in zip(runs, pairs, strict=True)
        )
        return [
            Made(run, [row.pk for row in own if row.is_ready])
            for run, own in zip(runs, rows, strict=True)
        ]


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
    (made,) = Desk(organization.pk).create([request])
    if isinstance(made, DatanikaError):
        raise made
    return made.run, made.ready


def _run(organization: Organization, number: int, request: RunRequest, blueprint: Blueprint) -> Run:
    asked, options = request.asked, request.options
    run = Run(
        organization=organization,
        number=number,
        node=blueprint.node,
        target=asked.target,
        title=_title(blueprint.thing, asked.select, options),
        select=asked.select,
        full_refresh=options.full_refresh,
        options=as_json(options),
        trigger=request.trigger,
        requested_by=request.actor.label,
        schedule=request.schedule,
        scheduled_for=request.scheduled_for,
        retry_of=request.retry_of,
        after=request.after,
        idempotency_key=request.idempotency_key,
    )
    run.capsule = {**blueprint.capsule, "options": run.options}
    return run


def _changes(run: Run) -> dict[str, Any]:
    changes = {"target": [None, run.target], "select": [None, run.select]}
    return changes | ({"options": [None, run.options]} if run.options else {})


def _title(thing: Thing | None, expression: str, options: LoadOptions) -> str:
    name = thing.name if thing else (expression or "Whole graph")
    more = [expression] if thing and expression else []
    if words := words_beside_title(options):
        more.append(words)
    return f"{name} ({', '.join(more)})"[:160] if more else name[:160]


def _opening(run: Run, request: RunRequest, blueprint: Blueprint) -> list[log.Line]:
    """The first lines of its log: who asked for what, and what is left out."""
    steps = blueprint.plan.steps
    nodes = sum(len(step.nodes) for step in steps)
    what = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    things = "1 node" if nodes == 1 else f"{nodes} nodes"
    words = options_of(run).words()
    asked = f" Asked for: {words}." if words else ""
    text = f"Run #{run.number} requested by {request.actor.label}: {things} in {what}.{asked}"
    return [
        log.own_line("info", text),
        *(
            log.own_line("warn", f"{key.partition(':')[2]} is paused and left out.")
            for key in sorted(blueprint.plan.paused)
        ),
    ]
