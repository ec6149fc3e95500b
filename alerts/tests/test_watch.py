"""What time alone brings about: late, overdue, too long, stale, reminders."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from alerts.models import AlertDelivery, AlertIncident, AlertRule
from alerts.tests.factories import deliveries, events, incidents, make_rule, run_once, titles
from alerts.watch import watch
from conftest_site import Person
from connections.models import Connection, DatasetTable
from orchestration import retention
from orchestration import services as orchestration
from orchestration.models import Run, RunStep, Schedule
from orchestration.tests import factories as make
from pipelines.models import Pipeline
from tenants.models import Organization, User

HOUR = 3600


def look(at: datetime | None = None) -> None:
    AlertRule.all_organizations.update(checked_at=None)
    watch(at)


def grow_old(organization: Organization) -> None:
    """Everything was made a month ago."""
    long_ago = timezone.now() - timedelta(days=30)
    Pipeline.objects.for_organization(organization).update(created_at=long_ago)


def test_no_success_within_the_window(organization: Organization, stand: Connection) -> None:
    make_rule(organization, no_success_seconds=26 * HOUR)
    look()
    # What is new has not had its chance yet.
    assert incidents() == []
    grow_old(organization)
    run_once(organization, good=True)
    look()
    assert titles() == ["Users: no success for 1 d 2 h"]
    look()
    assert len(events()) == 1
    run_once(organization, good=False, target="pipeline:users")
    look()
    assert len(events()) == 1
    run_once(organization, good=True, target="pipeline:users")
    look()
    assert titles()[1:] == ["Users succeeded again"]
    look(timezone.now() + timedelta(hours=27))
    opened = [d for d in deliveries() if d.event == "opened"][1:]
    assert {s["key"] for d in opened for s in d.message["data"]["subjects"]} >= {
        "pipeline:orders",
        "pipeline:users",
    }


def test_a_paused_pipeline_is_not_late(organization: Organization, stand: Connection) -> None:
    make_rule(organization, no_success_seconds=HOUR, scope="pipeline", pipeline="orders")
    grow_old(organization)
    look()
    assert events() == ["opened"]
    Pipeline.objects.for_organization(organization).filter(slug="orders").update(is_paused=True)
    look()
    assert events() == ["opened"]
    assert incidents()[0].closed_at is not None


@pytest.fixture
def schedule(organization: Organization, stand: Connection, editor: Person) -> Schedule:
    return orchestration.create_schedule(
        organization=organization,
        actor=editor.actor,
        name="Nightly",
        expression="0 6 * * *",
        time_zone="UTC",
        target="pipeline:orders",
    )


def test_a_scheduled_run_that_does_not_end(organization: Organization, schedule: Schedule) -> None:
    make_rule(organization, overdue_seconds=HOUR)
    make_rule(organization, overdue_seconds=HOUR, scope="pipeline", pipeline="users", name="Other")
    due = timezone.now() - timedelta(minutes=59)
    run = make.make_run(
        organization, "pipeline:orders", schedule=schedule, scheduled_for=due, trigger="schedule"
    )
    look()
    assert events() == []
    look(timezone.now() + timedelta(minutes=2))
    assert titles() == ["Nightly: a scheduled run is late"]
    assert deliveries()[0].message["data"]["run"]["number"] == run.number
    make.finish(make.steps(run)[0], [make.done()])
    look(timezone.now() + timedelta(minutes=3))
    assert titles()[1:] == ["Nightly: on time again"]


def test_a_due_time_that_started_nothing(organization: Organization, schedule: Schedule) -> None:
    make_rule(organization, overdue_seconds=HOUR, scope="pipeline", pipeline="orders")
    due = timezone.now() - timedelta(hours=2)
    Schedule.objects.for_organization(organization).update(next_run_at=due)
    look()
    assert titles() == ["Nightly: a scheduled run is late"]
    assert "was not started" in incidents()[0].text
    organization.schedules_paused_at = timezone.now()
    organization.save(update_fields=["schedules_paused_at"])
    look()
    assert incidents()[0].closed_at is not None


def running(organization: Organization, for_seconds: float) -> Run:
    run = make.make_run(organization, "pipeline:orders")
    step = make.take(make.steps(run)[0])
    since = timezone.now() - timedelta(seconds=for_seconds)
    RunStep.all_organizations.filter(pk=step.pk).update(started_at=since)
    return run


def test_a_run_that_takes_too_long(organization: Organization, stand: Connection) -> None:
    make_rule(organization, too_long_seconds=600)
    run = running(organization, 590)
    look()
    assert events() == []
    look(timezone.now() + timedelta(seconds=20))
    assert titles() == ["Orders: running for 10 m 10 s"]
    assert deliveries()[0].message["data"]["run"]["number"] == run.number
    make.report(make.steps(run)[0], make.done())
    RunStep.all_organizations.filter(run=run).update(status="succeeded")
    look()
    assert titles()[1:] == ["Orders: the long run is over"]


def test_longer_than_usual(organization: Organization, stand: Connection) -> None:
    make_rule(organization, too_long_factor=3.0)
    for _ in range(3):
        run_once(organization, good=True)
    start = timezone.now() - timedelta(minutes=10)
    RunStep.all_organizations.update(started_at=start, finished_at=start + timedelta(seconds=40))
    running(organization, 110)
    look()
    assert events() == []
    look(timezone.now() + timedelta(seconds=20))
    assert titles() == ["Orders: running for 2 m 10 s"]
    assert "3 times its usual 40 s" in incidents()[0].text


def test_a_stale_table(organization: Organization, stand: Connection) -> None:
    make_rule(organization, stale_seconds=24 * HOUR)
    table = {"organization": organization, "connection": stand, "schema": "raw_orders"}
    rows = DatasetTable.all_organizations
    DatasetTable.objects.for_organization(organization).delete()
    fresh = timezone.now() - timedelta(hours=23)
    old = timezone.now() - timedelta(hours=50)
    values: list[dict[str, Any]] = [
        {"name": "orders", "loaded_by": "orders", "loaded_at": old},
        {"name": "lines", "loaded_by": "orders", "loaded_at": fresh},
        {"name": "never", "loaded_by": "orders", "loaded_at": None},
        {"name": "gone", "loaded_by": "no-longer-there", "loaded_at": old},
    ]
    for value in values:
        rows.create(**table, **value)
    look()
    assert titles() == ["raw_orders.orders: not loaded for 2 d 2 h"]
    rows.filter(name="orders").update(loaded_at=timezone.now())
    look()
    assert titles()[1:] == ["raw_orders.orders: loaded again"]


def test_reminders(organization: Organization, stand: Connection) -> None:
    make_rule(organization, reminder_seconds=4 * HOUR, failures_in_a_row=1)
    run_once(organization, good=False)
    now = timezone.now()
    look(now + timedelta(hours=3))
    assert events() == ["opened"]
    look(now + timedelta(hours=5))
    look(now + timedelta(hours=6))
    assert events() == ["opened", "reminder"]
    assert titles()[1] == "Still: Orders failed"
    look(now + timedelta(hours=10))
    assert events() == ["opened", "reminder", "reminder"]
    run_once(organization, good=True)
    look(now + timedelta(hours=20))
    assert events()[3:] == ["recovered"]


def test_a_rule_is_looked_at_by_one_watch_only(
    organization: Organization, stand: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(organization)
    looked: list[int] = []
    monkeypatch.setattr("alerts.watch._look", lambda pk, now: looked.append(pk))
    now = timezone.now()
    watch(now)
    watch(now + timedelta(seconds=5))
    assert len(looked) == 1
    watch(now + timedelta(seconds=25))
    assert len(looked) == 2


def test_what_is_over_for_long_is_forgotten(
    organization: Organization, stand: Connection, owner: Person
) -> None:
    make_rule(organization)
    run_once(organization, good=False)
    run_once(organization, good=True)
    long_ago = timezone.now() - timedelta(days=91)
    AlertDelivery.all_organizations.update(created_at=long_ago)
    AlertIncident.all_organizations.update(closed_at=long_ago)
    names = ("alert_deliveries", "alert_incidents")
    due = retention.preview(timezone.now())
    assert [due[name] for name in names] == [0, 1]  # deliveries are still on their way
    retention.prune(timezone.now())
    assert len(deliveries()) == 2
    assert incidents() == []
    AlertDelivery.all_organizations.update(status="delivered")
    report = retention.prune(timezone.now())
    assert {item.name: item.taken for item in report.items}["alert_deliveries"] == 2
    assert deliveries() == []
    # Operators see both where sizes and the next prune stand.
    User.objects.filter(pk=owner.user.pk).update(is_staff=True, is_superuser=True)
    page = owner.client.get(reverse("admin:orchestration_upkeep_changelist")).content.decode()
    assert "Alert deliveries, settled" in page
    assert "Alert incidents, over" in page
