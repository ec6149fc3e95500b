"""The graph as people see it: source connections, pipelines and transformations, with their state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from common.graphs import Edge, downstream_of, find_cycle, reach, upstream_of, within
from common.ui.status import status_of
from connections.models import Connection
from orchestration import links
from orchestration.engine.freshness import words_of
from orchestration.engine.nodes import Graph
from orchestration.engine.rules import Rule
from orchestration.graph import graph_of
from orchestration.models import Dependency, RunStep, Status, UpstreamRule
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms import selectors as transforms
from transforms.models import Materialization, Transformation

#: Letters that fit into a node.
LABEL = 22


@dataclass(frozen=True)
class LineageNode:
    organization: Organization = field(repr=False)
    key: str
    #: ``source``, ``pipeline`` or ``transformation``.
    kind: str
    label: str
    meta: str
    status: str
    tags: tuple[str, ...] = ()
    rule: Rule = Rule.ALL_SUCCEEDED

    @property
    def short(self) -> str:
        return self.label if len(self.label) <= LABEL else f"{self.label[: LABEL - 1]}…"

    @property
    def tone(self) -> str:
        return status_of(self.status).tone

    @property
    def look(self) -> str:
        """The kind as the style sheet knows it."""
        return "model" if self.kind == "transformation" else self.kind

    @property
    def name(self) -> str:
        """What a selection calls it."""
        return self.key.partition(":")[2]

    @property
    def can_run(self) -> bool:
        return self.kind != "source"

    @property
    def url(self) -> str:
        return links.key_url(self.organization, self.key)

    @property
    def rule_mark(self) -> str:
        """One word at its edges; empty for the usual rule."""
        return {Rule.ANY_SUCCEEDED: _("any"), Rule.ALL_FINISHED: _("ended")}.get(self.rule, "")

    @property
    def rule_words(self) -> str:
        return str(UpstreamRule(self.rule).label)


@dataclass(frozen=True)
class NodeFacts:
    """What is told of the one node that is looked at."""

    at: datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    message: str = ""
    tests: str = ""


@dataclass(frozen=True)
class Lineage:
    nodes: dict[str, LineageNode]
    #: Edge → ``explicit``, ``inferred`` or ``source``.
    edges: dict[Edge, str]
    up: dict[str, set[str]] = field(default_factory=dict)
    down: dict[str, set[str]] = field(default_factory=dict)
    #: Freshness windows in seconds.
    windows: Mapping[Edge, int] = field(default_factory=dict)

    @property
    def tags(self) -> list[str]:
        return sorted({tag for node in self.nodes.values() for tag in node.tags})

    @property
    def circle(self) -> list[str]:
        """The names of a circle, which nothing can be planned or drawn through; empty without one."""
        return [self.nodes[key].label for key in find_cycle(list(self.nodes), self.edges.keys())]

    def window(self, edge: Edge) -> str:
        """The freshness window of an edge in words; empty without one."""
        return words_of(self.windows[edge]) if edge in self.windows else ""


@dataclass(frozen=True)
class NodeFilter:
    query: str = ""
    kind: str = ""
    #: A tone: ok, run, warn, bad or idle.
    state: str = ""
    tag: str = ""
    #: A key; only what is at most ``steps`` edges away is shown.
    around: str = ""
    steps: int = 2

    @property
    def is_set(self) -> bool:
        return any((self.query, self.kind, self.state, self.tag, self.around))


def lineage_of(organization: Organization) -> Lineage:
    """Everything alive, in a number of queries that does not grow with the graph."""
    graph = graph_of(organization)
    running = _running_keys(organization)
    edges: dict[Edge, str] = dict.fromkeys(graph.inferred, "inferred")
    edges |= dict.fromkeys(graph.explicit, "explicit")
    nodes, sources = _pipelines(organization, graph, running)
    edges |= dict.fromkeys(sources, "source")
    nodes |= _transformations(organization, graph, running)
    return Lineage(nodes, edges, upstream_of(edges), downstream_of(edges), graph.windows)


def filtered(lineage: Lineage, wanted: NodeFilter) -> Lineage:
    """The nodes that pass, and the edges between them."""
    keys = {node.key for node in lineage.nodes.values() if _passes(node, wanted)}
    if wanted.around in lineage.nodes:
        keys &= near(lineage, wanted.around, wanted.steps)
    nodes = {key: node for key, node in lineage.nodes.items() if key in keys}
    edges = {e: kind for e, kind in lineage.edges.items() if e[0] in keys and e[1] in keys}
    return Lineage(nodes, edges, upstream_of(edges), downstream_of(edges), lineage.windows)


def near(lineage: Lineage, key: str, steps: int) -> set[str]:
    """What stands at most so many edges above or below a node, itself included."""
    return within([key], lineage.up, steps) | within([key], lineage.down, steps)


def explicit_dependencies(
    organization: Organization, *, upstream: str = "", downstream: str = ""
) -> list[Dependency]:
    """Dependencies that people drew, between living nodes; narrowed to one end where given."""
    rows = Dependency.objects.for_organization(organization).select_related(
        "upstream__pipeline",
        "upstream__transformation",
        "downstream__pipeline",
        "downstream__transformation",
        "organization",
    )
    return [
        row
        for row in rows.order_by("pk")
        if row.upstream.is_alive
        and row.downstream.is_alive
        and upstream in ("", row.upstream.key)
        and downstream in ("", row.downstream.key)
    ]


def reach_counts(lineage: Lineage, key: str) -> tuple[int, int]:
    """How many nodes stand above and below, however far."""
    return len(reach([key], lineage.up)) - 1, len(reach([key], lineage.down)) - 1


def facts_of(organization: Organization, node: LineageNode) -> NodeFacts:
    """What is known of a node's last run, build or check."""
    match node.kind:
        case "pipeline":
            rows = RunStep.objects.for_organization(organization)
            step = _happened(rows.filter(pipeline__slug=node.name)).order_by("-pk").first()
            return NodeFacts() if step is None else _facts_of_step(step)
        case "transformation":
            found = Transformation.objects.for_organization(organization)
            row = found.filter(name=node.name).first()
            return NodeFacts() if row is None else _facts_of_build(row)
    connections = Connection.objects.for_organization(organization)
    connection = connections.filter(slug=node.name).first()
    return NodeFacts(at=connection.checked_at if connection else None)


def _facts_of_step(step: RunStep) -> NodeFacts:
    return NodeFacts(
        at=step.finished_at,
        seconds=step.took.total_seconds() if step.took else None,
        rows=step.summary.get("rows_loaded"),
        message=step.error,
    )


def _facts_of_build(row: Transformation) -> NodeFacts:
    tests = transforms.tests_of(row.organization, [row]).get(row.pk, [])
    return NodeFacts(
        at=row.built_at,
        seconds=row.build_seconds,
        rows=row.row_count,
        message=row.build_message.strip().partition("\n")[0],
        tests=_tests_text([test.last_status for test in tests]),
    )


def _pipelines(
    organization: Organization, graph: Graph, running: set[str]
) -> tuple[dict[str, LineageNode], list[Edge]]:
    """Pipelines and the connections they read from, with the edges between the two."""
    steps = RunStep.objects.for_organization(organization)
    newest = _happened(steps.filter(pipeline=OuterRef("pk"))).order_by("-pk").values("pk")[:1]
    rows = Pipeline.objects.for_organization(organization).annotate(last=Subquery(newest))
    fields = ("slug", "dataset", "source_id", "last")
    found = list(rows.order_by("name", "pk").values_list(*fields))
    statuses = _statuses(organization, [last for *_rest, last in found if last])
    sources = Connection.objects.for_organization(organization)
    by_id = sources.in_bulk({source for _slug, _dataset, source, _last in found})
    nodes: dict[str, LineageNode] = {}
    edges: list[Edge] = []
    for slug, dataset, source_id, last in found:
        planned = graph.nodes[f"pipeline:{slug}"]
        source = _source(organization, by_id[source_id])
        nodes.setdefault(source.key, source)
        edges.append((source.key, planned.key))
        status = "paused" if planned.is_paused else statuses.get(last, "untested")
        nodes[planned.key] = LineageNode(
            organization,
            planned.key,
            "pipeline",
            planned.title,
            _("into %s") % dataset,
            "running" if planned.key in running else status,
            tuple(sorted(planned.tags)),
            planned.rule,
        )
    return nodes, edges


def _happened(steps: Any) -> Any:
    return steps.exclude(status__in=[Status.SKIPPED, Status.CANCELLED], started_at__isnull=True)


def _statuses(organization: Organization, ids: list[int]) -> dict[int, str]:
    rows = RunStep.objects.for_organization(organization).filter(pk__in=ids)
    return {
        pk: "warning" if status == Status.SUCCEEDED and warned else status
        for pk, status, warned in rows.values_list("pk", "status", "has_warnings")
    }


def _source(organization: Organization, connection: Connection) -> LineageNode:
    return LineageNode(
        organization,
        key=f"connection:{connection.slug}",
        kind="source",
        label=connection.name,
        meta=str(connection.type.label),
        status=connection.check_status,
    )


def _transformations(
    organization: Organization, graph: Graph, running: set[str]
) -> dict[str, LineageNode]:
    rows = Transformation.objects.for_organization(organization)
    words = {value: str(label).lower() for value, label in Materialization.choices}
    nodes: dict[str, LineageNode] = {}
    for name, stored, status in rows.values_list("name", "materialization", "build_status"):
        planned = graph.nodes[f"transformation:{name}"]
        nodes[planned.key] = LineageNode(
            organization,
            planned.key,
            "transformation",
            name,
            words[stored],
            "running" if planned.key in running else status,
            tuple(sorted(planned.tags)),
            planned.rule,
        )
    return nodes


def _tests_text(statuses: Iterable[str]) -> str:
    """``6 pass, 1 fails``; empty without tests."""
    seen = list(statuses)
    words = (
        (_("%d pass"), sum(s == "succeeded" for s in seen)),
        (_("%d with warnings"), sum(s == "warned" for s in seen)),
        (_("%d fail"), sum(s == "failed" for s in seen)),
        (_("%d not run"), sum(s in {"", "skipped"} for s in seen)),
    )
    return ", ".join(text % number for text, number in words if number)


def _running_keys(organization: Organization) -> set[str]:
    rows = RunStep.objects.for_organization(organization).filter(status=Status.RUNNING)
    return {key for nodes in rows.values_list("nodes", flat=True) for key in nodes}


def _passes(node: LineageNode, wanted: NodeFilter) -> bool:
    text = wanted.query.lower()
    return (
        (not text or text in node.label.lower() or text in node.key.lower())
        and wanted.kind in ("", node.kind)
        and wanted.state in ("", node.tone)
        and (not wanted.tag or wanted.tag in node.tags)
    )
