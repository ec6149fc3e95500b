"""What a node asks of its upstreams, on plain data."""

import pytest

from orchestration.engine.freshness import words_of
from orchestration.engine.rules import Conditions, Rule, blocked, is_met, why_not
from orchestration.models import UpstreamRule

ALL, ANY, ENDED = Rule.ALL_SUCCEEDED, Rule.ANY_SUCCEEDED, Rule.ALL_FINISHED


def test_the_rules_are_those_of_the_rows() -> None:
    assert {str(rule) for rule in Rule} == set(UpstreamRule.values)


@pytest.mark.parametrize(
    ("rule", "upstreams", "broken", "expected"),
    [
        (ALL, "a b", "", True),
        (ALL, "a b", "a", False),
        (ANY, "a b", "a", True),
        (ANY, "a b", "a b", False),
        (ANY, "", "x", True),
        (ENDED, "a b", "a b", True),
    ],
)
def test_whether_a_node_runs(rule: Rule, upstreams: str, broken: str, expected: bool) -> None:
    assert is_met(rule, upstreams.split(), set(broken.split())) is expected


def test_what_is_blocked_follows_through_a_step() -> None:
    nodes = {"c": ["b"], "b": ["a"], "d": ["c", "x"], "e": ["x"]}
    assert blocked(nodes, {}, {"a"}) == {"b", "c", "d"}
    assert blocked(nodes, {"b": ANY}, {"a"}) == {"b", "c", "d"}
    assert blocked(nodes, {"b": ENDED}, {"a"}) == set()
    assert blocked(nodes, {"d": ANY}, {"a"}) == {"b", "c"}


def test_conditions_come_back_from_what_a_run_keeps() -> None:
    asked = Conditions(ANY, {"pipeline:orders": 3600})
    assert Conditions.of(asked.as_json()) == asked
    assert Conditions.of({}).is_usual
    assert not asked.is_usual


def test_reasons_in_words() -> None:
    assert why_not(ALL, ["b", "a"]) == "a, b did not succeed"
    assert why_not(ANY, ["a", "b"]) == "none of a, b succeeded"
    assert why_not(ALL, list("edcba")) == "a, b, c and 2 more did not succeed"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (5400, "90 minutes"),
        (3600, "1 hour"),
        (93_600, "26 hours"),
        (86_400, "1 day"),
        (300_000, "3 days"),
    ],
)
def test_ages_in_words(seconds: int, words: str) -> None:
    assert words_of(seconds) == words
