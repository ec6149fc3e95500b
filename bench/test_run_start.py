"""Ten rows from the request of a run to its end, in both modes, with a warm worker."""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench.report import at_most, report
from bench.sources import make_database
from datanika_site.tests.installation import Installation
from scripts.services import Server

pytestmark = pytest.mark.bench

RUNS = 9
GOAL = 1.0
ROWS = 10
SOURCE, TARGET = "ten_rows", "ten_rows_loaded"

#: A table of ten rows in SQLite and in PostgreSQL, and a pipeline that replaces it for each.
SET_UP = """
import json, sqlite3
from contextlib import closing
from connections import runner
from connections.services import create_connection
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, WriteDisposition
from pipelines.services import create_pipeline
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership
given = json.loads('''{given}''')
organization = services.set_up(
    email="olga@example.com", name="Olga", password="correct horse battery", organization_name="Acme"
)
actor = Actor.member(Membership.all_organizations.get())
with closing(sqlite3.connect(runner.files_root(organization) / "shop.sqlite")) as connection:
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, amount TEXT)")
    rows = [(n, f"Customer {{n}}", "19.90") for n in range(given["rows"])]
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    connection.commit()
def connect(name, connector, values):
    return create_connection(
        organization=organization, actor=actor, name=name, connector=connector, values=values
    )
server = given["server"]
pairs = {{
    "Files": (
        connect("Shop", "sqlite", {{"path": "shop.sqlite"}}),
        connect("Warehouse", "duckdb", {{"path": "warehouse.duckdb"}}),
        "main",
    ),
    "Servers": (
        connect("From", "postgres", server | {{"database": given["source"]}}),
        connect("To", "postgres", server | {{"database": given["target"]}}),
        "public",
    ),
}}
for name, (source, destination, schema) in pairs.items():
    create_pipeline(
        organization=organization,
        actor=actor,
        source=source,
        destination=destination,
        definition=PipelineDefinition(
            name=name,
            dataset="raw_shop",
            mode=Mode.SINGLE_TABLE,
            source_schema=schema,
            resources=(
                ResourceDefinition(
                    name="orders", target="orders", write_disposition=WriteDisposition.REPLACE
                ),
            ),
        ),
    )
"""

#: The database's own times: the row of the run, the claim of its step, the end.
MEASURE = """
import json, time
from orchestration.models import Run, RunStep
from orchestration.services import request_run
from tenants.actors import Actor
from tenants.models import Organization
organization = Organization.objects.get()
found = []
for _ in range({runs} + 1):
    run = request_run(organization=organization, actor=Actor.operator(), target="pipeline:{name}")
    while run.is_active:
        time.sleep(0.02)
        run.refresh_from_db()
    step = RunStep.all_organizations.get(run=run)
    assert run.status == "succeeded", (run.status, run.error)
    assert run.rows_loaded == {rows}, run.rows_loaded
    found.append([(step.started_at - run.requested_at).total_seconds(),
                  (run.finished_at - run.requested_at).total_seconds()])
print(json.dumps(found[1:]))
"""

PIPELINES = {"files": "SQLite → DuckDB", "servers": "PostgreSQL → PostgreSQL"}


@pytest.fixture(params=["embedded", "distributed"])
def installation(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, Installation]]:
    if request.param == "embedded":
        made = Installation(tmp_path / "data")
    else:
        made = Installation.distributed(
            tmp_path / "data",
            request.getfixturevalue("postgres_url"),
            request.getfixturevalue("redis_url"),
        )
    yield request.param, made
    made.stop()


def ten_rows(server: Server) -> str:
    """The databases, and what the set-up has to know of them as JSON."""
    make_database(server, TARGET)
    if make_database(server, SOURCE):
        with psycopg.connect(server.url_of(SOURCE)) as connection:
            connection.execute(
                "CREATE TABLE orders AS SELECT n AS id, 'Customer ' || n AS customer,"
                " 19.90 AS amount FROM generate_series(1, %s) AS n",
                [ROWS],
            )
    reached = {
        "host": server.host,
        "port": server.port,
        "user": "datanika",
        "password": server.password,
        "sslmode": "disable",
    }
    return json.dumps({"rows": ROWS, "server": reached, "source": SOURCE, "target": TARGET})


def test_ten_rows_from_request_to_end(
    installation: tuple[str, Installation], postgres_server: Server, surroundings: str
) -> None:
    mode, made = installation
    made.manage("migrate", "--verbosity", "0")
    made.python(SET_UP.format(given=ten_rows(postgres_server)))
    made.start_worker()
    for name, route in PIPELINES.items():
        measure = MEASURE.format(runs=RUNS, rows=ROWS, name=name)
        times = json.loads(made.python(measure).splitlines()[-1])
        with_what = f"median of {RUNS} runs, {ROWS} rows, {route}, warm worker; {surroundings}"
        started = statistics.median(start for start, _ in times)
        ended = statistics.median(end for _, end in times)
        title = f"{ROWS} rows, {route}, {mode}, request to"
        report("bench", at_most(f"{title} claimed step", started, "s", GOAL, with_what))
        report("bench", at_most(f"{title} finished run", ended, "s", GOAL, with_what))
