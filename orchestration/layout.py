"""Where the nodes of a graph stand in its picture, and how its edges run. Pure: no ORM, no markup.

Layers by longest path, placeholders on edges that pass layers, an order with few crossings, then places that follow
the median of the neighbours. The same graph gives the same picture each time.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from statistics import median

from common.graphs import Edge, downstream_of, find_cycle, topological, upstream_of
from orchestration.errors import CyclicDependency

WIDTH, HEIGHT = 200, 54
GAP_X, GAP_Y = 56, 16
#: An edge that passes a layer needs this much of it.
LANE, LANE_GAP = 10, 12
ORDER_SWEEPS = 12
PLACE_SWEEPS = 16
#: A passing edge is straightened with this weight, so that long edges bend little.
LANE_WEIGHT = 8

Neighbours = dict[str, list[str]]


@dataclass(frozen=True)
class Place:
    """The upper left corner of a node."""

    x: int
    y: float


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    places: dict[str, Place]
    #: The ``d`` of an SVG path for each edge.
    paths: dict[Edge, str]


@dataclass
class _Drawing:
    layers: list[list[str]]
    up: Neighbours
    down: Neighbours
    lanes: set[str] = field(default_factory=set)
    #: Each edge with everything it passes, ends included.
    chains: dict[Edge, list[str]] = field(default_factory=dict)
    middle: dict[str, float] = field(default_factory=dict)

    def height(self, key: str) -> int:
        return LANE if key in self.lanes else HEIGHT

    def distance(self, first: str, second: str) -> float:
        """Between the middles of two neighbours of one layer."""
        gap = LANE_GAP if first in self.lanes or second in self.lanes else GAP_Y
        return (self.height(first) + self.height(second)) / 2 + gap


def arrange(nodes: Sequence[str], edges: Collection[Edge]) -> Picture:
    """Places and paths, left to right. Raises ``CyclicDependency`` for a graph that cannot be layered."""
    if not nodes:
        return Picture(0, 0, {}, {})
    drawing = _with_lanes(nodes, edges, _layers(nodes, edges))
    drawing.layers = _ordered(drawing)
    _place(drawing)
    return _picture(drawing, nodes)


def _layers(nodes: Sequence[str], edges: Collection[Edge]) -> dict[str, int]:
    if cycle := find_cycle(nodes, edges):
        raise CyclicDependency(cycle)
    order = topological(nodes, edges)
    up, down = upstream_of(edges), downstream_of(edges)
    layer: dict[str, int] = {}
    for key in order:
        layer[key] = max((layer[u] + 1 for u in up.get(key, ())), default=0)
    # What reads nothing moves next to its first reader, so that its edges are short.
    for key in reversed(order):
        if down.get(key) and not up.get(key):
            layer[key] = min(layer[d] for d in down[key]) - 1
    return layer


def _with_lanes(nodes: Sequence[str], edges: Collection[Edge], layer: dict[str, int]) -> _Drawing:
    layers: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for key in nodes:
        layers[layer[key]].append(key)
    drawing = _Drawing(layers, {}, {})
    position = {key: i for i, key in enumerate(nodes)}
    for first, last in sorted(edges, key=lambda edge: (position[edge[0]], position[edge[1]])):
        chain = [first]
        for number in range(layer[first] + 1, layer[last]):
            # A blank cannot stand in a node's key.
            lane = f"{first} {last} {number}"
            drawing.lanes.add(lane)
            layers[number].append(lane)
            chain.append(lane)
        chain.append(last)
        drawing.chains[first, last] = chain
        for a, b in itertools.pairwise(chain):
            drawing.down.setdefault(a, []).append(b)
            drawing.up.setdefault(b, []).append(a)
    return drawing


def _ordered(drawing: _Drawing) -> list[list[str]]:
    """The order within the layers: by the mean place of the neighbours, to and fro; the best round is kept."""
    layers = [list(layer) for layer in drawing.layers]
    best, fewest = [list(layer) for layer in layers], _crossings(layers, drawing.up)
    for sweep in range(ORDER_SWEEPS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        numbers = range(1, len(layers)) if forward else range(len(layers) - 2, -1, -1)
        for number in numbers:
            other = layers[number - 1 if forward else number + 1]
            _sort_by_neighbours(layers[number], other, drawing.up if forward else drawing.down)
        crossings = _crossings(layers, drawing.up)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _sort_by_neighbours(layer: list[str], other: list[str], neighbours: Neighbours) -> None:
    place = {key: i for i, key in enumerate(other)}
    mean: dict[str, tuple[float, int]] = {}
    for index, key in enumerate(layer):
        found = [place[n] for n in neighbours.get(key, ()) if n in place]
        mean[key] = (sum(found) / len(found) if found else index, index)
    layer.sort(key=mean.__getitem__)


def _crossings(layers: list[list[str]], up: Neighbours) -> int:
    return sum(_crossings_between(a, b, up) for a, b in itertools.pairwise(layers))


def _crossings_between(upper: list[str], lower: list[str], up: Neighbours) -> int:
    """Inversions of the edges' ends, counted with a tree of sums: n log n, where pairs would be n²."""
    place = {key: i for i, key in enumerate(upper)}
    size = 1
    while size <= len(upper):
        size *= 2
    tree = [0] * (2 * size)
    crossings = 0
    for key in lower:
        for position in sorted(place[u] for u in up.get(key, ()) if u in place):
            index = position + size
            tree[index] += 1
            while index > 1:
                if index % 2 == 0:
                    crossings += tree[index + 1]
                index //= 2
                tree[index] += 1
    return crossings


def _place(drawing: _Drawing) -> None:
    for layer in drawing.layers:
        y = 0.0
        for index, key in enumerate(layer):
            y += drawing.distance(layer[index - 1], key) if index else drawing.height(key) / 2
            drawing.middle[key] = y
    for sweep in range(PLACE_SWEEPS):
        forward = sweep % 2 == 0
        numbers = range(len(drawing.layers))
        for number in numbers if forward else reversed(numbers):
            _pull(drawing, drawing.layers[number], forward=forward)


def _pull(drawing: _Drawing, layer: list[str], *, forward: bool) -> None:
    """Move a layer's nodes to the median of their neighbours, keeping order and gaps.

    Wishes less the gaps must not fall: nodes whose wishes contradict the order are pooled and share their mean.
    """
    near, far = (drawing.up, drawing.down) if forward else (drawing.down, drawing.up)
    offset, offsets = 0.0, []
    pools: list[tuple[float, float, int]] = []
    for index, key in enumerate(layer):
        offset += drawing.distance(layer[index - 1], key) if index else 0.0
        offsets.append(offset)
        neighbours = near.get(key) or far.get(key) or [key]
        wish = median(drawing.middle[n] for n in neighbours) - offset
        weight = float(LANE_WEIGHT if key in drawing.lanes else 1)
        pools.append((wish * weight, weight, 1))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, heavy, count = pools.pop()
            before = pools.pop()
            pools.append((before[0] + total, before[1] + heavy, before[2] + count))
    index = 0
    for total, heavy, count in pools:
        for _ in range(count):
            drawing.middle[layer[index]] = total / heavy + offsets[index]
            index += 1


def _picture(drawing: _Drawing, nodes: Sequence[str]) -> Picture:
    top = min(drawing.middle[key] - drawing.height(key) / 2 for key in drawing.middle)
    bottom = max(drawing.middle[key] + drawing.height(key) / 2 for key in drawing.middle)
    left = {
        key: number * (WIDTH + GAP_X)
        for number, layer in enumerate(drawing.layers)
        for key in layer
    }
    middle = {key: y - top for key, y in drawing.middle.items()}
    return Picture(
        width=len(drawing.layers) * (WIDTH + GAP_X) - GAP_X,
        height=round(bottom - top),
        places={key: Place(left[key], round(middle[key] - HEIGHT / 2, 1)) for key in nodes},
        paths={edge: _path(chain, left, middle) for edge, chain in drawing.chains.items()},
    )


def _path(chain: list[str], left: dict[str, int], middle: dict[str, float]) -> str:
    points = [(left[chain[0]] + WIDTH, middle[chain[0]])]
    for lane in chain[1:-1]:
        points += [(left[lane], middle[lane]), (left[lane] + WIDTH, middle[lane])]
    points.append((left[chain[-1]], middle[chain[-1]]))
    text = f"M{points[0][0]} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        half = (x0 + x1) // 2
        if abs(y1 - y0) < 0.6:
            text += f"L{x1} {y1:.1f}"
        else:
            text += f"C{half} {y0:.1f} {half} {y1:.1f} {x1} {y1:.1f}"
    return text
