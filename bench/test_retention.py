"""Pruning a third of a million lines and twenty thousand runs, while a worker goes on writing its log."""

import json
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.report import at_most, report, shown
from datanika_site.tests.installation import Installation

pytestmark = pytest.mark.bench

RUNS, LINES_PER_RUN = 20_000, 15
#: A line of a log is written in batches, twice a second: this long it may take while pruning goes on.
WRITE_P95, WRITE_MAX = 0.1, 1.0
BATCH = 1.0

FILL = """
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from orchestration.models import Run, RunStep, RunStepResult
from tenants import services
organization = services.set_up(
    email="olga@example.com", name="Olga", password="correct horse battery", organization_name="Acme"
)
now = timezone.now()
old = now - timedelta(days=400)
def run(number, at, status):
    return Run(organization=organization, number=number, target="dag", title="Everything",
        status=status, requested_by="Olga", requested_at=at, started_at=at,
        finished_at=None if status == "running" else at, capsule={{"nodes": {{"a": "b" * 500}}}})
runs = [run(n, old + timedelta(seconds=n), "succeeded") for n in range(1, {runs} + 1)]
Run.all_organizations.bulk_create([*runs, run({runs} + 1, now, "running")], batch_size=500)
RunStep.all_organizations.bulk_create(
    (RunStep(organization=organization, run_id=pk, position=1, kind="pipeline", name="orders",
        status="succeeded") for pk in Run.all_organizations.values_list("pk", flat=True)),
    batch_size=500)
RunStepResult.all_organizations.bulk_create(
    (RunStepResult(organization=organization, step_id=pk, kind="table", name="orders",
        status="succeeded") for pk in RunStep.all_organizations.values_list("pk", flat=True)),
    batch_size=500)
numbers = " UNION ALL ".join(f"SELECT {{n}} AS n" for n in range(1, {lines} + 1))
with connection.cursor() as cursor:
    cursor.execute(f'''
        INSERT INTO orchestration_runlogline (organization_id, run_id, number, at, level, scope, text)
        SELECT r.organization_id, r.id, n.n, r.requested_at, 'info', 'orders',
               'Loaded a batch of ten thousand rows into the table orders, as it is said in a log.'
        FROM orchestration_run r, ({{numbers}}) n WHERE r.status <> 'running' ORDER BY r.id, n.n''')
    if connection.vendor == "postgresql":
        cursor.execute("ANALYZE")
"""

#: As the reporter writes: some lines and the run's counter in one transaction. Seconds of each, until told to stop.
WRITE = """
import json, pathlib, time
from django.db import transaction
from orchestration.models import Run, RunLogLine
run = Run.all_organizations.get(status="running")
stop, begun = pathlib.Path("{stop}"), pathlib.Path("{begun}")
times, number, end = [], run.last_line, time.monotonic() + 120
while time.monotonic() < end and not stop.exists():
    started = time.monotonic()
    with transaction.atomic():
        RunLogLine.all_organizations.bulk_create(
            RunLogLine(organization_id=run.organization_id, run=run, number=number + n,
                       level="info", text="A line.") for n in range(1, 11))
        number += 10
        Run.all_organizations.filter(pk=run.pk).update(last_line=number)
    times.append(time.monotonic() - started)
    begun.touch()
    time.sleep(0.02)
print(json.dumps(times))
"""

LEFT = """
import json
from orchestration.models import Run, RunLogLine
print(json.dumps([Run.all_organizations.count(), RunLogLine.all_organizations.exclude(
    run__status="running").count()]))
"""


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def installation(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, Installation]]:
    if request.param == "SQLite":
        made = Installation(tmp_path / "data")
    else:
        url = request.getfixturevalue("postgres_url")
        made = Installation.distributed(tmp_path / "data", url, "memory://")
    yield request.param, made
    made.stop()


def test_pruning_keeps_nobody_waiting(
    installation: tuple[str, Installation], tmp_path: Path
) -> None:
    vendor, made = installation
    made.manage("migrate", "--verbosity", "0")
    made.python(FILL.format(runs=RUNS, lines=LINES_PER_RUN))
    stop, begun = tmp_path / "stop", tmp_path / "begun"
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(made.python, WRITE.format(stop=stop, begun=begun))
        while not begun.exists() and not writer.done():
            pass
        try:
            pruned = json.loads(made.manage("prune", "--json").stdout)
        finally:
            stop.touch()
        times = sorted(json.loads(writer.result().splitlines()[-1]))
    # The last success stays, and the run that is going on.
    assert json.loads(made.python(LEFT).splitlines()[-1]) == [2, 0]
    assert pruned["complete"]
    assert pruned["items"]["runs"] == RUNS - 1
    told = (
        f"{RUNS:,} runs with steps and results, {RUNS * LINES_PER_RUN:,} lines, all old; {vendor};"
        f" {len(times)} writes meanwhile"
    )
    p95 = statistics.quantiles(times, n=20)[-1]
    report("bench", shown(f"prune, {vendor}", pruned["seconds"], "s", told))
    report(
        "bench",
        at_most(
            f"prune, longest batch, {vendor}", pruned["longest_batch_seconds"], "s", BATCH, told
        ),
    )
    report(
        "bench", at_most(f"write of a log during prune, p95, {vendor}", p95, "s", WRITE_P95, told)
    )
    report(
        "bench",
        at_most(f"write of a log during prune, longest, {vendor}", times[-1], "s", WRITE_MAX, told),
    )
