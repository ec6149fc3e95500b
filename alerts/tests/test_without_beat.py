"""No beat and no broker: a worker looks at the rules by itself and sends what was written."""

import time

import pytest
from celery.signals import worker_init
from django.db import connections as databases

from alerts import tasks
from alerts.models import AlertDelivery, ChannelKind, DeliveryStatus
from alerts.tests.factories import Receiver, make_channel, make_rule, run_once
from connections.models import Connection
from orchestration import duties
from tenants.models import Organization


@pytest.mark.django_db(transaction=True)
def test_a_worker_watches_and_sends_by_itself(
    organization: Organization,
    stand: Connection,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "ring", lambda **_: None)  # nobody hears a bell
    make_rule(organization, make_channel(organization, ChannelKind.WEBHOOK, receiver.url()))
    run_once(organization, good=False)
    AlertDelivery.all_organizations.update(status=DeliveryStatus.PENDING)
    duties.DUTIES.pop("alerts", None)
    worker_init.send(sender=None)
    try:
        duties.DUTIES["alerts"].action()
        deadline = time.monotonic() + 10
        while not AlertDelivery.all_organizations.filter(status=DeliveryStatus.DELIVERED).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        duties.DUTIES.pop("alerts", None)
        databases.close_all()
    assert [received.path for received in receiver.received] == ["/hook?token=geheim42"]


def test_beat_that_lives_leaves_the_worker_nothing_to_do(
    organization: Organization, db: None
) -> None:
    worker_init.send(sender=None)
    duty = duties.DUTIES["alerts"]
    duty.done_at = 0
    tasks.watch()
    assert time.monotonic() - duty.done_at < 10
    duties.DUTIES.pop("alerts", None)
