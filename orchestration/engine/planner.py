"""From a graph and a selection to ordered steps. Pure: no ORM, tested with plain data."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from common.graphs import Edge, find_cycle, topological, upstream_of
from orchestration.engine.nodes import Graph, GraphNode
from orchestration.engine.rules import Conditions, Rule
from orchestration.engine.selection import select
from orchestration.errors import CyclicDependency

__all__ = ["Graph", "GraphNode", "PlannedStep", "plan", "select"]


@dataclass(frozen=True)
class PlannedStep:
    """One child process: a pipeline, or all transformations of one dbt call."""

    position: int
    warehouse: int | None
    #: Each node with its upstream nodes in this run, upstream first.
    nodes: dict[str, list[str]]
    upstream: list[int] = field(default_factory=list)
    #: Of the nodes that ask for more, or less, than that their upstreams in this run succeed.
    conditions: dict[str, Conditions] = field(default_factory=dict)


def plan(
    graph: Graph, chosen: Collection[str], *, succeeded: Collection[str] = frozenset()
) -> list[PlannedStep]:
    """Steps in an order that runs every upstream first; raises ``CyclicDependency`` naming the path.

    Transformations of one warehouse that can run in one go are one step, however many they are. ``succeeded`` are
    nodes left out because the run that this one goes on from has done them.
    """
    chosen = set(chosen)
    if cycle := find_cycle(list(graph.nodes), graph.edges):
        raise CyclicDependency(cycle, names=graph.titles(cycle), field="select")
    up = upstream_of(_through_unchosen(graph, chosen))
    edges = {(a, b) for b, ups in up.items() for a in ups}
    order = topological([key for key in graph.nodes if key in chosen], edges)
    asked = _conditions(graph, chosen, set(succeeded))
    groups = _Grouping(graph, order, up, asked).groups()
    position = {key: number for number, group in enumerate(groups) for key in group}
    return [
        PlannedStep(
            position=number,
            warehouse=graph.nodes[group[0]].warehouse,
            nodes={key: sorted(up.get(key, ())) for key in group},
            upstream=sorted({position[u] for k in group for u in up.get(k, ())} - {number}),
            conditions={key: asked[key] for key in group if key in asked},
        )
        for number, group in enumerate(groups)
    ]


def _conditions(graph: Graph, chosen: set[str], succeeded: set[str]) -> dict[str, Conditions]:
    """By key, for the nodes with a rule or a window of their own."""
    windows: dict[str, dict[str, int]] = defaultdict(dict)
    for (upstream, key), seconds in graph.windows.items():
        if key in chosen and upstream not in chosen and upstream not in succeeded:
            windows[key][upstream] = seconds
    asked: dict[str, Conditions] = {}
    done_before = {b for a, b in graph.edges if a in succeeded} if succeeded else set()
    for key in chosen:
        rule = graph.nodes[key].rule
        if rule == Rule.ANY_SUCCEEDED and key in done_before:
            # One of them has succeeded already, in the run before.
            rule = Rule.ALL_FINISHED
        found = Conditions(rule, windows.get(key))
        if not found.is_usual:
            asked[key] = found
    return asked


def _through_unchosen(graph: Graph, chosen: set[str]) -> set[Edge]:
    """Edges between chosen nodes, also where the path between them leads through nodes left out."""
    if len(chosen) == len(graph.nodes):
        return set(graph.edges)
    up = upstream_of(graph.edges)
    #: Of a node left out: the nearest chosen ones above it, found once however many stand below.
    nearest: dict[str, frozenset[str]] = {}
    for key in topological(list(graph.nodes), graph.edges):
        if key not in chosen:
            nearest[key] = _nearest(up.get(key, set()), chosen, nearest)
    return {
        (other, key) for key in chosen for other in _nearest(up.get(key, set()), chosen, nearest)
    }


def _nearest(
    upstreams: set[str], chosen: set[str], nearest: dict[str, frozenset[str]]
) -> frozenset[str]:
    found: set[str] = set()
    for other in upstreams:
        if other in chosen:
            found.add(other)
        else:
            found |= nearest[other]
    return frozenset(found)


class _Grouping:
    """Nodes that share a step.

    A transformation may join its upstream transformations of the same warehouse; everything else it reads puts it
    one stage later. Stages only grow along edges between groups, so groups cannot wait for each other.
    """

    def __init__(
        self,
        graph: Graph,
        order: list[str],
        up: dict[str, set[str]],
        asked: dict[str, Conditions],
    ) -> None:
        self.nodes = graph.nodes
        self.order = order
        self.up = up
        # dbt itself skips what reads from a failed model of its call, so other rules begin a call of their own.
        self.ruled = {key for key, found in asked.items() if found.rule != Rule.ALL_SUCCEEDED}
        # A window that is not kept fails the whole step: nobody else shares it.
        self.gated = {key for key, found in asked.items() if found.windows}
        self.stage = self._stages()
        self.leader = {key: key for key in order}

    def groups(self) -> list[list[str]]:
        """Upstream groups first."""
        self._join()
        groups: dict[str, list[str]] = defaultdict(list)
        for key in self.order:
            groups[self._find(key)].append(key)
        # A stage is a level of the group graph, so sorting by it is an order of the steps.
        return sorted(groups.values(), key=lambda group: self.stage[group[0]])

    def _stages(self) -> dict[str, int]:
        stage: dict[str, int] = {}
        for key in self.order:
            stage[key] = max(
                (stage[u] + (0 if self._joins(key, u) else 1) for u in self.up.get(key, ())),
                default=0,
            )
        return stage

    def _joins(self, key: str, upstream: str) -> bool:
        node, other = self.nodes[key], self.nodes[upstream]
        if node.warehouse is None or node.warehouse != other.warehouse or key in self.ruled:
            return False
        return key not in self.gated and upstream not in self.gated

    def _join(self) -> None:
        """Union-find: within a warehouse and a stage, nodes that touch or share an upstream belong together.

        Branches that share nothing stay apart, so that one does not wait for the other; in a serial warehouse they
        would, and each pay for dbt's start.
        """
        readers: dict[tuple[str, int | None, int], str] = {}
        for key in self.order:
            node = self.nodes[key]
            if node.is_pipeline or key in self.gated:
                continue
            stage = self.stage[key]
            if node.serial:
                self._unite(key, readers.setdefault(("", node.warehouse, stage), key))
                continue
            for upstream in self.up.get(key, ()):
                if self.stage[upstream] == stage and self._joins(key, upstream):
                    self._unite(key, upstream)
                else:
                    self._unite(key, readers.setdefault((upstream, node.warehouse, stage), key))

    def _unite(self, key: str, other: str) -> None:
        self.leader[self._find(key)] = self._find(other)

    def _find(self, key: str) -> str:
        leader = self.leader
        while leader[key] != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key
