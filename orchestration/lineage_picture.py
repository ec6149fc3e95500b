"""The lineage as a picture: where each node stands, how the edges run, and where their marks stand."""

from dataclasses import dataclass

from common.graphs import Edge
from orchestration.layout import Picture, arrange
from orchestration.lineage import Lineage, LineageNode

#: Above this the list opens first: a picture of more cannot be read.
LARGEST_PICTURE = 300
#: Room around the picture, for focus rings.
MARGIN = 32
#: The mark of a freshness window stands this far before the edge's end.
_BEFORE_END = 16


@dataclass(frozen=True)
class DrawnNode:
    node: LineageNode
    x: float
    y: float
    up: str
    down: str


@dataclass(frozen=True)
class DrawnEdge:
    path: str
    up: str
    down: str
    kind: str
    tone: str
    #: The freshness window in words, and where its mark stands.
    window: str
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    nodes: list[DrawnNode]
    edges: list[DrawnEdge]


def drawn(lineage: Lineage) -> Drawing:
    """Places and paths of everything in ``lineage``. Raises ``CyclicDependency`` for a circle."""
    picture = arrange(list(lineage.nodes), lineage.edges.keys())
    return Drawing(
        width=picture.width + 2 * MARGIN,
        height=picture.height + 2 * MARGIN,
        nodes=[_node(lineage, picture, key) for key in lineage.nodes],
        edges=[_edge(lineage, edge, path) for edge, path in sorted(picture.paths.items())],
    )


def _node(lineage: Lineage, picture: Picture, key: str) -> DrawnNode:
    place = picture.places[key]
    return DrawnNode(
        node=lineage.nodes[key],
        x=place.x + MARGIN,
        y=place.y + MARGIN,
        up=" ".join(sorted(lineage.up.get(key, ()))),
        down=" ".join(sorted(lineage.down.get(key, ()))),
    )


def _edge(lineage: Lineage, edge: Edge, path: str) -> DrawnEdge:
    # Every path ends at the middle of its node's left side.
    x, y = path.replace("L", " ").replace("C", " ").split()[-2:]
    tone = lineage.nodes[edge[0]].tone
    return DrawnEdge(
        path=path,
        up=edge[0],
        down=edge[1],
        kind=lineage.edges[edge],
        # It looks like what flows through it: nothing behind a failure, something behind a run.
        tone=tone if tone in {"bad", "run"} else "",
        window=lineage.window(edge),
        x=float(x) + MARGIN - _BEFORE_END,
        y=float(y) + MARGIN,
    )
