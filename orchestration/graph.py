"""The organization's graph, read from rows: explicit dependencies, and edges that SQL implies."""

from collections import defaultdict

from connections.models import Connection
from orchestration.engine.planner import Graph, GraphNode
from orchestration.models import Dependency, Node
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms import selectors as transforms
from transforms.models import Transformation


def pipeline_key(pipeline: Pipeline) -> str:
    return f"pipeline:{pipeline.slug}"


def transformation_key(transformation: Transformation) -> str:
    return f"transformation:{transformation.name}"


def graph_of(organization: Organization) -> Graph:
    """All living pipelines and transformations with the edges between them, in five queries."""
    pipelines = list(Pipeline.objects.for_organization(organization))
    rows = Transformation.objects.for_organization(organization)
    transformations = list(rows.select_related("connection"))
    nodes = {pipeline_key(p): GraphNode(pipeline_key(p), is_paused=p.is_paused) for p in pipelines}
    for t in transformations:
        key = transformation_key(t)
        nodes[key] = GraphNode(
            key,
            warehouse=t.connection_id,
            serial=t.connection.slots == 1,
            tags=frozenset(t.tags),
        )
    return Graph(
        nodes=nodes,
        explicit=_explicit(organization, nodes),
        inferred=_inferred(organization, pipelines, transformations),
    )


def node_for(thing: Pipeline | Transformation) -> Node:
    """The graph's row of a pipeline or transformation, made at first need."""
    field = "pipeline" if isinstance(thing, Pipeline) else "transformation"
    node, _ = Node.all_organizations.get_or_create(
        **{field: thing}, defaults={"organization": thing.organization}
    )
    return node  # type: ignore[no-any-return]


def find_thing(organization: Organization, key: str) -> Pipeline | Transformation | None:
    """The pipeline or transformation of a key ``pipeline:<slug>`` or ``transformation:<name>``."""
    kind, _, name = key.partition(":")
    if kind == "pipeline":
        return Pipeline.objects.for_organization(organization).filter(slug=name).first()
    if kind == "transformation":
        rows = Transformation.objects.for_organization(organization)
        return rows.filter(name=name).first()
    return None


def _explicit(
    organization: Organization, nodes: dict[str, GraphNode]
) -> frozenset[tuple[str, str]]:
    rows = Dependency.objects.for_organization(organization).select_related(
        "upstream__pipeline",
        "upstream__transformation",
        "downstream__pipeline",
        "downstream__transformation",
    )
    pairs = {(row.upstream.key, row.downstream.key) for row in rows if _alive(row)}
    return frozenset(pair for pair in pairs if pair[0] in nodes and pair[1] in nodes)


def _alive(row: Dependency) -> bool:
    return row.upstream.is_alive and row.downstream.is_alive


def _inferred(
    organization: Organization, pipelines: list[Pipeline], transformations: list[Transformation]
) -> frozenset[tuple[str, str]]:
    by_name = {t.name: t for t in transformations}
    loads: dict[tuple[int, str], list[str]] = defaultdict(list)
    for pipeline in pipelines:
        loads[pipeline.destination_id, pipeline.dataset].append(pipeline_key(pipeline))
    edges: set[tuple[str, str]] = set()
    for t in transformations:
        found = transforms.upstreams_of(t)
        key = transformation_key(t)
        edges |= {(transformation_key(by_name[n]), key) for n in found.refs if n in by_name}
        for dataset, _ in found.sources:
            edges |= {(up, key) for up in loads.get((t.connection_id, dataset), ())}
    return frozenset(edges)


def warehouses(organization: Organization, ids: set[int]) -> dict[int, Connection]:
    rows = Connection.objects.for_organization(organization).filter(pk__in=ids)
    return {row.pk: row for row in rows}
