"""What all runs of one target and selection have in common, read and planned once, however many are made of it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from typing import Any

from common.errors import DatanikaError, NotFound
from connections.models import Connection
from orchestration.engine.planner import Graph, GraphNode, PlannedStep, plan, select
from orchestration.engine.rules import Rule
from orchestration.errors import InvalidSelection, PipelinePaused
from orchestration.graph import find_thing, graph_of, node_for, warehouses
from orchestration.models import DEFAULT_QUEUE, Dependency, Node, StepKind
from pipelines import services as pipelines
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms import services as transforms
from transforms.models import Transformation

DAG = "dag"
Thing = Pipeline | Transformation
#: So many are asked for by name; more of them are cheaper to read with all others.
_FEW = 1_000
_PACKAGES = ("dlt", "dbt-core", "dbt-duckdb", "dbt-postgres", "duckdb", "pyarrow")


@dataclass(frozen=True)
class Asked:
    """``target`` narrowed or widened by ``select``; ``only`` replaces both by keys.

    ``succeeded`` are keys left out because the run that this one goes on from has done them.
    """

    target: str
    select: str = ""
    only: frozenset[str] | None = None
    succeeded: frozenset[str] = frozenset()

    @property
    def is_alone(self) -> bool:
        return self.target != DAG and not self.select and self.only is None


@dataclass(frozen=True)
class Plan:
    """Still without rows: what is chosen, what of it is paused, and the steps of the rest."""

    graph: Graph
    chosen: frozenset[str]
    paused: frozenset[str]
    steps: list[PlannedStep]


@dataclass(frozen=True)
class Blueprint:
    """A plan with the rows that it speaks of."""

    plan: Plan
    #: The target, unless that is the graph.
    thing: Thing | None
    node: Node | None
    things: Mapping[str, Thing]
    warehouses: Mapping[int, Connection]
    #: What is run exactly, without secrets, so that a run can be explained and repeated.
    capsule: Mapping[str, Any]
    #: Where steps go whose connections name none.
    queue: str

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """The rows of the steps as far as all runs have them in common; those that wait for none are ready."""
        downstream: dict[int, list[int]] = defaultdict(list)
        for step in self.plan.steps:
            for position in step.upstream:
                downstream[position].append(step.position)
        return [self._step(step, downstream[step.position]) for step in self.plan.steps]

    def _step(self, step: PlannedStep, downstream: list[int]) -> dict[str, Any]:
        what, uses = self._described(step)
        queues = [connection.queue for connection in uses if connection.queue]
        return {
            **what,
            "position": step.position,
            "nodes": step.nodes,
            "upstream": step.upstream,
            "downstream": downstream,
            "conditions": {key: found.as_json() for key, found in step.conditions.items()},
            "is_ready": not step.upstream,
            "connection_ids": sorted(
                {one.pk for one in uses if one == uses[-1] or one.reading_takes_a_slot}
            ),
            "queue": next(iter(queues), self.queue),
        }

    def _described(self, step: PlannedStep) -> tuple[dict[str, Any], list[Connection]]:
        """What the step executes, and the connections it uses; the last is the one it writes to."""
        what: dict[str, Any] = {"pipeline_id": None, "connection_id": None}
        if step.warehouse is None:
            (key,) = step.nodes
            pipeline = self.things[key]
            assert isinstance(pipeline, Pipeline)
            what |= {"kind": StepKind.PIPELINE, "name": pipeline.name, "pipeline_id": pipeline.pk}
            return what, connections_of(pipeline)
        warehouse = self.warehouses[step.warehouse]
        names = [key.partition(":")[2] for key in step.nodes]
        name = names[0] if len(names) == 1 else f"{len(names)} transformations"
        what |= {"kind": StepKind.TRANSFORM, "name": name, "connection_id": warehouse.pk}
        return what, [warehouse]


def blueprints_of(
    organization: Organization, asked: Collection[Asked]
) -> dict[Asked, Blueprint | DatanikaError]:
    """By what is asked; the reason where it cannot be run, so that one that is broken does not stop others."""
    library = _Library(organization)
    alone = [one.target for one in asked if one.is_alone]
    library.load(alone)
    singles = _graphs_alone(organization, library, alone)
    whole = None if all(one.is_alone for one in asked) else graph_of(organization)
    found: dict[Asked, Blueprint | DatanikaError] = {}
    plans: dict[Asked, Plan] = {}
    for one in asked:
        graph = singles.get(one.target, Graph({})) if one.is_alone else whole
        assert graph is not None
        try:
            plans[one] = plan_of(graph, one)
        except DatanikaError as error:
            found[one] = error
    library.load(key for one in plans.values() for key in one.chosen)
    return found | _drawn(organization, plans, library)


def plan_of(graph: Graph, asked: Asked) -> Plan:
    """Raises what a person is told: nothing there, all of it paused, a circle."""
    chosen = asked.only if asked.only is not None else chosen_of(graph, asked.target, asked.select)
    paused = {key for key in chosen if graph.nodes[key].is_paused}
    if asked.target in paused:
        raise PipelinePaused(remedy="Resume it, then run it.")
    steps = plan(graph, set(chosen) - paused, succeeded=asked.succeeded)
    if not steps and paused:
        raise PipelinePaused("Everything to run is paused.", remedy="Resume a pipeline first.")
    if not steps:
        raise InvalidSelection(
            "There is nothing to run.",
            field="select",
            remedy="Make a pipeline or a transformation first.",
        )
    return Plan(graph, frozenset(chosen), frozenset(paused), steps)


def chosen_of(graph: Graph, target: str, expression: str) -> set[str]:
    """Keys that such a run has; ``NotFound`` and ``InvalidSelection`` name the field."""
    if target == DAG:
        return select(graph, expression)
    if target not in graph.nodes:
        raise NotFound(
            f"There is no {target!r} in this organization.",
            field="target",
            remedy="Use pipeline:<slug>, transformation:<name> or dag.",
        )
    return select(graph, expression, target=target) if expression else {target}


class _Library:
    """Rows of an organization's pipelines and transformations by key, each read once."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.things: dict[str, Thing] = {}

    def load(self, keys: Iterable[str]) -> None:
        wanted = set(keys) - self.things.keys()
        if not wanted:
            return
        loads = Pipeline.objects.for_organization(self.organization)
        # What a build left behind is long, and no part of what is run.
        builds = Transformation.objects.for_organization(self.organization)
        builds = builds.defer("compiled_sql", "build_message")
        if len(wanted) < _FEW:
            names = [key.partition(":")[2] for key in wanted]
            loads, builds = loads.filter(slug__in=names), builds.filter(name__in=names)
        found: dict[str, Thing] = {f"pipeline:{row.slug}": row for row in loads}
        found |= {f"transformation:{row.name}": row for row in builds}
        found = {key: row for key, row in found.items() if key in wanted}
        self._join(found.values())
        self.things |= found

    def _join(self, things: Collection[Thing]) -> None:
        """Each connection is read, and its secrets decrypted, once for all that use it."""
        ids = {pk for thing in things for pk in _connection_ids(thing)}
        connections = Connection.all_organizations.in_bulk(ids)
        for thing in things:
            thing.organization = self.organization
            if isinstance(thing, Pipeline):
                thing.source = connections[thing.source_id]
                thing.destination = connections[thing.destination_id]
            else:
                thing.connection = connections[thing.connection_id]

    def nodes(self, keys: Collection[str]) -> dict[str, Node]:
        """The graph's rows of what is here, made at first need."""
        things = {key: self.things[key] for key in keys if key in self.things}
        rows = Node.objects.for_organization(self.organization)
        loads: dict[int | None, str] = {}
        builds: dict[int | None, str] = {}
        for key, thing in things.items():
            (loads if isinstance(thing, Pipeline) else builds)[thing.pk] = key
        found = {loads[row.pipeline_id]: row for row in rows.filter(pipeline__in=loads)}
        found |= {
            builds[row.transformation_id]: row for row in rows.filter(transformation__in=builds)
        }
        return found | {key: node_for(t) for key, t in things.items() if key not in found}


def connections_of(thing: Thing) -> list[Connection]:
    """What it reads from and writes to; the last is the one it writes to."""
    if isinstance(thing, Pipeline):
        return [thing.source, thing.destination]
    return [thing.connection]


def _connection_ids(thing: Thing) -> tuple[int, ...]:
    if isinstance(thing, Pipeline):
        return thing.source_id, thing.destination_id
    return (thing.connection_id,)


def _graphs_alone(
    organization: Organization, library: _Library, keys: Collection[str]
) -> dict[str, Graph]:
    """Of each key the graph as far as a run of this node alone needs it: the node, its rule, its windows."""
    nodes = library.nodes(keys)
    windows: dict[int, dict[str, int]] = defaultdict(dict)
    rows = Dependency.objects.for_organization(organization).filter(
        downstream__in=[node.pk for node in nodes.values()], max_age_seconds__isnull=False
    )
    for row in rows.select_related("upstream__pipeline", "upstream__transformation"):
        if row.upstream.is_alive:
            windows[row.downstream_id][row.upstream.key] = row.max_age_seconds or 0
    return {
        key: Graph(
            nodes={key: _graph_node(key, library.things[key]).with_rule(Rule(node.rule))},
            windows={(upstream, key): age for upstream, age in windows[node.pk].items()},
        )
        for key, node in nodes.items()
    }


def _graph_node(key: str, thing: Thing) -> GraphNode:
    tags = frozenset(thing.tags)
    if isinstance(thing, Pipeline):
        return GraphNode(key, tags=tags, is_paused=thing.is_paused, title=thing.name)
    return GraphNode(key, warehouse=thing.connection_id, tags=tags, title=thing.name)


def _drawn(
    organization: Organization, plans: Mapping[Asked, Plan], library: _Library
) -> dict[Asked, Blueprint]:
    chosen = {key for one in plans.values() for key in one.chosen}
    snapshots = _snapshots({key: library.things[key] for key in chosen})
    places = warehouses(
        organization,
        {step.warehouse for one in plans.values() for step in one.steps if step.warehouse},
    )
    targets = _targets(organization, library, {asked.target for asked in plans})
    nodes = library.nodes(targets)
    uses = {key: connections_of(library.things[key]) for key in chosen}
    return {
        asked: Blueprint(
            plan=one,
            thing=targets.get(asked.target),
            node=nodes.get(asked.target),
            things={key: library.things[key] for key in one.chosen},
            warehouses=places,
            capsule=_capsule(one, snapshots, uses),
            queue=organization.queue or DEFAULT_QUEUE,
        )
        for asked, one in plans.items()
    }


def _targets(
    organization: Organization, library: _Library, keys: Collection[str]
) -> dict[str, Thing]:
    """The targets that still exist; of what failed, the target need not be a part."""
    for key in set(keys) - library.things.keys() - {DAG}:
        if thing := find_thing(organization, key):
            library.things[key] = thing
    return {key: library.things[key] for key in keys if key in library.things}


def _snapshots(things: Mapping[str, Thing]) -> dict[str, Any]:
    loads = {key: one for key, one in things.items() if isinstance(one, Pipeline)}
    builds = {key: one for key, one in things.items() if isinstance(one, Transformation)}
    found = pipelines.snapshots(loads.values())
    built = transforms.snapshots(builds.values())
    return {key: found[one.pk] for key, one in loads.items()} | {
        key: built[one.pk] for key, one in builds.items()
    }


def _capsule(
    plan_: Plan, snapshots: Mapping[str, Any], uses: Mapping[str, list[Connection]]
) -> dict[str, Any]:
    chosen, steps = plan_.chosen, plan_.steps
    used = {one.slug: one for key in chosen for one in uses[key]}
    return {
        "nodes": {key: snapshots[key] for key in sorted(chosen)},
        "connections": {slug: used[slug].as_used() for slug in sorted(used)},
        "edges": sorted([a, b] for a, b in plan_.graph.edges if a in chosen and b in chosen),
        "steps": [sorted(step.nodes) for step in steps],
        "conditions": {
            key: asked.as_json() for step in steps for key, asked in step.conditions.items()
        },
        "versions": _versions(),
    }


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}
