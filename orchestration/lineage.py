"""The graph as people see it: source connections, pipelines and transformations, with their state."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from common.graphs import Edge, downstream_of, reach, upstream_of
from common.ui.status import status_of
from connections.models import Connection
from orchestration import links
from orchestration.graph import graph_of, pipeline_key, transformation_key
from orchestration.layout import Picture, arrange
from orchestration.models import Dependency, RunStep, Status
from orchestration.selectors import recent_steps, shown_status
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms import selectors as transforms
from transforms.models import Transformation

#: Above this the list opens first: a picture of more cannot be read.
LARGEST_PICTURE = 300
#: Letters that fit into a node.
LABEL = 22
#: Room around the picture, for focus rings.
MARGIN = 32


@dataclass(frozen=True)
class LineageNode:
    key: str
    #: ``source``, ``pipeline`` or ``transformation``.
    kind: str
    label: str
    meta: str
    status: str
    url: str
    tags: tuple[str, ...] = ()
    at: datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    message: str = ""
    tests: str = ""

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


@dataclass(frozen=True)
class Lineage:
    nodes: dict[str, LineageNode]
    #: Edge → ``explicit``, ``inferred`` or ``source``.
    edges: dict[Edge, str]
    up: dict[str, set[str]] = field(default_factory=dict)
    down: dict[str, set[str]] = field(default_factory=dict)

    @property
    def tags(self) -> list[str]:
        return sorted({tag for node in self.nodes.values() for tag in node.tags})


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


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    nodes: list[DrawnNode]
    edges: list[DrawnEdge]


def lineage_of(organization: Organization) -> Lineage:
    """Everything alive, in a number of queries that does not grow with the graph."""
    graph = graph_of(organization)
    nodes: dict[str, LineageNode] = {}
    edges: dict[Edge, str] = dict.fromkeys(graph.inferred, "inferred")
    edges |= dict.fromkeys(graph.explicit, "explicit")
    rows = Pipeline.objects.for_organization(organization)
    pipelines = list(rows.select_related("source", "destination"))
    steps = recent_steps(organization, pipelines, count=1)
    for pipeline in pipelines:
        source = pipeline.source
        key = f"connection:{source.slug}"
        nodes.setdefault(key, _source(organization, source))
        edges[key, pipeline_key(pipeline)] = "source"
        last = steps.get(pipeline.pk, [])
        node = _pipeline(organization, pipeline, last[-1] if last else None)
        nodes[node.key] = node
    for node in _transformations(organization):
        nodes[node.key] = node
    return Lineage(nodes, edges, upstream_of(edges), downstream_of(edges))


def filtered(lineage: Lineage, wanted: NodeFilter) -> Lineage:
    """The nodes that pass, and the edges between them."""
    keys = {node.key for node in lineage.nodes.values() if _passes(node, wanted)}
    if wanted.around in lineage.nodes:
        keys &= _near(lineage, wanted.around, wanted.steps)
    nodes = {key: node for key, node in lineage.nodes.items() if key in keys}
    edges = {e: kind for e, kind in lineage.edges.items() if e[0] in keys and e[1] in keys}
    return Lineage(nodes, edges, upstream_of(edges), downstream_of(edges))


def drawn(lineage: Lineage) -> Drawing:
    """Places and paths of everything in ``lineage``."""
    picture = arrange(list(lineage.nodes), lineage.edges.keys())
    return Drawing(
        width=picture.width + 2 * MARGIN,
        height=picture.height + 2 * MARGIN,
        nodes=[_draw(lineage, picture, key) for key in lineage.nodes],
        edges=[
            DrawnEdge(path, up, down, lineage.edges[up, down], _edge_tone(lineage, up))
            for (up, down), path in sorted(picture.paths.items())
        ],
    )


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


def _source(organization: Organization, connection: Connection) -> LineageNode:
    return LineageNode(
        key=f"connection:{connection.slug}",
        kind="source",
        label=connection.name,
        meta=str(connection.type.label),
        status=connection.check_status,
        url=links.connection_url(organization, connection.slug),
        at=connection.checked_at,
    )


def _pipeline(organization: Organization, pipeline: Pipeline, last: RunStep | None) -> LineageNode:
    status = shown_status(last) if last else "untested"
    if pipeline.is_paused and not (last and last.is_active):
        status = "paused"
    return LineageNode(
        key=pipeline_key(pipeline),
        kind="pipeline",
        label=pipeline.name,
        meta=_("into %s") % pipeline.dataset,
        status=status,
        url=links.pipeline_url(organization, pipeline.slug),
        at=last.finished_at if last else None,
        seconds=last.took.total_seconds() if last and last.took else None,
        rows=last.summary.get("rows_loaded") if last else None,
        message=last.error if last else "",
    )


def _transformations(organization: Organization) -> Iterable[LineageNode]:
    rows = list(Transformation.objects.for_organization(organization))
    tests = transforms.tests_of(organization, rows)
    running = _running_keys(organization)
    for row in rows:
        key = transformation_key(row)
        statuses = [test.last_status for test in tests.get(row.pk, [])]
        yield LineageNode(
            key=key,
            kind="transformation",
            label=row.name,
            meta=row.get_materialization_display().lower(),
            status="running" if key in running else str(row.build_status),
            url=links.transformation_url(organization, row.name),
            tags=tuple(row.tags),
            at=row.built_at,
            seconds=row.build_seconds,
            rows=row.row_count,
            message=row.build_message.strip().partition("\n")[0],
            tests=_tests_text(statuses),
        )


def _tests_text(statuses: list[str]) -> str:
    """``6 pass, 1 fails``; empty without tests."""
    words = (
        (_("%d pass"), sum(s == "succeeded" for s in statuses)),
        (_("%d with warnings"), sum(s == "warned" for s in statuses)),
        (_("%d fail"), sum(s == "failed" for s in statuses)),
        (_("%d not run"), sum(s in {"", "skipped"} for s in statuses)),
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


def _near(lineage: Lineage, key: str, steps: int) -> set[str]:
    near = {key}
    for neighbours in (lineage.up, lineage.down):
        ring = {key}
        for _step in range(steps):
            ring = {other for k in ring for other in neighbours.get(k, ())} - near
            near |= ring
    return near


def _draw(lineage: Lineage, picture: Picture, key: str) -> DrawnNode:
    place = picture.places[key]
    return DrawnNode(
        node=lineage.nodes[key],
        x=place.x + MARGIN,
        y=place.y + MARGIN,
        up=" ".join(sorted(lineage.up.get(key, ()))),
        down=" ".join(sorted(lineage.down.get(key, ()))),
    )


def _edge_tone(lineage: Lineage, up: str) -> str:
    """An edge looks like what flows through it: nothing behind a failure, something behind a run."""
    tone = lineage.nodes[up].tone
    return tone if tone in {"bad", "run"} else ""
