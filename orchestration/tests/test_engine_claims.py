"""Two workers at the same moment, on whatever database the tests run with."""

import threading

import pytest
from django.db import connections as databases

from connections.models import Connection
from orchestration.engine import claims
from orchestration.models import RunStep, Status
from orchestration.tests import factories as make
from tenants.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4


def test_two_runs_of_one_pipeline_never_overlap(
    organization: Organization, stand: Connection
) -> None:
    """The destination could take them both; the pipeline alone is why they wait."""
    stand.max_concurrent_runs = WORKERS * 2
    stand.save(update_fields=["max_concurrent_runs"])
    organization.max_concurrent_runs = WORKERS * 2
    organization.save(update_fields=["max_concurrent_runs"])
    queued = [make.steps(make.make_run(organization, "pipeline:orders"))[0] for _ in range(WORKERS)]
    start = threading.Barrier(WORKERS)
    taken: list[RunStep] = []

    def work(step: RunStep) -> None:
        try:
            start.wait(10)
            if claimed := claims.claim(step.pk):
                taken.append(claimed)
        finally:
            databases.close_all()

    for _round in range(WORKERS):
        rows = RunStep.all_organizations.filter(pk__in=[step.pk for step in queued])
        waiting = list(rows.filter(status=Status.QUEUED))
        start = threading.Barrier(len(waiting))
        threads = [threading.Thread(target=work, args=(step,)) for step in waiting]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        (winner,) = taken
        others = rows.filter(status=Status.QUEUED).values_list("waiting_for", flat=True)
        assert set(others) <= {f"run #{winner.run.number}, which loads the same pipeline"}
        assert len(others) == len(waiting) - 1
        rows.filter(pk=winner.pk).update(status=Status.SUCCEEDED)
        taken.clear()
