"""From the request of a run to the first line of its step, in both modes, with a warm worker."""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report import Row, report
from datanika_site.tests.installation import Installation
from datanika_site.tests.test_installation import SET_UP

pytestmark = pytest.mark.bench

RUNS = 9
GOAL = 1.0

#: The database's own times: the row of the run, and the claim of its step.
MEASURE = f"""
import json, time
from orchestration.models import Run, RunStep
from orchestration.services import request_run
from tenants.actors import Actor
from tenants.models import Organization
organization = Organization.objects.get()
found = []
for _ in range({RUNS} + 1):
    run = request_run(organization=organization, actor=Actor.operator(), target="pipeline:orders")
    while run.is_active:
        time.sleep(0.02)
        run.refresh_from_db()
    step = RunStep.all_organizations.get(run=run)
    found.append([(step.started_at - run.requested_at).total_seconds(),
                  (run.finished_at - run.requested_at).total_seconds()])
print(json.dumps(found[1:]))
"""


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


def test_a_run_starts_at_once(installation: tuple[str, Installation]) -> None:
    mode, made = installation
    made.manage("migrate", "--verbosity", "0")
    made.python(SET_UP)
    made.start_worker()
    times = json.loads(made.python(MEASURE).splitlines()[-1])
    started = statistics.median(start for start, _ in times)
    ended = statistics.median(end for _, end in times)
    with_what = f"{RUNS} runs of a three-row SQLite to DuckDB pipeline, warm worker"
    report(
        "bench",
        Row(
            f"request to claimed step, {mode}",
            started,
            "s",
            f"≤ {GOAL}",
            started <= GOAL,
            with_what,
        ),
    )
    report("bench", Row(f"request to finished run, {mode}", ended, "s", "-", True, with_what))
