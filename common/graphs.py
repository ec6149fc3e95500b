"""Directed graphs as sets of (upstream, downstream) pairs: order, reach and cycles. Pure and linear."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable

Edge = tuple[str, str]


def downstream_of(edges: Iterable[Edge]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for up, down in edges:
        found[up].add(down)
    return found


def upstream_of(edges: Iterable[Edge]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for up, down in edges:
        found[down].add(up)
    return found


def reach(start: Iterable[str], neighbours: dict[str, set[str]]) -> set[str]:
    """Everything that can be reached from ``start``, itself included."""
    seen = set(start)
    queue = deque(seen)
    while queue:
        for other in neighbours.get(queue.popleft(), ()):
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return seen


def within(start: Iterable[str], neighbours: dict[str, set[str]], steps: int) -> set[str]:
    """What can be reached from ``start`` in at most so many steps, itself included."""
    seen = set(start)
    ring = seen
    for _step in range(steps):
        ring = {other for node in ring for other in neighbours.get(node, ())} - seen
        if not ring:
            break
        seen |= ring
    return seen


def topological(nodes: Collection[str], edges: Collection[Edge]) -> list[str]:
    """Upstream first; nodes of a cycle are left out (``find_cycle`` names them). Ties keep the given order."""
    position = {node: i for i, node in enumerate(nodes)}
    down = downstream_of(edges)
    waiting = dict.fromkeys(nodes, 0)
    for _, target in edges:
        waiting[target] += 1
    ready = deque(node for node in nodes if not waiting[node])
    order: list[str] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for other in sorted(down.get(node, ()), key=position.__getitem__):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return order


def find_cycle(nodes: Collection[str], edges: Collection[Edge]) -> list[str]:
    """One cycle as a path that ends where it began, or an empty list."""
    left = set(nodes) - set(topological(nodes, edges))
    if not left:
        return []
    up = upstream_of((a, b) for a, b in edges if a in left and b in left)
    # Walking upstream inside what is left must meet itself: what is only downstream of a cycle leads into it.
    node = min(left)
    path: dict[str, None] = {}
    while node not in path:
        path[node] = None
        node = min(up[node])
    walked = list(path)
    return [*walked[walked.index(node) :], node][::-1]
