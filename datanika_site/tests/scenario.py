"""A small organization on real systems: a SQLite shop, a DuckDB warehouse, a pipeline and two transformations."""

import sqlite3
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from connections import runner
from connections import services as connections
from connections.models import Connection
from orchestration import services as orchestration
from orchestration.engine import executor
from orchestration.engine.claims import waiting_steps
from orchestration.models import Run, RunLogLine, RunStep, RunStepResult
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, Pipeline, WriteDisposition
from tenants.actors import Actor
from tenants.models import Organization
from transforms import services as transforms
from transforms.models import Transformation
from transforms.services import TransformationDefinition

ORDERS = [
    (1, "Ann", "19.90", "2026-01-01"),
    (2, "", "5.00", "2026-01-02"),
    (3, None, "7.25", "2026-01-03"),
]


@dataclass
class Shop:
    """What the tests work with."""

    organization: Organization
    actor: Actor
    source: Connection
    warehouse: Connection
    pipeline: Pipeline

    @property
    def files(self) -> Path:
        return runner.files_root(self.organization)

    def transformation(self, name: str, sql: str, **settings: object) -> Transformation:
        return transforms.create_transformation(
            organization=self.organization,
            actor=self.actor,
            connection=self.warehouse,
            definition=TransformationDefinition(name=name, sql=sql, **settings),  # type: ignore[arg-type]
        )

    def run(self, target: str = "dag", select: str = "") -> Run:
        """Request a run and execute its steps here, as a worker would."""
        run = orchestration.request_run(
            organization=self.organization, actor=self.actor, target=target, select=select
        )
        return self.work(run)

    def work(self, run: Run) -> Run:
        steps = deque(waiting_steps(self.organization.pk))
        while steps:
            steps.extend(executor.execute(steps.popleft()).ring)
        run.refresh_from_db()
        return run

    def steps(self, run: Run) -> list[RunStep]:
        return list(RunStep.objects.for_organization(self.organization).filter(run=run))

    def results(self, run: Run) -> dict[str, RunStepResult]:
        rows = RunStepResult.objects.for_organization(self.organization).filter(step__run=run)
        return {row.name: row for row in rows}

    def log(self, run: Run) -> str:
        rows = RunLogLine.objects.for_organization(self.organization).filter(run=run)
        return "\n".join(row.text for row in rows)


def make_shop(organization: Organization, actor: Actor) -> Shop:
    root = runner.files_root(organization)
    write_orders(root / "shop.sqlite", ORDERS)
    source = connections.create_connection(
        organization=organization,
        actor=actor,
        name="Shop",
        connector="sqlite",
        values={"path": "shop.sqlite"},
    )
    warehouse = connections.create_connection(
        organization=organization,
        actor=actor,
        name="Warehouse",
        connector="duckdb",
        values={"path": "warehouse.duckdb"},
    )
    pipeline = pipelines.create_pipeline(
        organization=organization,
        actor=actor,
        source=source,
        destination=warehouse,
        definition=PipelineDefinition(
            name="Orders",
            dataset="raw_shop",
            mode=Mode.SINGLE_TABLE,
            source_schema="main",
            resources=(
                ResourceDefinition(
                    name="orders",
                    target="orders",
                    write_disposition=WriteDisposition.MERGE,
                    primary_key=("id",),
                    cursor_column="updated",
                ),
            ),
        ),
    )
    return Shop(organization, actor, source, warehouse, pipeline)


def write_orders(path: Path, rows: list[tuple[int, str | None, str, str]]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS orders"
            " (id INTEGER PRIMARY KEY, customer TEXT, amount TEXT, updated TEXT)"
        )
        connection.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)", rows)
        connection.commit()
