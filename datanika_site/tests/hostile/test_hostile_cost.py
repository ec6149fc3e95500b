"""What the box costs: milliseconds from the order to the end of a child, with and without it."""

import sys
import time

import pytest

from common.children.box import Box
from common.children.client import ChildPool, run_to_end
from connections import runner
from datanika_site.tests.hostile.conftest import ENTRIES

ROUNDS = 40


def milliseconds(pool: ChildPool, entry: str) -> float:
    took = []
    for _ in range(ROUNDS):
        box = Box(runner.make_private_dir())
        started = time.perf_counter()
        assert run_to_end(pool, f"{ENTRIES}:{entry}", {}, box, 30).error is None
        took.append((time.perf_counter() - started) * 1000)
    return sorted(took)[ROUNDS // 2]


@pytest.mark.bench
def test_what_a_box_costs(capsys: pytest.CaptureFixture[str]) -> None:
    pool = ChildPool([ENTRIES])
    pool.warm_up()
    open_pool = ChildPool([ENTRIES, "common.tests.without_box"])
    open_pool.warm_up()
    try:
        with_box, without = milliseconds(pool, "nothing"), milliseconds(open_pool, "nothing")
    finally:
        pool.close()
        open_pool.close()
    with capsys.disabled():
        sys.stdout.write(f"\nchild with its box {with_box:.1f} ms, without {without:.1f} ms\n")
    assert with_box - without < 50
