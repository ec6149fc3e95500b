"""What a node asks of its upstreams before it runs. Pure: no ORM, tested with plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from common.graphs import topological


class Rule(StrEnum):
    """Every upstream that is part of the run has ended by then; the rule says how they must have ended."""

    ALL_SUCCEEDED = "all_succeeded"
    ANY_SUCCEEDED = "any_succeeded"
    ALL_FINISHED = "all_finished"


@dataclass(frozen=True)
class Conditions:
    """What one node asks: its rule, and how old the success of an upstream outside the run may be, in seconds."""

    rule: Rule = Rule.ALL_SUCCEEDED
    windows: Mapping[str, int] | None = None

    @property
    def is_usual(self) -> bool:
        return self.rule == Rule.ALL_SUCCEEDED and not self.windows

    def as_json(self) -> dict[str, Any]:
        """What a run keeps, so that a later edit of the graph does not change it."""
        windows = {"windows": dict(self.windows)} if self.windows else {}
        return {"rule": str(self.rule), **windows}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Conditions":
        return cls(Rule(kept.get("rule", Rule.ALL_SUCCEEDED)), kept.get("windows") or {})


def blocked(
    nodes: Mapping[str, Iterable[str]], rules: Mapping[str, Rule], broken: Iterable[str]
) -> set[str]:
    """Keys of ``nodes`` that do not run once everything they wait for has ended.

    ``nodes`` has each node's upstreams within the run, ``broken`` what ended without success. An upstream that is in
    ``nodes`` itself counts as a success unless it is blocked too.
    """
    bad = set(broken)
    found: set[str] = set()
    edges = {(up, key) for key, ups in nodes.items() for up in ups if up in nodes}
    for key in topological(list(nodes), edges):
        if not is_met(rules.get(key, Rule.ALL_SUCCEEDED), nodes[key], bad):
            bad.add(key)
            found.add(key)
    return found


def is_met(rule: Rule, upstreams: Iterable[str], broken: set[str]) -> bool:
    """Whether a node runs, now that its upstreams have ended and those in ``broken`` without success."""
    ups = list(upstreams)
    if not ups or rule == Rule.ALL_FINISHED:
        return True
    if rule == Rule.ANY_SUCCEEDED:
        return any(up not in broken for up in ups)
    return not any(up in broken for up in ups)


def why_not(rule: Rule, names: Iterable[str]) -> str:
    """Why a node was left out, in words; ``names`` are the upstreams that did not succeed."""
    listed = sorted(names)
    shown = ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
    if rule == Rule.ANY_SUCCEEDED and len(listed) > 1:
        return f"none of {shown} succeeded"
    return f"{shown} did not succeed"
