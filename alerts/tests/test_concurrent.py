"""Runs that end at the same moment, on whatever database the tests run with; ``chaos`` runs it on PostgreSQL."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from django.db import connections as databases
from django.db import transaction

from alerts import sending
from alerts.incidents import take_run
from alerts.tests.factories import Receiver, events, incidents, make_channel, make_rule
from connections.models import Connection
from orchestration.models import Run, RunStep, Status
from orchestration.tests import factories as make
from tenants.models import Organization

AT_ONCE = 6


def at_once(works: list[Callable[[], object]]) -> None:
    start = threading.Barrier(len(works))

    def work(one: Callable[[], object]) -> None:
        try:
            start.wait(10)
            one()
        finally:
            databases.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work, one) for one in works]:
            done.result(60)


def ended(organization: Organization, status: str) -> Run:
    """A run of two pipelines that ended this way, of which nobody was told yet."""
    run = make.make_run(organization)
    RunStep.all_organizations.filter(run=run, kind="pipeline").update(
        status=status, error="Broken."
    )
    return run


def take(run: Run) -> None:
    with transaction.atomic():
        take_run(run)


@pytest.mark.django_db(transaction=True)
def test_simultaneous_ends_are_told_once(organization: Organization, stand: Connection) -> None:
    channel = make_channel(organization)
    make_rule(organization, channel)
    make_rule(organization, channel, name="Twice", failures_in_a_row=AT_ONCE)
    runs = [ended(organization, Status.FAILED) for _ in range(AT_ONCE)]
    at_once([partial(take, run) for run in runs])
    assert [incident.count for incident in incidents()] == [AT_ONCE] * 4
    assert events() == ["opened"] * 2
    good = [ended(organization, Status.SUCCEEDED) for _ in range(AT_ONCE)]
    at_once([partial(take, run) for run in good])
    assert events() == ["opened"] * 2 + ["recovered"] * 2


@pytest.mark.django_db(transaction=True)
def test_simultaneous_senders_send_each_once(
    organization: Organization, stand: Connection, receiver: Receiver
) -> None:
    channel = make_channel(organization, "slack", receiver.url())
    for number in range(8):
        make_rule(organization, channel, name=f"Rule {number}")
    take(ended(organization, Status.FAILED))
    at_once([sending.send_due] * 4)
    assert len(receiver.received) == 8
    assert not sending.has_due()


@pytest.mark.chaos
def test_on_postgresql(postgres_url: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-k", "simultaneous", __file__]
    environment = os.environ | {"DATABASE_URL": postgres_url}
    done = subprocess.run(
        command,
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
