"""Loads in children of their own, killed on the way."""

import itertools
import shutil
import signal
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from common.children.box import Box
from common.children.client import ChildPool
from pipelines.tests.chaos.phases import COMMIT, FILL, NAMED, STATE, TABLE, phase_of

ENTRY = "pipelines.tests.chaos.entry:load"
PRELOAD = ("pipelines.engine.main", "pipelines.tests.chaos.entry")
#: No load here takes a tenth of it.
SECONDS = 120
#: The session of a killed client lives on for a moment and may hold a lock.
TRANSIENT_TRIES, TRANSIENT_PAUSE = 20, 0.25
#: What a death at the event of a phase hits.
WORDS = {
    FILL: "before the first row",
    COMMIT: "right after the commit",
    TABLE: "between tables",
    STATE: "at the state",
}


@dataclass(frozen=True)
class Death:
    """When a child dies: at the nth event of a phase (plus ``wait`` seconds), or so long after its start."""

    #: What this tries, for the table.
    where: str
    phase: str = ""
    nth: int = 0
    wait: float = 0.0
    delay: float | None = None

    def __str__(self) -> str:
        if self.delay is not None:
            return f"{self.delay:.3f} s after the start"
        later = f" and {self.wait * 1000:.1f} ms" if self.wait else ""
        return f"{self.where} ({self.phase} no. {self.nth}{later})"


@dataclass
class Attempt:
    """What one child did: ``killed`` by us, or it came to its own end."""

    events: list[dict[str, Any]] = field(default_factory=list)
    #: When each event arrived, in seconds after the start.
    times: list[float] = field(default_factory=list)
    killed: bool = False
    seconds: float = 0.0

    @property
    def error(self) -> dict[str, Any] | None:
        last = self.events[-1] if self.events else {"event": "error", "message": "no event"}
        return last if last["event"] == "error" and not self.killed else None

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        return {event["target"]: event for event in self.events if event["event"] == "result"}

    def lasted(self, phase: str) -> list[float]:
        """How long each part of that phase lasted: from its event to the next one that opens a phase."""
        opened = [(phase_of(event), at) for event, at in zip(self.events, self.times, strict=True)]
        opened = [one for one in opened if one[0]] + [("", self.seconds)]
        return [
            after[1] - before[1]
            for before, after in itertools.pairwise(opened)
            if before[0] == phase
        ]


class Lab:
    """Starts loads below a directory; ``writable`` is all they may touch there."""

    def __init__(self, pool: ChildPool, directory: Path) -> None:
        self._pool = pool
        self._directory = directory
        self._children = 0

    def attempt(self, spec: dict[str, Any], death: Death | None = None) -> Attempt:
        """One child with this spec, killed as ``death`` says."""
        self._children += 1
        private = self._directory / f"private-{self._children}"
        order = {**spec, "private_dir": str(private), "death": None}
        if death and death.delay is None:
            order["death"] = asdict(death)
        Path(spec["work_dir"]).mkdir(parents=True, exist_ok=True)
        box = Box(str(private), writable=(spec["files_root"], spec["work_dir"]))
        kill_after = death.delay if death else None
        started = time.monotonic()
        done = Attempt()
        with closing(self._pool.spawn(ENTRY, order, box)) as child:
            while not child.finished:
                passed = time.monotonic() - started
                assert passed < SECONDS, f"no end after {passed:.0f} s: {done.events[-3:]}"
                if kill_after is not None and passed >= kill_after:
                    child.kill()
                    kill_after = None
                left = 1.0 if kill_after is None else max(kill_after - passed, 0.0)
                new = child.read_events(min(left, 1.0))
                done.events += new
                done.times += [time.monotonic() - started] * len(new)
            done.seconds = time.monotonic() - started
            came_to_end = any(event["event"] == "done" for event in done.events)
            done.killed = child.exit_code == -signal.SIGKILL and not came_to_end
            if done.killed:
                # The last event was made up by the side of the parent.
                done.events.pop()
                done.times.pop()
        return done

    def finish(self, spec: dict[str, Any], attempt: int) -> tuple[Attempt, int]:
        """The retries of the executor: again while the error is one that may pass. With the number of those."""
        error: dict[str, Any] | None = None
        for tried in range(TRANSIENT_TRIES):
            done = self.attempt({**spec, "attempt": attempt + tried})
            assert not done.killed, "a child died that nobody killed"
            if done.error is None:
                return done, tried
            error = done.error
            if not error["transient"]:
                break
            time.sleep(TRANSIENT_PAUSE)
        raise AssertionError(f"The retry failed: {error}")


def choose(rng: Random, number: int, like: Attempt) -> Death:
    """A death for a load that would go ``like`` this one; four kinds in turn."""
    fills = like.lasted(FILL)
    kind = number % 4
    if kind == 0 and fills:
        nth = rng.randrange(len(fills))
        wait = rng.uniform(0, fills[nth])
        return Death("while rows travel", FILL, nth + 1, wait)
    if kind == 2 and fills:
        nth = rng.randrange(len(fills))
        wait = fills[nth] * rng.uniform(0.8, 1.1)
        return Death("around the commit", FILL, nth + 1, wait)
    if kind == 1:
        known = [phase for phase in NAMED if like.lasted(phase)]
        phase = known[(number // 4) % len(known)]
        wait = rng.choice([0.0, rng.uniform(0, 0.01)])
        return Death(WORDS[phase], phase, rng.randint(1, len(like.lasted(phase))), wait)
    return Death("at any moment", delay=rng.uniform(0.0, like.seconds * 1.02))


def lose_work_dir(spec: dict[str, Any]) -> None:
    """As when another machine takes the run over."""
    shutil.rmtree(spec["work_dir"], ignore_errors=True)
