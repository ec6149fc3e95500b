"""A bug where alerts are written, or beside it: the run ends, nothing is lost, nothing is told twice or wrongly."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.tests.factories import deliveries, events, incidents, make_rule, run_once
from connections.models import Connection
from orchestration.engine import aftermath, sweep
from orchestration.models import Aftermath, Node, Run, Standing, Status
from orchestration.signals import run_ended
from orchestration.tests import factories as make
from tenants.models import Organization


class Broken:
    """A receiver that raises after it has written something; it passes on once it is mended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.is_mended = False
        self._real = run_ended.receivers[name]
        monkeypatch.setitem(run_ended.receivers, name, self)

    def __call__(self, *, run: Run, late: bool) -> None:
        self._real(run=run, late=late)
        if not self.is_mended:
            raise ZeroDivisionError


def sweep_when_due() -> None:
    Aftermath.all_organizations.update(next_at=timezone.now() - timedelta(seconds=1))
    sweep.sweep()


def test_an_alert_outlives_a_fault_where_it_is_written(
    organization: Organization, stand: Connection, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    make_rule(organization)
    alerts = Broken(monkeypatch, "alerts")
    run = run_once(organization, good=False)
    assert run.status == Status.FAILED
    # What it had written before it raised is gone with it; what it owes is written down.
    assert (deliveries(), incidents()) == ([], [])
    owed = Aftermath.all_organizations.get()
    assert (owed.receiver, owed.run, owed.error) == ("alerts", run, "ZeroDivisionError")
    assert "alerts could not follow; the sweep tries again" in caplog.text

    sweep.sweep()
    assert Aftermath.all_organizations.get().tries == 1  # not due yet
    sweep_when_due()
    owed.refresh_from_db()
    assert owed.tries == 2
    assert owed.next_at > timezone.now() + timedelta(seconds=20)
    assert deliveries() == []

    alerts.is_mended = True
    sweep_when_due()
    assert events() == ["opened"]
    assert not Aftermath.all_organizations.exists()
    sweep_when_due()
    assert events() == ["opened"]


def test_a_fault_of_another_receiver_takes_nothing_from_alerts(
    organization: Organization, stand: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(organization)
    standings = Broken(monkeypatch, "standings")
    run = run_once(organization, good=False)
    assert run.status == Status.FAILED
    assert events() == ["opened"]
    assert not Standing.all_organizations.exists()
    standings.is_mended = True
    sweep_when_due()
    assert Standing.all_organizations.get().run_number == run.number
    assert events() == ["opened"]


def test_what_has_succeeded_since_is_told_to_be_over(
    organization: Organization, stand: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(organization)
    alerts = Broken(monkeypatch, "alerts")
    run_once(organization, good=False)
    alerts.is_mended = True
    run_once(organization, good=True)
    assert Node.all_organizations.filter(succeeded_at__isnull=False).exists()
    assert events() == []
    sweep_when_due()
    assert events() == ["opened", "recovered"]
    assert [incident.closed_at is not None for incident in incidents()] == [True]


def test_an_earlier_success_does_not_end_what_failed_after_it(
    organization: Organization, stand: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(organization)
    alerts = Broken(monkeypatch, "alerts")
    standings = Broken(monkeypatch, "standings")
    run_once(organization, good=True)
    alerts.is_mended = standings.is_mended = True
    failed = run_once(organization, good=False)
    sweep_when_due()
    assert events() == ["opened"]
    assert [incident.closed_at for incident in incidents()] == [None]
    assert Standing.all_organizations.get().run_number == failed.number


def test_what_this_version_no_longer_knows_is_forgotten(
    organization: Organization, stand: Connection
) -> None:
    run = make.make_run(organization, "pipeline:orders")
    Aftermath(
        organization=organization, run=run, receiver="gone", error="E", next_at=timezone.now()
    ).save()
    aftermath.catch_up()
    assert not Aftermath.all_organizations.exists()
