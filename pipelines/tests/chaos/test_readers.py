"""Readers during a replace see the old table or the new one, never an empty or a half one. Killed loads included."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import psycopg
import pytest

from bench.report import Row, report
from common.children.client import ChildPool
from pipelines.tests.chaos.harness import PRELOAD, Attempt, Death, Lab, choose
from pipelines.tests.chaos.world import Mode, World
from pipelines.tests.fidelity.conftest import route  # noqa: F401 - a fixture
from pipelines.tests.fidelity.ends import End, PostgresEnd
from pipelines.tests.fidelity.routes import Route, destinations
from pipelines.tests.fidelity.support import Pipeline

pytestmark = pytest.mark.chaos

SEED = os.environ.get("CHAOS_SEED") or str(SystemRandom().randrange(10**9))
ROUNDS = 8
#: How a table looks at one moment: rows, the sum of their ids, the sum of their steps.
Look = tuple[int, int, int]


class Watcher:
    """Looks at a table over and over, in a thread of its own, until left."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: set[Look] = set()
        self.looks = 0
        self.errors: list[str] = []

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                self.seen.add(self._look())
                self.looks += 1
            except Exception as error:  # noqa: BLE001 - a reader that fails is what is looked for
                self.errors.append(f"{type(error).__name__}: {error}")


def _looks(end: End) -> Iterator[Callable[[], Look]]:
    """A way to look at ``t`` that costs as little as its system allows."""
    if isinstance(end, PostgresEnd):
        query = (
            f'SELECT count(*), coalesce(sum(id), 0), coalesce(sum(moved), 0) FROM "{end.dataset}".t'
        )
        with closing(psycopg.connect(end.url, autocommit=True)) as connection:

            def look() -> Look:
                found: Any = connection.execute(query.encode()).fetchone()
                return found[0], int(found[1]), int(found[2])

            yield look
    else:
        yield lambda: _sums(end.texts(end.dataset, "t", ("id", "moved")))


def _death(rng: Random, number: int, like: Attempt) -> Death:
    """While rows travel or around the commit: elsewhere nothing can be seen by halves."""
    return choose(rng, 2 * (number // 2), like)


def _sums(rows: list[tuple[Any, ...]]) -> Look:
    return len(rows), sum(int(row[0]) for row in rows), sum(int(row[1]) for row in rows)


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    pool = ChildPool(PRELOAD)
    yield pool
    pool.close()


# A DuckDB file has no reader beside its writer.
@pytest.mark.parametrize("destination", [key for key in destinations() if key != "duckdb"])
@pytest.mark.parametrize("source", ["postgres", "sqlite"])
def test_readers_never_see_a_part_of_a_replace(
    source: str,
    destination: str,
    pool: ChildPool,
    tmp_path: Path,
    route: Route,  # noqa: F811
) -> None:
    rng = Random(f"{SEED}/{source}-{destination}")
    start, end = route(source, destination)
    lab = Lab(pool, tmp_path)
    world = World(start, Mode("replace"))
    pipeline = Pipeline(
        tmp_path,
        start.endpoint(),
        end.endpoint(),
        dataset=end.dataset,
        source_schema=start.schema,
    )
    like, _ = lab.finish(pipeline.spec_of(*world.resources()), 1)
    looks, kills, wrong, errors = 0, 0, 0, []
    for number in range(ROUNDS):
        old = _sums(start.texts(start.schema, "t", ("id", "moved")))
        world.change()
        new = _sums(start.texts(start.schema, "t", ("id", "moved")))
        spec = pipeline.spec_of(*world.resources())
        for look in _looks(end):
            with Watcher(look) as watcher:
                killed = number % 2 == 1 and lab.attempt(spec, _death(rng, number, like)).killed
                lab.finish(spec, 2 if killed else 1)
            looks += watcher.looks
            kills += killed
            wrong += len(watcher.seen - {old, new})
            errors += watcher.errors
            assert look() == new
    holds = not wrong and not errors
    with_what = f"seed {SEED}; {looks:,} looks during {ROUNDS} replaces, {kills} of them killed"
    name = f"half tables seen, {source}-{destination}"
    report("chaos", Row(name, wrong, "looks", "0", holds, with_what))
    assert holds, f"{wrong} looks at a part; {errors[:3]}; CHAOS_SEED={SEED}"
    assert looks >= ROUNDS
