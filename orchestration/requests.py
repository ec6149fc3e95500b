"""From a request to rows: the run and its steps, planned and written in the caller's transaction."""

from collections import defaultdict
from datetime import datetime
from importlib.metadata import version
from typing import Any

from django.db import transaction

from audit import services as audit
from audit.actions import AuditAction
from common.errors import NotFound
from connections.models import Connection
from orchestration.engine import log
from orchestration.engine.planner import Graph, PlannedStep, plan, select
from orchestration.errors import InvalidSelection, PipelinePaused
from orchestration.graph import find_thing, graph_of, node_for, warehouses
from orchestration.models import DEFAULT_QUEUE, Run, RunStep, Schedule, StepKind, Trigger
from orchestration.options import as_json, check_for, options_of, words_beside_title
from pipelines import services as pipelines
from pipelines.models import Pipeline
from pipelines.runner import USUAL, LoadOptions
from tenants.actors import Actor
from tenants.models import Organization
from transforms import services as transforms
from transforms.models import Transformation

DAG = "dag"
_PACKAGES = ("dlt", "dbt-core", "dbt-duckdb", "dbt-postgres", "duckdb", "pyarrow")


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
    idempotency_key: str = "",
) -> tuple[Run, list[int]]:
    """A run with its steps, QUEUED, and the ids of the steps that can start at once.

    ``target`` is ``pipeline:<slug>``, ``transformation:<name>`` or ``dag``; ``select`` narrows or widens it
    (``+slug+``, ``tag:x``). ``only`` replaces both by keys (a run again from failure). ``options`` hold for the
    target's pipeline; a full refresh holds for everything that runs. ``after`` is a run that has to end first.
    """
    # Numbers are handed out in turn; with SQLite the transaction itself is the turn.
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    graph = graph_of(organization)
    chosen = only if only is not None else _chosen(organization, graph, target, select)
    paused = {key for key in chosen if graph.nodes[key].is_paused}
    if target in paused:
        raise PipelinePaused(remedy="Resume it, then run it.")
    steps = plan(graph, chosen - paused)
    if not steps and paused:
        raise PipelinePaused("Everything to run is paused.", remedy="Resume a pipeline first.")
    if not steps:
        raise InvalidSelection(
            "There is nothing to run.",
            field="select",
            remedy="Make a pipeline or a transformation first.",
        )
    thing = find_thing(organization, target)
    check_for(thing, options)
    organization.last_run_number += 1
    organization.save(update_fields=["last_run_number"])
    run = Run(
        organization=organization,
        number=organization.last_run_number,
        node=node_for(thing) if thing else None,
        target=target,
        title=_title(thing, select, options),
        select=select,
        full_refresh=options.full_refresh,
        options=as_json(options),
        trigger=trigger,
        requested_by=actor.label,
        schedule=schedule,
        scheduled_for=scheduled_for,
        retry_of=retry_of,
        after=after,
        idempotency_key=idempotency_key,
    )
    things = _things(organization, graph, chosen)
    run.capsule = _capsule(steps, things, graph) | {"options": run.options}
    run.save()
    rows = RunStep.all_organizations.bulk_create(_steps(run, steps, things))
    log.note(run, "info", _opening(run, steps, actor))
    for key in sorted(paused):
        log.note(run, "warn", f"{key.partition(':')[2]} is paused and left out.")
    audit.record(
        organization=organization,
        actor=actor,
        action=AuditAction.RUN_REQUESTED,
        target=run,
        changes=_changes(run),
    )
    return run, [row.pk for row in rows if row.is_ready]


def _chosen(organization: Organization, graph: Graph, target: str, expression: str) -> set[str]:
    if target == DAG:
        return select(graph, expression)
    if target not in graph.nodes:
        raise NotFound(
            f"There is no {target!r} in this organization.",
            field="target",
            remedy="Use pipeline:<slug>, transformation:<name> or dag.",
        )
    if not expression:
        return {target}
    name = target.partition(":")[2]
    widened = expression if expression.strip("+") == name else f"{name} {expression}"
    return select(graph, widened)


def _changes(run: Run) -> dict[str, Any]:
    changes = {"target": [None, run.target], "select": [None, run.select]}
    return changes | ({"options": [None, run.options]} if run.options else {})


def _title(thing: Pipeline | Transformation | None, expression: str, options: LoadOptions) -> str:
    name = thing.name if thing else (expression or "Whole graph")
    more = [expression] if thing and expression else []
    if words := words_beside_title(options):
        more.append(words)
    return f"{name} ({', '.join(more)})"[:160] if more else name[:160]


def _things(
    organization: Organization, graph: Graph, chosen: set[str]
) -> dict[str, Pipeline | Transformation]:
    pipelines_ = Pipeline.objects.for_organization(organization).select_related(
        "source", "destination"
    )
    rows: dict[str, Pipeline | Transformation] = {f"pipeline:{p.slug}": p for p in pipelines_}
    transformations = Transformation.objects.for_organization(organization)
    for t in transformations.select_related("connection"):
        rows[f"transformation:{t.name}"] = t
    return {key: rows[key] for key in chosen}


def _steps(
    run: Run, planned: list[PlannedStep], things: dict[str, Pipeline | Transformation]
) -> list[RunStep]:
    """The rows of a run's steps; those that wait for none are ready, unless the run comes after another."""
    waits = run.after is not None and run.after.is_active
    found = warehouses(run.organization, {step.warehouse for step in planned if step.warehouse})
    downstream: dict[int, list[int]] = defaultdict(list)
    for step in planned:
        for position in step.upstream:
            downstream[position].append(step.position)
    rows = []
    for step in planned:
        row = RunStep(
            organization=run.organization,
            run=run,
            position=step.position,
            nodes=step.nodes,
            upstream=step.upstream,
            downstream=downstream[step.position],
            is_ready=not step.upstream and not waits,
        )
        _describe(row, step, things, found)
        rows.append(row)
    return rows


def _describe(
    row: RunStep,
    step: PlannedStep,
    things: dict[str, Pipeline | Transformation],
    found: dict[int, Connection],
) -> None:
    """What the step executes, and where."""
    if step.warehouse is None:
        (key,) = step.nodes
        pipeline = things[key]
        assert isinstance(pipeline, Pipeline)
        row.kind, row.pipeline, row.name = StepKind.PIPELINE, pipeline, pipeline.name
        uses = [pipeline.source, pipeline.destination]
    else:
        warehouse = found[step.warehouse]
        names = [key.partition(":")[2] for key in step.nodes]
        row.kind, row.connection = StepKind.TRANSFORM, warehouse
        row.name = names[0] if len(names) == 1 else f"{len(names)} transformations"
        uses = [warehouse]
    row.connection_ids = sorted({connection.pk for connection in uses})
    queues = [connection.queue for connection in uses if connection.queue]
    row.queue = next(iter(queues), row.organization.queue or DEFAULT_QUEUE)


def _capsule(
    steps: list[PlannedStep], things: dict[str, Pipeline | Transformation], graph: Graph
) -> dict[str, Any]:
    """What was asked for exactly, without secrets, so that a run can be explained and repeated."""
    return {
        "nodes": {
            key: pipelines.snapshot(thing)
            if isinstance(thing, Pipeline)
            else transforms.snapshot(thing)
            for key, thing in sorted(things.items())
        },
        "edges": sorted([a, b] for a, b in graph.edges if a in things and b in things),
        "steps": [sorted(step.nodes) for step in steps],
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _opening(run: Run, steps: list[PlannedStep], actor: Actor) -> str:
    nodes = sum(len(step.nodes) for step in steps)
    what = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    things = "1 node" if nodes == 1 else f"{nodes} nodes"
    words = options_of(run).words()
    asked = f" Asked for: {words}." if words else ""
    return f"Run #{run.number} requested by {actor.label}: {things} in {what}.{asked}"
