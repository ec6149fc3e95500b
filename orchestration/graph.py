"""The organization's graph, read from rows: explicit dependencies, and edges that SQL implies."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from common.graphs import Edge
from connections.models import Connection
from orchestration.engine.nodes import Graph, GraphNode
from orchestration.engine.rules import Rule
from orchestration.models import Dependency, Node, UpstreamRule
from pipelines.models import Pipeline
from tenants.models import Organization
from transforms import selectors as transforms
from transforms.models import Transformation
from transforms.selectors import Reads

_PIPELINE = "pipeline:"
_TRANSFORMATION = "transformation:"


def pipeline_key(pipeline: Pipeline) -> str:
    return f"{_PIPELINE}{pipeline.slug}"


def transformation_key(transformation: Transformation) -> str:
    return f"{_TRANSFORMATION}{transformation.name}"


def graph_of(organization: Organization) -> Graph:
    """All living pipelines and transformations with the edges between them, in six queries.

    Rows are read as plain values: ten thousand of them are planned while a person waits.
    """
    reads = transforms.reads_of(organization)
    nodes, loads = _pipelines(organization)
    serial = _serial({one.connection_id for one in reads}, organization)
    for one in reads:
        key = f"{_TRANSFORMATION}{one.name}"
        nodes[key] = GraphNode(
            key,
            warehouse=one.connection_id,
            serial=one.connection_id in serial,
            tags=one.tags,
            title=one.name,
        )
    nodes |= _with_rules(organization, nodes)
    drawn = _drawn(organization, nodes)
    return Graph(
        nodes=nodes,
        explicit=frozenset(drawn),
        inferred=_inferred(reads, loads),
        windows={edge: seconds for edge, seconds in drawn.items() if seconds is not None},
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


def warehouses(organization: Organization, ids: set[int]) -> dict[int, Connection]:
    rows = Connection.objects.for_organization(organization).filter(pk__in=ids)
    return {row.pk: row for row in rows}


def _pipelines(
    organization: Organization,
) -> tuple[dict[str, GraphNode], dict[tuple[int, str], list[str]]]:
    """The pipelines' nodes, and which of them load into each dataset of a warehouse."""
    rows = Pipeline.objects.for_organization(organization)
    fields = ("slug", "name", "is_paused", "tags", "destination_id", "dataset")
    nodes: dict[str, GraphNode] = {}
    loads: dict[tuple[int, str], list[str]] = defaultdict(list)
    for slug, name, is_paused, tags, destination, dataset in rows.values_list(*fields):
        key = f"{_PIPELINE}{slug}"
        nodes[key] = GraphNode(key, tags=frozenset(tags), is_paused=is_paused, title=name)
        loads[destination, dataset].append(key)
    return nodes, loads


def _serial(ids: Iterable[int], organization: Organization) -> set[int]:
    return {pk for pk, row in warehouses(organization, set(ids)).items() if row.slots == 1}


def _with_rules(organization: Organization, nodes: Mapping[str, GraphNode]) -> dict[str, GraphNode]:
    """The nodes that have a rule of their own, with it."""
    rows = Node.objects.for_organization(organization).exclude(rule=UpstreamRule.ALL_SUCCEEDED)
    fields = ("pipeline__slug", "transformation__name", "rule")
    found: dict[str, GraphNode] = {}
    for slug, name, rule in rows.values_list(*fields):
        node = nodes.get(_key(slug, name))
        if node is not None:
            found[node.key] = node.with_rule(Rule(rule))
    return found


def _drawn(organization: Organization, nodes: Mapping[str, GraphNode]) -> dict[Edge, int | None]:
    """Explicit edges between living nodes, each with its freshness window in seconds."""
    ends = [
        f"{end}__{field}"
        for end in ("upstream", "downstream")
        for field in (
            "pipeline__slug",
            "pipeline__deleted_at",
            "transformation__name",
            "transformation__deleted_at",
        )
    ]
    rows = Dependency.objects.for_organization(organization).values_list("max_age_seconds", *ends)
    found: dict[Edge, int | None] = {}
    for seconds, up_slug, up_gone, up_name, up_lost, slug, gone, name, lost in rows:
        edge = (_key(up_slug, up_name), _key(slug, name))
        # A name in the trash may be another's by now.
        is_alive = not (up_gone or up_lost or gone or lost)
        if is_alive and edge[0] in nodes and edge[1] in nodes:
            found[edge] = seconds
    return found


def _key(slug: str | None, name: str | None) -> str:
    return f"{_PIPELINE}{slug}" if slug is not None else f"{_TRANSFORMATION}{name}"


def _inferred(reads: list[Reads], loads: Mapping[tuple[int, str], list[str]]) -> frozenset[Edge]:
    names = {one.name for one in reads}
    edges: set[Edge] = set()
    for one in reads:
        key = f"{_TRANSFORMATION}{one.name}"
        edges |= {(f"{_TRANSFORMATION}{name}", key) for name in one.reads.refs & names}
        for dataset, _table in one.reads.sources:
            edges |= {(up, key) for up in loads.get((one.connection_id, dataset), ())}
    return frozenset(edges)
