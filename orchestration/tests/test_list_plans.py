"""Lists stay quick: how SQLite goes about their questions, and that both ways to an object's runs find the same."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connections.models import Connection
from orchestration import run_filters
from orchestration.activity import activity
from orchestration.models import Run
from orchestration.problems import problem_of, problems_of
from orchestration.run_filters import RunFilter, page_of_runs
from orchestration.tests import factories as make
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def _plans(queries: CaptureQueriesContext) -> list[str]:
    """How the database goes about what was asked."""
    found: list[str] = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            # The table's own name leaves the alias "step" of the leaps unseen, so the whole plan is looked at.
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            found += [row[3] for row in cursor.fetchall()]
    return found


@pytest.mark.skipif(connection.vendor != "sqlite", reason="plans of SQLite")
def test_what_waits_and_what_failed_is_found_by_its_index(
    organization: Organization, failed_run: Run
) -> None:
    with CaptureQueriesContext(connection) as queries:
        activity(organization)
        problems = problems_of(organization)
        assert problem_of(organization, problems[0].fingerprint) is not None
    plans = _plans(queries)
    steps = [line for line in plans if line.startswith(("SEARCH step", "SCAN step"))]
    assert steps
    assert all("step_by_fingerprint" in line for line in steps), steps
    runs = [line for line in plans if line.startswith(("SEARCH orch", "SCAN orch"))]
    assert not [line for line in runs if line.startswith("SCAN orchestration_run")], runs
    waiting = [line for line in runs if "run_by_status" in line]
    assert len(waiting) >= 2, plans


@pytest.mark.parametrize("target", ["pipeline:orders", "connection:warehouse", "pipeline:none"])
def test_both_ways_to_the_runs_of_an_object_find_the_same(
    organization: Organization,
    stand: Connection,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    for name in ("orders", "users", "orders"):
        run = make.make_run(organization, f"pipeline:{name}")
        make.finish(make.steps(run)[0])
    make.make_run(organization, "pipeline:orders")
    wanted = RunFilter(target=target)

    def numbers() -> list[int]:
        page = page_of_runs(organization, wanted)
        return [run.number for run in (*page.active, *page.ended)]

    listed = numbers()
    monkeypatch.setattr(run_filters, "MOST_STEPS", 0)
    assert numbers() == listed
    expected = {"pipeline:orders": [4, 3, 1], "connection:warehouse": [4, 3, 2, 1]}
    assert listed == expected.get(target, [])
