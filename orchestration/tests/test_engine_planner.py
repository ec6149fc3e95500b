"""The planner on plain data: order, grouping, selections, circles, size."""

import itertools

import pytest

from orchestration.engine.planner import Graph, GraphNode, plan, select
from orchestration.errors import CyclicDependency, InvalidSelection
from orchestration.layout import HEIGHT, arrange
from orchestration.models import ACTIVE_STATUSES, FINAL_STATUSES, Status


def graph(*edges: str, warehouses: dict[str, int] | None = None, tags: str = "") -> Graph:
    """``"p1>t1"``: names beginning with p are pipelines, others transformations of warehouse 1."""
    pairs = {(a, b) for a, _, b in (edge.partition(">") for edge in edges) if b}
    names = sorted({name for edge in edges for name in edge.split(">")})
    nodes = {
        name: GraphNode(
            _key(name),
            warehouse=None if name.startswith("p") else (warehouses or {}).get(name, 1),
            tags=frozenset({"nightly"}) if name in tags.split() else frozenset(),
        )
        for name in names
    }
    return Graph(
        nodes={_key(name): node for name, node in nodes.items()},
        explicit=frozenset((_key(a), _key(b)) for a, b in pairs),
    )


def _key(name: str) -> str:
    return f"{'pipeline' if name.startswith('p') else 'transformation'}:{name}"


def groups(found: Graph, *chosen: str) -> list[set[str]]:
    steps = plan(found, {_key(name) for name in chosen} if chosen else set(found.nodes))
    assert [step.position for step in steps] == list(range(len(steps)))
    for step in steps:
        assert all(upstream < step.position for upstream in step.upstream)
    return [{key.partition(":")[2] for key in step.nodes} for step in steps]


def test_statuses_are_a_partition() -> None:
    assert set(Status) == ACTIVE_STATUSES | FINAL_STATUSES
    assert not ACTIVE_STATUSES & FINAL_STATUSES


def test_transformations_of_one_warehouse_are_one_step() -> None:
    found = graph("p1>a", "p2>a", "a>b", "a>c", "b>d", "c>d")
    assert groups(found) == [{"p1"}, {"p2"}, {"a", "b", "c", "d"}]


def test_branches_that_share_nothing_stay_apart() -> None:
    assert groups(graph("p1>a", "a>b", "p2>x", "x>y"))[2:] == [{"a", "b"}, {"x", "y"}]


def test_warehouses_and_pipelines_in_between_split_steps() -> None:
    found = graph("a>b", "b>c", "c>d", warehouses={"c": 2})
    assert groups(found) == [{"a", "b"}, {"c"}, {"d"}]
    assert groups(graph("a>p1", "p1>b", "a>b")) == [{"a"}, {"p1"}, {"b"}]


def test_steps_wait_for_exactly_their_upstreams() -> None:
    steps = plan(graph("p1>a", "p2>x"), {_key(n) for n in ("p1", "p2", "a", "x")})
    waits = {min(step.nodes).partition(":")[2]: step.upstream for step in steps}
    position = {min(step.nodes).partition(":")[2]: step.position for step in steps}
    assert waits == {"p1": [], "p2": [], "a": [position["p1"]], "x": [position["p2"]]}


def test_order_is_kept_through_nodes_that_are_left_out() -> None:
    found = graph("p1>a", "a>p2", "p2>b")
    assert groups(found, "p1", "b") == [{"p1"}, {"b"}]
    assert plan(found, {_key("p1"), _key("b")})[1].upstream == [0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", "p1 a b c"),
        ("b", "b"),
        ("+b", "p1 a b"),
        ("a+", "a b c"),
        ("+a+", "p1 a b c"),
        ("tag:nightly", "c"),
        ("+tag:nightly", "p1 a c"),
        ("b c", "b c"),
        ("pipeline:p1", "p1"),
    ],
)
def test_selections(expression: str, expected: str) -> None:
    found = graph("p1>a", "a>b", "a>c", tags="c")
    assert select(found, expression) == {_key(name) for name in expected.split()}


@pytest.mark.parametrize("expression", ["nowhere", "tag:none", "++", "a+b"])
def test_a_selection_that_matches_nothing_names_the_term(expression: str) -> None:
    with pytest.raises(InvalidSelection, match="matches nothing") as caught:
        select(graph("p1>a"), expression)
    assert caught.value.field == "select"


def test_a_circle_is_named_by_its_path() -> None:
    found = graph("p1>a", "a>b", "b>c", "c>a", "c>d")
    with pytest.raises(CyclicDependency) as caught:
        plan(found, set(found.nodes))
    path = [key.partition(":")[2] for key in caught.value.path]
    assert path[0] == path[-1]
    assert set(path) == {"a", "b", "c"}


def test_ten_thousand_nodes() -> None:
    edges = [f"p{i}>t{i}" for i in range(2000)]
    edges += [f"t{i}>t{i + 2000}" for i in range(6000)]
    found = graph(*edges)
    steps = plan(found, set(found.nodes))
    assert sum(len(step.nodes) for step in steps) == 10_000
    assert len(steps) == 4000  # a pipeline and its own chain of transformations each


def test_layout_puts_upstream_left_and_overlaps_nothing() -> None:
    edges = {("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("c", "e"), ("a", "f")}
    picture = arrange(["a", "b", "c", "d", "e", "f"], edges)
    for up, down in edges:
        assert picture.places[up].x < picture.places[down].x
    columns: dict[int, list[float]] = {}
    for place in picture.places.values():
        columns.setdefault(place.x, []).append(place.y)
    for ys in columns.values():
        ordered = sorted(ys)
        assert all(b - a >= HEIGHT for a, b in itertools.pairwise(ordered))
    assert set(picture.paths) == edges
    # A source stands next to its first reader, not in the first column.
    assert picture.places["d"].x == picture.places["b"].x
    assert arrange(["a", "b", "c", "d", "e", "f"], edges) == picture


def test_layout_uncrosses_what_can_be_uncrossed() -> None:
    picture = arrange(["a", "b", "x", "y"], {("a", "y"), ("b", "x")})
    places = picture.places
    assert (places["a"].y < places["b"].y) == (places["y"].y < places["x"].y)


def test_layout_of_nothing_and_of_a_circle() -> None:
    assert arrange([], set()).width == 0
    with pytest.raises(CyclicDependency):
        arrange(["a", "b"], {("a", "b"), ("b", "a")})
