"""From a graph and a selection to ordered steps. Pure: no ORM, tested with plain data."""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from common.graphs import Edge, downstream_of, find_cycle, reach, topological, upstream_of
from orchestration.errors import CyclicDependency, InvalidSelection

_TERM = re.compile(r"^(?P<up>\+?)(?P<name>[^+\s]+?)(?P<down>\+?)$")


@dataclass(frozen=True)
class GraphNode:
    """``warehouse`` is the connection id that a transformation is built in; None for a pipeline.

    Into a ``serial`` warehouse one writes at a time, so branches kept apart would only wait for each other.
    """

    key: str
    warehouse: int | None = None
    serial: bool = False
    tags: frozenset[str] = frozenset()
    is_paused: bool = False

    @property
    def is_pipeline(self) -> bool:
        return self.warehouse is None

    @property
    def name(self) -> str:
        return self.key.partition(":")[2]


@dataclass(frozen=True)
class Graph:
    """``explicit`` edges were drawn by people; ``inferred`` ones are read from SQL."""

    nodes: dict[str, GraphNode]
    explicit: frozenset[Edge] = frozenset()
    inferred: frozenset[Edge] = frozenset()

    @property
    def edges(self) -> frozenset[Edge]:
        return self.explicit | self.inferred

    def cycle_with(self, extra: frozenset[Edge] = frozenset()) -> list[str]:
        """One circle that these edges make, as a path of keys, or an empty list."""
        return find_cycle(sorted(self.nodes), self.edges | extra)


@dataclass(frozen=True)
class PlannedStep:
    """One child process: a pipeline, or all transformations of one dbt call."""

    position: int
    warehouse: int | None
    #: Each node with its upstream nodes in this run, upstream first.
    nodes: dict[str, list[str]]
    upstream: list[int] = field(default_factory=list)


def select(graph: Graph, expression: str) -> set[str]:
    """Keys that a selection names: ``name``, ``+name``, ``name+``, ``+name+``, ``tag:x``, separated by blanks.

    Empty selects everything. Raises ``InvalidSelection`` for a term that matches nothing.
    """
    terms = expression.split()
    if not terms:
        return set(graph.nodes)
    up, down = upstream_of(graph.edges), downstream_of(graph.edges)
    chosen: set[str] = set()
    for term in terms:
        match = _TERM.match(term)
        found = _matching(graph, match["name"]) if match else set()
        if not match or not found:
            raise InvalidSelection(
                f"{term!r} matches nothing.",
                field="select",
                remedy="Use a pipeline's slug, a transformation's name or tag:<tag>, with + for up- or downstream.",
            )
        chosen |= found
        chosen |= reach(found, up) if match["up"] else set()
        chosen |= reach(found, down) if match["down"] else set()
    return chosen


def plan(graph: Graph, chosen: set[str]) -> list[PlannedStep]:
    """Steps in an order that runs every upstream first; raises ``CyclicDependency`` naming the path.

    Transformations of one warehouse that can run in one go are one step, however many they are.
    """
    if cycle := graph.cycle_with():
        raise CyclicDependency(cycle, field="select")
    edges = _through_unchosen(graph, chosen)
    order = topological([key for key in graph.nodes if key in chosen], edges)
    up = upstream_of(edges)
    groups = _groups(graph, order, up)
    position = {key: number for number, group in enumerate(groups) for key in group}
    return [
        PlannedStep(
            position=number,
            warehouse=graph.nodes[group[0]].warehouse,
            nodes={key: sorted(up.get(key, ())) for key in group},
            upstream=sorted({position[u] for k in group for u in up.get(k, ())} - {number}),
        )
        for number, group in enumerate(groups)
    ]


def _matching(graph: Graph, name: str) -> set[str]:
    if name in graph.nodes:
        return {name}
    if name.startswith("tag:"):
        return {node.key for node in graph.nodes.values() if name[4:] in node.tags}
    return {node.key for node in graph.nodes.values() if node.name == name}


def _through_unchosen(graph: Graph, chosen: set[str]) -> set[Edge]:
    """Edges between chosen nodes, also where the path between them leads through nodes left out."""
    up = upstream_of(graph.edges)
    edges: set[Edge] = set()
    for key in chosen:
        seen: set[str] = set()
        queue = list(up.get(key, ()))
        while queue:
            other = queue.pop()
            if other in seen:
                continue
            seen.add(other)
            if other in chosen:
                edges.add((other, key))
            else:
                queue.extend(up.get(other, ()))
    return edges


def _groups(graph: Graph, order: list[str], up: dict[str, set[str]]) -> list[list[str]]:
    """Nodes that share a step, upstream groups first.

    A transformation may join its upstream transformations of the same warehouse; everything else it reads puts it
    one stage later. Stages only grow along edges between groups, so groups cannot wait for each other.
    """
    stage: dict[str, int] = {}
    for key in order:
        node = graph.nodes[key]
        stage[key] = max(
            (stage[u] + (0 if _joins(node, graph.nodes[u]) else 1) for u in up.get(key, ())),
            default=0,
        )
    groups: dict[str, list[str]] = defaultdict(list)
    leader = _leaders(graph, order, up, stage)
    for key in order:
        groups[leader[key]].append(key)
    # A stage is a level of the group graph, so sorting by it is an order of the steps.
    return sorted(groups.values(), key=lambda group: stage[group[0]])


def _joins(node: GraphNode, upstream: GraphNode) -> bool:
    return node.warehouse is not None and node.warehouse == upstream.warehouse


def _leaders(
    graph: Graph, order: list[str], up: dict[str, set[str]], stage: dict[str, int]
) -> dict[str, str]:
    """Union-find: within a warehouse and a stage, nodes that touch or share an upstream belong together.

    Branches that share nothing stay apart, so that one does not wait for the other; in a serial warehouse they
    would, and each pay for dbt's start.
    """
    leader = {key: key for key in order}

    def find(key: str) -> str:
        while leader[key] != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    readers: dict[tuple[str, int | None, int], str] = {}
    for key in order:
        node = graph.nodes[key]
        if node.is_pipeline:
            continue
        if node.serial:
            first = readers.setdefault(("", node.warehouse, stage[key]), key)
            leader[find(key)] = find(first)
            continue
        for upstream in up.get(key, ()):
            if stage[upstream] == stage[key] and _joins(node, graph.nodes[upstream]):
                leader[find(key)] = find(upstream)
            else:
                first = readers.setdefault((upstream, node.warehouse, stage[key]), key)
                leader[find(key)] = find(first)
    return {key: find(key) for key in order}
