"""The slots of a worker: what they take by themselves, what they leave alone, and what they hand back."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connections as databases

from conftest_site import Person
from connections.models import Connection
from orchestration.duties import Duty
from orchestration.engine import claims, executor, watch, workshop
from orchestration.engine.advance import advance as real_advance
from orchestration.engine.watch import Verdict
from orchestration.engine.workshop import Workshop
from orchestration.models import (
    RunLogLine,
    RunStep,
    RunStepAttempt,
    RunStepResult,
    Status,
    Worker,
)
from orchestration.tests import factories as make

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Work:
    """In place of children: every step ends well, unless ``hold`` keeps it until the worker must stop."""

    done: list[int] = field(default_factory=list)
    hold: bool = False
    holding: threading.Event = field(default_factory=threading.Event)

    def run(self, step: RunStep, reporter: Any, must_stop: Callable[[], bool]) -> Verdict:
        if self.hold:
            self.holding.set()
            while not must_stop():
                time.sleep(0.01)
            return Verdict(Status.QUEUED, handed_back=True)
        self.done.append(step.pk)
        reporter.take(make.done())
        return Verdict(Status.SUCCEEDED)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    made = Work()
    monkeypatch.setattr(executor, "_run", made.run)
    monkeypatch.setattr(workshop, "LOOK_SECONDS", 0.05)
    return made


class Rung(list[int]):
    def __call__(self, ids: Iterable[int], delay: int) -> None:
        self.extend(ids)


def opened(*queues: str, slots: int = 1) -> tuple[Workshop, Rung]:
    rung = Rung()
    return Workshop(queues or ["default"], slots, rung), rung


def wait_for(found: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    databases.close_all()


def all_ended(run: Any) -> bool:
    return set(make.statuses(run).values()) == {"succeeded"}


def test_one_bell_is_enough_for_a_whole_run(stand: Connection, work: Work) -> None:
    run = make.make_run(stand.organization)
    place, rung = opened()
    place.wake(make.steps(run)[0].pk)
    wait_for(lambda: all_ended(run))
    place.close()
    assert sorted(work.done) == sorted(step.pk for step in make.steps(run))
    assert rung == []
    attempts = RunStepAttempt.all_organizations.values_list("number", "status")
    assert set(attempts) == {(1, "succeeded")}


def test_the_watchman_finds_what_nobody_rang_for(stand: Connection, work: Work) -> None:
    ticks: list[float] = []
    own = {"tick": Duty(0.1, lambda: ticks.append(time.monotonic()))}
    place = Workshop(["default"], 1, Rung(), own)
    place.open()
    run = make.make_run(stand.organization)
    wait_for(lambda: all_ended(run))
    wait_for(lambda: len(ticks) > 1)
    worker = Worker.objects.get()
    assert (worker.queues, worker.slots, worker.is_draining) == (["default"], 1, False)
    place.close()
    assert not Worker.objects.exists()


def test_other_queues_are_left_to_others(stand: Connection, work: Work) -> None:
    stand.queue = "acme"
    stand.save(update_fields=["queue"])
    run = make.make_run(stand.organization, "pipeline:orders")
    place, _rung = opened("default")
    place.wake()
    place.close()
    assert work.done == []
    place, _rung = opened("default", "acme")
    place.wake()
    wait_for(lambda: all_ended(run))
    place.close()


def test_a_full_organization_does_not_hold_back_another(
    stand: Connection, stranger: Person
) -> None:
    organization = stand.organization
    assert stranger.membership is not None
    other_organization = stranger.membership.organization
    organization.max_concurrent_runs = 1
    organization.save(update_fields=["max_concurrent_runs"])
    first = make.make_run(organization, "pipeline:orders")
    waiting = [make.make_run(organization, "pipeline:users") for _ in range(30)]
    warehouse = make.make_connection(other_organization, "Theirs")
    make.make_pipeline(other_organization, "Cargo", warehouse)
    theirs = make.make_run(other_organization, "pipeline:cargo")
    make.take(make.steps(first)[0])
    taken = claims.claim_next(["default"])
    assert taken is not None
    assert taken.run == theirs
    assert claims.claim_next(["default"]) is None
    assert {status for run in waiting for status in make.statuses(run).values()} == {"queued"}


def test_a_drain_hands_back_what_does_not_end_in_time(stand: Connection, work: Work) -> None:
    work.hold = True
    run = make.make_run(stand.organization, "pipeline:orders")
    place, rung = opened()
    place.open()
    wait_for(work.holding.is_set)
    place.drain(0.2)
    place.close()
    (step,) = make.steps(run)
    assert (step.status, step.is_ready, step.lease_token) == (Status.QUEUED, True, None)
    # It counts as no attempt, and is told.
    assert (step.attempt, step.max_attempts) == (2, 4)
    assert RunStepAttempt.all_organizations.get(step=step).status == "returned"
    assert rung == [step.pk]
    place.wake()
    assert make.steps(run)[0].status == Status.QUEUED

    work.hold = False
    again, _rung = opened()
    again.wake()
    wait_for(lambda: all_ended(run))
    again.close()


def test_what_a_child_said_outlives_a_transaction_that_fails(
    stand: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make.make_run(stand.organization, "pipeline:orders")
    step = make.take(make.steps(run)[0])
    answers = [OperationalError("the connection is gone"), None]

    def advance(run_id: int, ended: RunStep) -> list[int]:
        if error := answers.pop(0):
            raise error
        return real_advance(run_id, ended)

    def told(step: RunStep, reporter: Any, must_stop: object) -> Verdict:
        for event in (make.table(), {"event": "log", "text": "once"}, make.done()):
            reporter.take(event)
        return Verdict(Status.SUCCEEDED)

    monkeypatch.setattr(executor, "advance", advance)
    monkeypatch.setattr(executor, "_run", told)
    monkeypatch.setattr(watch, "AWAY_SECONDS", 0.01)
    assert executor.carry_out(step).ring == []
    run.refresh_from_db()
    assert (run.status, run.rows_loaded) == (Status.SUCCEEDED, 10)
    assert RunStepResult.all_organizations.get(step=step).rows_loaded == 10
    texts = list(RunLogLine.all_organizations.filter(run=run).values_list("text", flat=True))
    assert texts.count("once") == 1
