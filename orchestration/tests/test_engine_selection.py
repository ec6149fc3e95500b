"""The language of selections, and how rules and windows split steps: the planner on plain data."""

import pytest

from orchestration.engine.nodes import Graph, GraphNode
from orchestration.engine.planner import plan, select
from orchestration.engine.rules import Conditions, Rule
from orchestration.errors import InvalidSelection


def chain(*edges: str, **changes: dict[str, object]) -> Graph:
    """``"a>b"``; names beginning with p are pipelines, others transformations of one warehouse."""
    pairs = [edge.partition(">")[::2] for edge in edges]
    names = sorted({name for pair in pairs for name in pair if name})
    nodes = {
        _key(name): GraphNode(
            **{  # type: ignore[arg-type]
                "key": _key(name),
                "warehouse": None if name.startswith("p") else 1,
                **changes.get(name, {}),
            }
        )
        for name in names
    }
    return Graph(nodes, explicit=frozenset((_key(a), _key(b)) for a, b in pairs if b))


def _key(name: str) -> str:
    return f"{'pipeline' if name.startswith('p') else 'transformation'}:{name}"


def tagged(*tags: str) -> dict[str, object]:
    return {"tags": frozenset(tags)}


#: p1 → a → b → c → d, with a second reader of b and a pipeline that feeds it.
LONG = chain(
    "p1>a", "a>b", "b>c", "c>d", "b>x", "p2>x",
    p1=tagged("nightly"), c=tagged("nightly", "finance"), x=tagged("finance"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1+c", "b c"),
        ("2+c", "a b c"),
        ("b+1", "b c x"),
        ("1+b+1", "a b c x"),
        ("+b+", "p1 a b c d x"),
        ("9+c", "p1 a b c"),
        # What x is needed by, and everything those need.
        ("@b", "p1 p2 a b c d x"),
        ("@p2", "p1 p2 a b x"),
        ("tag:nightly,tag:finance", "c"),
        ("tag:nightly tag:finance", "p1 c x"),
        ("+x,+c", "p1 a b"),
        ("tag:fin*", "c x"),
        ("pipeline:*", "p1 p2"),
        ("p?", "p1 p2"),
        ("--exclude tag:finance", "p1 p2 a b d"),
        ("+c --exclude a", "p1 b c"),
        ("+c --exclude 1+b+ p1", ""),
        ("b --exclude tag:gone", "b"),
    ],
)
def test_selections(expression: str, expected: str) -> None:
    assert select(LONG, expression) == {_key(name) for name in expected.split()}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("bb", "'bb' matches nothing"),
        ("@a+", "is not a term"),
        ("a,c", "no node is in all of its parts"),
        ("a --exclude", "Nothing is named behind"),
        ("a --exclude gone", "'gone' matches nothing"),
        (",", "matches nothing"),
        ("tag:", "matches nothing"),
    ],
)
def test_what_cannot_be_selected(expression: str, words: str) -> None:
    with pytest.raises(InvalidSelection, match=words) as caught:
        select(LONG, expression)
    assert caught.value.field == "select"
    assert caught.value.remedy


def test_a_slip_is_answered_with_what_was_meant() -> None:
    with pytest.raises(InvalidSelection) as caught:
        select(chain("p1>stg_orders"), "+stg_order")
    assert caught.value.remedy.startswith("Did you mean stg_orders?")


def test_a_target_is_always_part_and_its_bare_name_means_it_alone() -> None:
    both = Graph(
        {
            "pipeline:orders": GraphNode("pipeline:orders"),
            "transformation:orders": GraphNode("transformation:orders", warehouse=1),
            "transformation:sums": GraphNode(
                "transformation:sums", warehouse=1, tags=frozenset({"n"})
            ),
        },
        explicit=frozenset({("pipeline:orders", "transformation:sums")}),
    )
    assert select(both, "orders") == {"pipeline:orders", "transformation:orders"}
    target = "pipeline:orders"
    assert select(both, "orders+", target=target) == {target, "transformation:sums"}
    assert select(both, "tag:n", target=target) == {target, "transformation:sums"}
    assert select(both, "", target="") == set(both.nodes)


def steps(graph: Graph, *chosen: str, **more: set[str]) -> list[set[str]]:
    keys = {_key(name) for name in chosen} or set(graph.nodes)
    done = {_key(name) for name in more.get("succeeded", set())}
    found = plan(graph, keys, succeeded=done)
    assert all(upstream < step.position for step in found for upstream in step.upstream)
    return [{key.partition(":")[2] for key in step.nodes} for step in found]


@pytest.mark.parametrize("rule", [Rule.ANY_SUCCEEDED, Rule.ALL_FINISHED])
def test_another_rule_begins_a_dbt_call_of_its_own(rule: Rule) -> None:
    assert steps(chain("a>b", "b>c")) == [{"a", "b", "c"}]
    found = chain("a>b", "b>c", b={"rule": rule})
    # dbt would skip b behind a failed a; what reads b may share b's call.
    assert steps(found) == [{"a"}, {"b", "c"}]
    assert plan(found, set(found.nodes))[1].conditions == {_key("b"): Conditions(rule)}


def test_a_window_counts_only_for_an_upstream_that_is_left_out() -> None:
    plain = chain("p1>a", "a>b", "p1>z", "z>y", "b>y")
    edge = (_key("p1"), _key("a"))
    found = Graph(plain.nodes, plain.explicit, windows={edge: 3600})
    assert all(not step.conditions for step in plan(found, set(found.nodes)))
    chosen = {_key(name) for name in "abzy"}
    # The step fails as a whole, so nobody shares it.
    assert steps(found, *"abzy")[0] == {"a"}
    assert plan(found, chosen)[0].conditions == {_key("a"): Conditions(windows={_key("p1"): 3600})}
    assert not plan(found, chosen, succeeded={_key("p1")})[0].conditions


def test_going_on_from_a_failure_counts_what_has_succeeded() -> None:
    found = chain("a>c", "b>c", c={"rule": Rule.ANY_SUCCEEDED})
    asked = plan(found, {_key("b"), _key("c")})[1].conditions[_key("c")]
    assert asked.rule == Rule.ANY_SUCCEEDED
    again = plan(found, {_key("b"), _key("c")}, succeeded={_key("a")})[1]
    # One of them succeeded in the run before: it runs whatever comes of the others.
    assert again.conditions[_key("c")].rule == Rule.ALL_FINISHED


def test_a_circle_is_told_in_names_people_know() -> None:
    found = chain("p1>a", "a>p1", p1={"title": "Shop orders"})
    assert found.titles(found.cycle_with()) == [
        "“Shop orders” (pipeline)",
        "“a”",
        "“Shop orders” (pipeline)",
    ]
