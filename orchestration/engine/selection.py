"""The language of selections, as dbt has it. Pure: no ORM, tested with plain data.

A blank joins, a comma keeps what both sides have; ``+x``, ``x+``, ``2+x``, ``x+3`` and ``@x`` widen; ``tag:x`` and
``*`` match many; what stands behind ``--exclude`` is taken away.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from common.graphs import downstream_of, reach, upstream_of, within
from orchestration.engine.nodes import Graph, GraphNode
from orchestration.errors import InvalidSelection

EXCLUDE = "--exclude"
TAG = "tag:"
_TERM = re.compile(r"^(?P<at>@)?(?P<up>\d*\+)?(?P<name>[^+@\s,]+?)(?P<down>\+\d*)?$")
_GLOB = re.compile(r"[*?\[]")
_REMEDY = (
    "Use a pipeline's slug, a transformation's name or tag:<tag>, with + for up- or downstream."
)


@dataclass(frozen=True)
class Term:
    """One name of a selection: None of ``up`` and ``down`` is no step, -1 every step."""

    text: str
    name: str
    up: int | None = None
    down: int | None = None
    #: ``@x``: what it feeds, and everything those need.
    with_needs: bool = False

    @property
    def is_pattern(self) -> bool:
        return self.name.startswith(TAG) or _GLOB.search(self.name) is not None


def select(graph: Graph, expression: str, *, target: str = "") -> set[str]:
    """Keys that a selection names; empty selects everything.

    With ``target`` (a key) the target is selected too, and its bare name means it alone, where a pipeline and a
    transformation share a name. Raises ``InvalidSelection`` for a term that matches nothing.
    """
    words = expression.split()
    cut = words.index(EXCLUDE) if EXCLUDE in words else len(words)
    wanted, unwanted = words[:cut], words[cut + 1 :]
    if cut < len(words) and not unwanted:
        raise InvalidSelection(
            f"Nothing is named behind {EXCLUDE}.", field="select", remedy="Name what to leave out."
        )
    chooser = _Chooser(graph, target)
    if target and not chooser.names_target(wanted):
        wanted = [target, *wanted]
    chosen = chooser.union(wanted) if wanted else set(graph.nodes)
    return chosen - chooser.union(unwanted, may_be_empty=True)


def parse(text: str) -> Term:
    """One term without its commas. Raises ``InvalidSelection``."""
    match = _TERM.match(text)
    if match is None or (match["at"] and (match["up"] or match["down"])):
        raise InvalidSelection(
            f"{text!r} matches nothing: it is not a term.", field="select", remedy=_REMEDY
        )
    return Term(
        text, match["name"], _steps(match["up"]), _steps(match["down"]), match["at"] is not None
    )


def _steps(sign: str | None) -> int | None:
    if sign is None:
        return None
    number = sign.strip("+")
    return int(number) if number else -1


class _Chooser:
    def __init__(self, graph: Graph, target: str) -> None:
        self.graph = graph
        self.target = target
        self.up = upstream_of(graph.edges)
        self.down = downstream_of(graph.edges)
        self.by_name: dict[str, set[str]] = {}
        for key, node in graph.nodes.items():
            self.by_name.setdefault(node.name, set()).add(key)
        if target:
            self.by_name[target.partition(":")[2]] = {target}

    def names_target(self, words: list[str]) -> bool:
        alone = (parse(word) for word in words if "," not in word)
        return any(self._matching(term) == {self.target} for term in alone)

    def union(self, words: list[str], *, may_be_empty: bool = False) -> set[str]:
        chosen: set[str] = set()
        for word in words:
            chosen |= self._intersection(word, may_be_empty=may_be_empty)
        return chosen

    def _intersection(self, word: str, *, may_be_empty: bool) -> set[str]:
        parts = [part for part in word.split(",") if part]
        sets = [self._term(part, may_be_empty=may_be_empty) for part in parts]
        if not sets:
            raise self._nothing(word)
        found = set.intersection(*sets)
        if not found and not may_be_empty:
            raise InvalidSelection(
                f"{word!r} matches nothing: no node is in all of its parts.",
                field="select",
                remedy="A comma keeps what every part has; put a blank for either.",
            )
        return found

    def _term(self, text: str, *, may_be_empty: bool) -> set[str]:
        term = parse(text)
        found = self._matching(term)
        # A tag that nothing has any more takes nothing away; a name that is not there is a slip.
        if not found and not (may_be_empty and term.is_pattern):
            raise self._nothing(text, term)
        if term.with_needs:
            return reach(reach(found, self.down), self.up)
        chosen = set(found)
        for steps, neighbours in ((term.up, self.up), (term.down, self.down)):
            if steps is not None:
                chosen |= (
                    reach(found, neighbours) if steps < 0 else within(found, neighbours, steps)
                )
        return chosen

    def _matching(self, term: Term) -> set[str]:
        name = term.name
        if name in self.graph.nodes:
            return {name}
        if not term.is_pattern:
            return self.by_name.get(name, set())
        matches = _matcher(name)
        return {node.key for node in self.graph.nodes.values() if matches(node)}

    def _nothing(self, text: str, term: Term | None = None) -> InvalidSelection:
        known = [*self.by_name, *(f"{TAG}{tag}" for tag in self.graph.tags)]
        near = get_close_matches(term.name, known, 1, 0.75) if term and len(known) < 5000 else []
        remedy = f"Did you mean {near[0]}? {_REMEDY}" if near else _REMEDY
        return InvalidSelection(f"{text!r} matches nothing.", field="select", remedy=remedy)


def _matcher(name: str) -> Callable[[GraphNode], bool]:
    if name.startswith(TAG):
        pattern = name.removeprefix(TAG)
        return lambda node: any(fnmatchcase(tag, pattern) for tag in node.tags)
    if ":" in name:
        return lambda node: fnmatchcase(node.key, name)
    return lambda node: fnmatchcase(node.name, name)
