"""What ``doctor`` says about the work: real trouble has status 1, an installation at rest has not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from datanika_site import operations
from datanika_site.operations import Finding
from orchestration import retention, upkeep
from orchestration.models import RunStep, Schedule, Upkeep, Worker
from orchestration.tests import factories as make
from orchestration.tests.conftest import schedule, stand  # noqa: F401
from tenants import services
from tenants.models import Organization


def found() -> dict[str, Finding]:
    return {finding.name: finding for finding in operations.findings()}


def worker(**values: object) -> Worker:
    defaults = {"name": "here:1", "queues": ["default"], "slots": 4, "version": "1.0"}
    return Worker.objects.create(**{**defaults, **values})


def test_an_installation_at_rest_has_not_failed(db: None) -> None:
    statuses = {name: finding.status for name, finding in found().items()}
    assert "failed" not in statuses.values()
    assert statuses["Workers"] == statuses["Scheduler"] == "warn"
    assert found()["Queue"].text == "no step waits for a worker"


def test_one_at_work_is_well(db: None) -> None:
    worker()
    upkeep.note(upkeep.TICK)
    retention.prune(timezone.now())
    all_found = found()
    assert {finding.status for finding in all_found.values()} == {"ok"}
    assert all_found["Workers"].text == "1 with 4 slots"
    assert "took 0 things" in all_found["Retention"].text
    assert "memory of a step" in all_found["Limits"].text
    assert "nobody elsewhere notices" in all_found["Dead-man's ping"].text


def test_trouble_with_workers_and_queues(
    organization: Organization,
    stand: object,  # noqa: F811
) -> None:
    run = make.make_run(organization, "pipeline:orders")
    RunStep.all_organizations.filter(run=run).update(
        queue="gold", queued_at=timezone.now() - timedelta(minutes=40)
    )
    nobody = found()["Queue gold"]
    assert (nobody.status, nobody.text) == ("failed", "1 ready step(s), the oldest for 40 min")
    worker()
    other = found()["Queue gold"]
    assert other.status == "failed"
    assert "no worker serves it" in other.text
    assert "--queues gold" in other.remedy
    worker(name="there:2", queues=["gold"], version="1.1")
    assert found()["Queue gold"].status == "warn"
    assert "versions 1.0, 1.1" in found()["Workers"].text
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    assert found()["Workers"].text == "none has been heard of lately"


def test_a_dead_scheduler_is_told(schedule: Schedule) -> None:  # noqa: F811
    worker()
    upkeep.note(upkeep.TICK)
    Upkeep.objects.update(at=timezone.now() - timedelta(minutes=10))
    dead = found()["Scheduler"]
    assert (dead.status, dead.text) == ("failed", "last tick of beat 10 min ago")
    Schedule.all_organizations.update(next_run_at=timezone.now() - timedelta(minutes=5))
    assert "1 schedule(s) are overdue" in found()["Scheduler"].text


def test_the_ping_and_a_prune_that_stumbles(db: None) -> None:
    services.update_platform(actor=make.OPERATOR, heartbeat_url="https://example.com/secret")
    assert found()["Dead-man's ping"].status == "warn"
    worker()
    upkeep.note(upkeep.TICK)
    upkeep.note(upkeep.HEARTBEAT, is_good=False, text="example.com did not answer.")
    upkeep.note(upkeep.PRUNE, is_good=False, text="Log lines: OSError: no", details={"items": {}})
    ping = found()["Dead-man's ping"]
    assert ping.status == "failed"
    assert "did not answer" in ping.text
    assert "secret" not in ping.text
    assert found()["Retention"].status == "warn"


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (119, "119 s"), (300, "5 min"), (90_000, "25 h")]
)
def test_ages_in_words(seconds: int, words: str) -> None:
    assert operations._words(timedelta(seconds=seconds)) == words
