"""kill -9 anywhere in a load, then the automatic retry: nothing lost, nothing doubled, nothing half done.

The seed of a failure is printed; ``CHAOS_SEED=… CHAOS_CASE=… make chaos`` plays it again.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest

from bench.report import Row, report
from common.children.client import ChildPool
from pipelines.tests.chaos.harness import PRELOAD, Attempt, Lab, choose, lose_work_dir
from pipelines.tests.chaos.world import COLUMNS, MODES, TABLES, Mode, World, difference
from pipelines.tests.fidelity.conftest import route  # noqa: F401 - a fixture
from pipelines.tests.fidelity.ends import End
from pipelines.tests.fidelity.routes import Route, destinations
from pipelines.tests.fidelity.support import Pipeline, new_load_id

pytestmark = pytest.mark.chaos

SEED = os.environ.get("CHAOS_SEED") or str(SystemRandom().randrange(10**9))
#: Kills of each case, spread over so many new destinations: the first load of a table is another one.
KILLS, LIVES = 12, 3
ALL_KILLS = 100
#: So often a killed load is not tried again under its own id.
GIVEN_UP = 0.2
_exact: Counter[str] = Counter()


@dataclass(frozen=True)
class Case:
    """One route with one way of writing."""

    source: str
    destination: str
    mode: Mode

    def __str__(self) -> str:
        return f"{self.source}-{self.destination}-{self.mode}"


def _cases() -> list[Case]:
    found = [
        Case(source, destination, mode)
        for mode in MODES
        for destination in destinations(mode.disposition)
        # Both lanes into PostgreSQL: its own COPY, and the way of all other sources.
        for source in (("postgres", "sqlite") if destination == "postgres" else ("postgres",))
    ]
    wanted = os.environ.get("CHAOS_CASE")
    return sorted((case for case in found if wanted in (None, "", str(case))), key=str)


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    pool = ChildPool(PRELOAD)
    yield pool
    pool.close()


@pytest.mark.parametrize("case", _cases(), ids=str)
def test_killed_anywhere_and_tried_again(
    case: Case,
    pool: ChildPool,
    tmp_path: Path,
    route: Route,  # noqa: F811
) -> None:
    start, end = route(case.source, case.destination)
    trial = Trial(case, start, end, Lab(pool, tmp_path), tmp_path)
    problem = ""
    try:
        trial.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, it has to be played again
        problem = f"{type(error).__name__}: {error}\nReplay it: CHAOS_SEED={SEED} CHAOS_CASE={case} make chaos"
    goal = f"≥ {KILLS}"
    _exact[str(case)] = trial.exact
    report(
        "chaos",
        Row(f"kill -9, {case}", trial.exact, "kills", goal, not problem, trial.measured_with()),
    )
    assert not problem, problem


def test_enough_kills() -> None:
    if os.environ.get("CHAOS_CASE"):
        pytest.skip("one case is played again")
    total = _exact.total()
    report(
        "chaos",
        Row("kill -9, all cases", total, "kills", f"≥ {ALL_KILLS}", total >= ALL_KILLS, f"seed {SEED}"),
    )  # fmt: skip
    assert total >= ALL_KILLS


class Trial:
    """The kills of one case."""

    def __init__(self, case: Case, start: End, end: End, lab: Lab, directory: Path) -> None:
        self.case, self.end, self.lab = case, end, lab
        self.rng = Random(f"{SEED}/{case}")
        self.world = World(start, case.mode)
        self.pipeline = Pipeline(
            directory, start.endpoint(), end.endpoint(), source_schema=start.schema
        )
        self.dataset = end.dataset
        self.exact = 0
        self.lives = 0
        self.transient = 0
        self.where: Counter[str] = Counter()
        self.seconds: list[float] = []

    def run(self) -> None:
        first, later = self._undisturbed()
        fresh = True
        for number in range(KILLS * 4):
            if self.exact >= KILLS:
                return
            if fresh:
                self._new_life()
            else:
                self.world.change()
            killed = self._round(number, first if fresh else later)
            # A death that came too late was no kill, but the load counts all the same.
            self.exact += killed
            fresh = self.exact >= self.lives * KILLS / LIVES
        raise AssertionError(f"only {self.exact} of {KILLS} kills came in time")

    def _undisturbed(self) -> tuple[Attempt, Attempt]:
        """A first load and a later one without a kill: where a load spends its time."""
        self._new_life()
        found = []
        for change in (False, True):
            if change:
                self.world.change()
            done, _ = self.lab.finish(self._spec(), 1)
            self._check(done, "undisturbed")
            found.append(done)
        self.seconds = [done.seconds for done in found]
        return found[0], found[1]

    def _new_life(self) -> None:
        self.lives += 1
        self.end.dataset = f"{self.dataset}_{self.lives}"
        self.pipeline.spec["dataset"] = self.end.dataset
        self.pipeline.spec["pipeline"] = {"id": self.lives, "slug": "shop", "name": "Shop"}
        self.pipeline.spec["work_dir"] = str(self.pipeline.files.parent / f"work-{self.lives}")
        self.world.new_destination()

    def _spec(self) -> dict[str, Any]:
        return self.pipeline.spec_of(*self.world.resources(), load_id=new_load_id())

    def _round(self, number: int, like: Attempt) -> int:
        """One load, killed once or twice, then finished. Answers how many kills there were."""
        spec, kills, deaths = self._spec(), 0, []
        for attempt in range(1, 2 + (self.rng.random() < 0.2)):
            death = choose(self.rng, number + attempt - 1, like)
            lost = self.rng.random() < 0.5
            done = self.lab.attempt({**spec, "attempt": attempt}, death)
            deaths.append(f"{death}{', working directory lost' if lost else ''}")
            if not done.killed:
                self._ended(done, spec, attempt, deaths)
                return kills
            kills += 1
            self.where[death.where] += 1
            if lost:
                lose_work_dir(spec)
        given_up = self.case.mode.repeatable and self.rng.random() < GIVEN_UP
        if given_up:
            # Nobody tries again; the next load of the schedule has to put it right.
            spec, kills_before = self._spec(), 0
            deaths.append("given up")
        else:
            kills_before = kills
        done, transient = self.lab.finish(spec, kills_before + 1)
        self.transient += transient
        self._check(done, "; ".join(deaths), counted=not given_up)
        return kills

    def _ended(self, done: Attempt, spec: dict[str, Any], attempt: int, deaths: list[str]) -> None:
        """The death came too late, or the attempt met a lock of the one before it."""
        if done.error is not None:
            assert done.error["transient"], done.error
            done, _ = self.lab.finish(spec, attempt + 1)
        self._check(done, "; ".join(deaths))

    def _check(self, done: Attempt, deaths: str, *, counted: bool = True) -> None:
        """``counted``: this load id brought everything, and the results have to say so."""
        brought = self.world.loaded()
        problems = []
        for name, expected in self.world.expected.items():
            found = Counter(self.end.texts(self.end.dataset, name, COLUMNS))
            if text := difference(expected, found):
                problems.append(f"{name}: {text}")
            result = done.results.get(name)
            if result is None or result["status"] != "succeeded":
                problems.append(f"{name}: no result of a success: {result}")
            elif counted and result["rows_loaded"] not in brought[name]:
                problems.append(
                    f"{name}: {result['rows_loaded']:,} rows reported, {brought[name]} brought"
                )
        if extra := self.end.leftovers(set(TABLES)):
            problems.append(f"left behind: {sorted(extra)}")
        if problems:
            raise AssertionError("\n".join([f"After a death at: {deaths}", *problems]))

    def measured_with(self) -> str:
        where = ", ".join(f"{count} {place}" for place, count in self.where.most_common())
        seconds = " and ".join(f"{one:.2f} s" for one in self.seconds)
        rows = sum(TABLES.values())
        return (
            f"seed {SEED}; {rows:,} rows in {len(TABLES)} tables; first and later load {seconds};"
            f" killed {where or 'never'}; {self.transient} retries met a lock; in {self.lives} destinations"
        )
