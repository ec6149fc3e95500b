"""What a step may use, measured on real children of a real pool."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.children.box import Box
from common.children.child import Child
from common.children.client import ChildPool
from orchestration.engine import limits
from orchestration.engine.limits import LimitExceeded, Meter, size_of
from tenants.selectors import StepLimits

ENTRIES = "common.tests.child_entries"
NONE = StepLimits(wall_seconds=0, memory_mb=0, cpu_seconds=0, disk_mb=0)


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    made = ChildPool([ENTRIES])
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(limits, "DISK_LOOK_SECONDS", 0.02)


def exceeded(
    child: Child, given: StepLimits, *directories: Path, seconds: float = 20
) -> LimitExceeded:
    meter = Meter(child, given, directories)
    deadline = time.monotonic() + seconds
    while (error := meter.exceeded()) is None:
        assert time.monotonic() < deadline
        child.read_events(0.05)
    return error


@pytest.mark.parametrize(
    ("entry", "spec", "given", "code", "words"),
    [
        ("sleeping", {}, {"wall_seconds": 1}, "step_timed_out", "ran longer than 1 seconds"),
        (
            "burn_cpu",
            {},
            {"cpu_seconds": 1},
            "step_out_of_cpu_time",
            "of CPU time, more than 1 seconds",
        ),
        ("hold_memory", {"mb": 300}, {"memory_mb": 200}, "step_out_of_memory", "more than 200 MB"),
        ("fill_disk", {"mb": 3}, {"disk_mb": 2}, "step_out_of_disk", "more than 2 MB"),
    ],
)
def test_each_limit_has_its_reason(
    pool: ChildPool, tmp_path: Path, entry: str, spec: dict[str, int], given: dict[str, int],
    code: str, words: str,
) -> None:  # fmt: skip
    private = tmp_path / "private"
    child = pool.spawn(f"{ENTRIES}:{entry}", spec, Box(str(private)))
    try:
        error = exceeded(child, StepLimits(**{**NONE.__dict__, **given}), private)
    finally:
        child.close()
    assert error.code == code
    assert words in error.message
    assert "ask the operator" in error.remedy


def test_without_limits_nothing_is_over(pool: ChildPool, tmp_path: Path) -> None:
    child = pool.spawn(f"{ENTRIES}:hold_memory", {"mb": 50}, Box(str(tmp_path / "private")))
    try:
        meter = Meter(child, NONE, [tmp_path])
        child.read_events(5)
        time.sleep(0.05)
        assert meter.exceeded() is None
    finally:
        child.close()
    assert child.peak_memory_mb is not None
    assert child.peak_memory_mb > 50
    assert child.cpu_seconds is not None


def test_size_counts_what_lies_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 * 2**30)
    assert 100_000 <= size_of(tmp_path) < 300_000
    assert size_of(tmp_path / "missing") == 0
