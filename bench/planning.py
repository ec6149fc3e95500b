# ruff: noqa: S608 - these are templates of SQL, never executed.
"""Graphs of many nodes in an installation of its own, and how long they take to plan; used by ``test_planning``."""

import time
from collections.abc import Callable

from django.db import transaction

from connections import services as connections
from connections.models import Connection, UseAs
from orchestration.engine.planner import plan, select
from orchestration.graph import graph_of
from orchestration.models import Dependency, Node
from orchestration.requests import create_run
from pipelines.models import Mode, Pipeline
from tenants.actors import Actor
from tenants.models import Organization
from transforms.models import Transformation
from transforms.selectors import note_reads

#: A chain, a pipeline with all others behind it, layers that each read two of the one before, diamonds in a row.
SHAPES = ("chain", "wide", "layered", "diamond")
ROUNDS = 5
#: Longer than most SQL that people write.
PADDING = "-- " + "what this is for and who to ask about it, " * 25
LAYER = 100
#: So many of the edges are drawn by hand, between pipelines and transformations.
DRAWN = 2_000


def set_up(slug: str, shape: str, nodes: int) -> None:
    """An organization with a fifth of its nodes pipelines, the rest transformations that read in ``shape``."""
    organization = _organization(slug)
    warehouse = _connection(organization)
    loads = _pipelines(organization, warehouse, nodes // 5)
    builds = _transformations(organization, warehouse, shape, nodes - nodes // 5)
    _draw(organization, loads, builds)


def measure(slug: str) -> dict[str, float]:
    """Seconds, the fastest of some rounds: loading the graph, selecting and planning, and all of it with the rows."""
    organization = Organization.objects.get(slug=slug)
    graph = graph_of(organization)
    whole = set(graph.nodes)
    last = max(key for key in whole if key.startswith("transformation:"))
    return {
        "load": _fastest(lambda: graph_of(organization)),
        "plan all": _fastest(lambda: plan(graph_of(organization), whole)),
        "select +x and plan": _fastest(
            lambda: _selected(organization, f"+{last.partition(':')[2]}")
        ),
        "a run of everything": _run(organization),
        "a run of one": _run(organization, "pipeline:p00001"),
        "nodes": float(len(whole)),
    }


def _selected(organization: Organization, expression: str) -> None:
    graph = graph_of(organization)
    plan(graph, select(graph, expression))


def _run(organization: Organization, target: str = "dag") -> float:
    started = time.perf_counter()
    with transaction.atomic():
        create_run(organization=organization, actor=Actor.operator(), target=target)
    return time.perf_counter() - started


def _fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _round in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _organization(slug: str) -> Organization:
    organization = Organization(name=slug, slug=slug)
    organization.save()
    return organization


def _connection(organization: Organization) -> Connection:
    return connections.create_connection(
        organization=organization,
        actor=Actor.operator(),
        name="Warehouse",
        connector="duckdb",
        values={"path": "warehouse.duckdb"},
        use_as=UseAs.BOTH,
    )


def _pipelines(organization: Organization, warehouse: Connection, count: int) -> list[Pipeline]:
    return Pipeline.all_organizations.bulk_create(
        Pipeline(
            organization=organization,
            name=f"Pipeline {n}",
            slug=f"p{n:05d}",
            source=warehouse,
            destination=warehouse,
            dataset=f"raw_{n:05d}",
            mode=Mode.SINGLE_TABLE,
            tags=["nightly"] if n % 3 == 0 else [],
        )
        for n in range(count)
    )


def _transformations(
    organization: Organization, warehouse: Connection, shape: str, count: int
) -> list[Transformation]:
    rows = []
    for n in range(count):
        reads = " union all ".join(
            f"select * from {{{{ ref('t{other:05d}') }}}}" for other in _reads(shape, n)
        )
        source = f"select * from {{{{ source('raw_{n % 2000:05d}', 'orders') }}}}"
        row = Transformation(
            organization=organization,
            name=f"t{n:05d}",
            connection=warehouse,
            sql=f"{PADDING}\n{reads or source}",
            compiled_sql=PADDING * 2,
            tags=["finance"] if n % 5 == 0 else [],
        )
        note_reads(row)
        rows.append(row)
    return Transformation.all_organizations.bulk_create(rows, batch_size=500)


def _reads(shape: str, n: int) -> list[int]:
    match shape:
        case "chain":
            return [n - 1] if n else []
        case "wide":
            return [0] if n else []
        case "layered":
            above = n - LAYER
            return [above, above - above % LAYER + (above + 7) % LAYER] if above >= 0 else []
    # Four nodes a diamond: its top reads the bottom of the one before.
    place = n % 4
    if place == 0:
        return [n - 1] if n else []
    return [n - place] if place < 3 else [n - 1, n - 2]


def _draw(organization: Organization, loads: list[Pipeline], builds: list[Transformation]) -> None:
    pairs = list(zip(loads[:DRAWN], builds, strict=False))
    places = Node.all_organizations.bulk_create(
        Node(organization=organization, pipeline=load) for load, _build in pairs
    )
    ends = Node.all_organizations.bulk_create(
        Node(organization=organization, transformation=build) for _load, build in pairs
    )
    Dependency.all_organizations.bulk_create(
        Dependency(organization=organization, upstream=up, downstream=down, max_age_seconds=86_400)
        for up, down in zip(places, ends, strict=True)
    )
