"""Graphs, runs and results made through the services; results as the engine's own reporter writes them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from connections import services as connections
from connections.models import Connection, UseAs
from orchestration.engine import claims
from orchestration.engine.reporter import Reporter
from orchestration.models import Run, RunStep, Status
from orchestration.requests import create_run
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, Pipeline
from tenants.actors import Actor
from tenants.models import Organization
from transforms import services as transforms
from transforms.models import Transformation

OPERATOR = Actor.operator()
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def make_connection(
    organization: Organization, name: str = "Warehouse", use_as: str = UseAs.BOTH
) -> Connection:
    return connections.create_connection(
        organization=organization,
        actor=OPERATOR,
        name=name,
        connector="duckdb",
        values={"path": f"{name.lower().replace(' ', '_')}.duckdb"},
        use_as=use_as,
    )


def make_pipeline(
    organization: Organization,
    name: str,
    warehouse: Connection,
    source: Connection | None = None,
    dataset: str = "",
) -> Pipeline:
    source = source or make_connection(organization, f"{name} source", UseAs.SOURCE)
    return pipelines.create_pipeline(
        organization=organization,
        actor=OPERATOR,
        source=source,
        destination=warehouse,
        definition=PipelineDefinition(
            name=name,
            dataset=dataset or f"raw_{name.lower()}",
            mode=Mode.SINGLE_TABLE,
            source_schema="main",
            resources=(ResourceDefinition(name="orders", target="orders"),),
        ),
    )


def make_transformation(
    organization: Organization,
    name: str,
    warehouse: Connection,
    sql: str = "select 1 as id",
    tags: tuple[str, ...] = (),
) -> Transformation:
    return transforms.create_transformation(
        organization=organization,
        actor=OPERATOR,
        connection=warehouse,
        definition=transforms.TransformationDefinition(name=name, sql=sql, tags=tags),
    )


def make_run(organization: Organization, target: str = "dag", **values: Any) -> Run:
    """A queued run; nothing executes it."""
    return create_run(organization=organization, actor=OPERATOR, target=target, **values)[0]


def steps(run: Run) -> list[RunStep]:
    return list(RunStep.all_organizations.filter(run=run).order_by("position"))


def step_named(run: Run, name: str) -> RunStep:
    """The step that a node (by name) is part of."""
    return next(
        step for step in steps(run) if name in {key.partition(":")[2] for key in step.nodes}
    )


def statuses(run: Run) -> dict[str, str]:
    return {step.name: str(step.status) for step in steps(run)}


def take(step: RunStep) -> RunStep:
    claimed = claims.claim(step.pk)
    assert claimed is not None, step
    return claimed


def report(step: RunStep, *events: dict[str, Any]) -> Reporter:
    """What a child of this claimed step would have said, written by the reporter."""
    reporter = Reporter(step)
    for event in events:
        reporter.take(event)
    reporter.flush(force=True)
    return reporter


def model(name: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {"event": "result", "kind": "model", "name": name, "status": status, "rows": 5, **more}


def table(name: str = "orders", **counts: int) -> dict[str, Any]:
    rows = {"rows_read": 10, "rows_loaded": 10, "rows_filtered": 0, "rows_rejected": 0}
    return {
        "event": "result",
        "kind": "table",
        "name": name,
        "target": name,
        "status": "succeeded",
        "rows_deduplicated": 0,
        "started_at": START.isoformat(),
        "finished_at": (START + timedelta(seconds=3)).isoformat(),
        **rows,
        **counts,
    }


def done(rows: int = 10) -> dict[str, Any]:
    return {"event": "done", "summary": {"rows_loaded": rows}}


def failed(
    message: str = "The server refused the password.",
    code: str = "authentication_failed",
    end: str = "source",
) -> dict[str, Any]:
    return {
        "event": "error",
        "code": code,
        "message": message,
        "remedy": "Give another password.",
        "end": end,
    }


def finish(step: RunStep, events: Iterable[dict[str, Any]] = ()) -> list[int]:
    """Claim the step and let it end as ``events`` say; the steps to ring."""
    from orchestration.engine import executor
    from orchestration.engine.watch import Verdict

    claimed = take(step)
    reporter = report(claimed, *(list(events) or [done()]))
    good = reporter.summary is not None and reporter.error is None
    verdict = Verdict(Status.SUCCEEDED if good else Status.FAILED, reporter.error)
    return executor._close(claimed, reporter, verdict).ring
