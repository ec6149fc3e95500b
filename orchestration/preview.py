"""What a run would do, before it is started."""

from dataclasses import dataclass, field

from orchestration.blueprints import chosen_of
from orchestration.engine.freshness import stale
from orchestration.engine.nodes import Graph, GraphNode
from orchestration.engine.planner import PlannedStep, plan
from orchestration.engine.rules import Rule
from orchestration.errors import UpstreamStale
from orchestration.graph import graph_of
from tenants.models import Organization


@dataclass(frozen=True)
class PreviewStep:
    """One step with its nodes, and the numbers (from 1) of the steps it waits for."""

    number: int
    nodes: list[GraphNode]
    waits: list[int]
    #: Other than that all its upstreams succeed; only the first node of a step can have one.
    rule: Rule | None = None


@dataclass(frozen=True)
class Preview:
    steps: list[PreviewStep]
    #: Pipelines that the selection names and a run leaves out.
    paused: list[GraphNode] = field(default_factory=list)
    #: Windows that are not kept now: these steps would fail, or wait for what is outside of the run.
    stale: list[UpstreamStale] = field(default_factory=list)

    @property
    def nodes(self) -> int:
        return sum(len(step.nodes) for step in self.steps)


def preview_of(organization: Organization, target: str, expression: str) -> Preview:
    """The steps of such a run. Raises what starting it would raise for the target and the selection."""
    graph = graph_of(organization)
    chosen = chosen_of(graph, target, expression)
    paused = sorted(key for key in chosen if graph.nodes[key].is_paused)
    steps = plan(graph, chosen - set(paused))
    asked = {key: found for step in steps for key, found in step.conditions.items()}
    return Preview(
        steps=[_step(graph, step) for step in steps],
        paused=[graph.nodes[key] for key in paused],
        stale=list(stale(organization.pk, asked)),
    )


def _step(graph: Graph, step: PlannedStep) -> PreviewStep:
    rules = {found.rule for found in step.conditions.values()} - {Rule.ALL_SUCCEEDED}
    return PreviewStep(
        number=step.position + 1,
        nodes=[graph.nodes[key] for key in step.nodes],
        waits=[position + 1 for position in step.upstream],
        rule=min(rules) if rules else None,
    )
