"""A graph as plain data: what selections, plans and pictures are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from common.graphs import Edge, find_cycle
from orchestration.engine.rules import Rule


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
    rule: Rule = Rule.ALL_SUCCEEDED
    #: What people call it.
    title: str = ""

    @property
    def is_pipeline(self) -> bool:
        return self.warehouse is None

    @property
    def name(self) -> str:
        return self.key.partition(":")[2]

    def with_rule(self, rule: Rule) -> "GraphNode":
        return replace(self, rule=rule)


@dataclass(frozen=True)
class Graph:
    """``explicit`` edges were drawn by people; ``inferred`` ones are read from SQL.

    ``windows`` has the seconds of those explicit edges that ask how old their upstream's success may be.
    """

    nodes: dict[str, GraphNode]
    explicit: frozenset[Edge] = frozenset()
    inferred: frozenset[Edge] = frozenset()
    windows: Mapping[Edge, int] = field(default_factory=dict)

    @cached_property
    def edges(self) -> frozenset[Edge]:
        return self.explicit | self.inferred

    @property
    def tags(self) -> list[str]:
        return sorted({tag for node in self.nodes.values() for tag in node.tags})

    def cycle_with(self, extra: frozenset[Edge] = frozenset()) -> list[str]:
        """One circle that these edges make, as a path of keys, or an empty list."""
        return find_cycle(sorted(self.nodes), self.edges | extra)

    def titles(self, path: list[str]) -> list[str]:
        """The keys of a path as people know them; a pipeline says that it is one."""
        return [self._title(key) for key in path]

    def _title(self, key: str) -> str:
        node = self.nodes.get(key)
        if node is None:
            return key
        title = node.title or node.name
        return f"“{title}” (pipeline)" if node.is_pipeline else f"“{title}”"
