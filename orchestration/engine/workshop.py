"""The slots of a worker process: threads that take steps one after another, each executed in a child of its own.

A bell wakes a slot; it then goes on for as long as the database has work for it. A watchman looks once a second, so
that a bell nobody heard, a broker that is down or a beat that is dead delay work and never stop it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from django.db import close_old_connections, connection

from common.errors import DatanikaError
from orchestration.duties import Duty
from orchestration.engine import claims, clock, executor
from orchestration.models import RunStep, Worker

logger = logging.getLogger("datanika.runs")

LOOK_SECONDS, SPEAK_SECONDS = 1.0, 5.0
#: Rows of workers that ended without a word are taken away after this long.
FORGET_SECONDS = 600

Ring = Callable[[Iterable[int], int], None]


class Workshop:
    """``slots`` steps at a time, of these queues. ``ring(step ids, delay)`` wakes other workers."""

    def __init__(
        self,
        queues: Iterable[str],
        slots: int,
        ring: Ring,
        duties: Mapping[str, Duty] = MappingProxyType({}),
    ) -> None:
        self.queues = tuple(queues)
        self.slots = slots
        self._duties = duties
        self._ring = ring
        self._free = threading.Semaphore(slots)
        self._draining = threading.Event()
        self._ended = threading.Event()
        self._drain_until = float("inf")

    def open(self) -> None:
        """Start the watchman."""
        threading.Thread(target=self._watch, name="watchman", daemon=True).start()

    def wake(self, step_id: int | None = None) -> None:
        """Put a free slot to work, on this step first; without a free one the step stays queued and is found later."""
        if self._draining.is_set() or not self._free.acquire(blocking=False):
            return
        # Not a daemon: the process waits for what it has begun.
        threading.Thread(target=self._work, args=(step_id,), name="slot").start()

    def drain(self, seconds: float) -> None:
        """Take nothing new; hand back what is not done after ``seconds``."""
        self._drain_until = time.monotonic() + seconds
        self._draining.set()
        _quietly(self._speak)

    def close(self) -> None:
        """Wait until all slots are free, and sign off."""
        for _ in range(self.slots):
            self._free.acquire()
        self._ended.set()
        _quietly(lambda: Worker.objects.filter(name=claims.worker_name()).delete())

    def _must_stop(self) -> bool:
        return time.monotonic() > self._drain_until

    def _work(self, step_id: int | None) -> None:
        try:
            step = claims.claim(step_id) if step_id is not None else None
            step = step or self._next()
            while step is not None:
                ended = executor.carry_out(step, self._must_stop)
                step = self._go_on(ended)
        except Exception:
            logger.exception("a slot gave up; the next look takes up its work")
        finally:
            connection.close()
            self._free.release()

    def _go_on(self, ended: executor.Ended) -> RunStep | None:
        """The next step for this slot; what else became ready is for others."""
        close_old_connections()
        if ended.again is not None:
            self._ring([ended.again], ended.delay)
        rest, step = list(ended.ring), None
        if rest and not self._draining.is_set():
            step = claims.claim(rest[0], self.queues)
        self._ring(rest[1:] if step else rest, 0)
        return step or self._next()

    def _next(self) -> RunStep | None:
        return None if self._draining.is_set() else claims.claim_next(self.queues)

    def _watch(self) -> None:
        spoken = 0.0
        while not self._ended.wait(LOOK_SECONDS):
            close_old_connections()
            now = time.monotonic()
            if now - spoken > SPEAK_SECONDS and _quietly(self._speak):
                spoken = now
            if self._draining.is_set():
                continue
            _quietly(self._look)
            for duty in list(self._duties.values()):
                if now - duty.done_at > duty.seconds:
                    duty.done_at = now
                    _quietly(duty.action)

    def _look(self) -> None:
        if claims.ready_steps(self.queues).exists():
            self.wake()

    def _speak(self) -> None:
        now = clock.now()
        name = claims.worker_name()
        Worker.objects.update_or_create(
            name=name,
            defaults={
                "queues": list(self.queues),
                "slots": self.slots,
                "seen_at": now,
                "is_draining": self._draining.is_set(),
                "version": _version(),
            },
        )
        Worker.objects.filter(seen_at__lt=now - timedelta(seconds=FORGET_SECONDS)).delete()


def _quietly(action: Callable[[], object]) -> bool:
    """Do it; a database that is away, or a refusal, is a line in the log, and the next look tries again."""
    try:
        action()
    except DatanikaError as error:
        logger.warning("%s", error)
    except Exception:
        logger.exception("the watchman could not do something; it tries again")
        connection.close()
    else:
        return True
    return False


def _version() -> str:
    try:
        return version("datanika")
    except PackageNotFoundError:
        return ""
