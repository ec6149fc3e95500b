import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from common.children.box import Box
from common.children.child import Child
from common.children.client import ChildPool, Outcome, run_to_end

ENTRIES = "common.tests.child_entries"

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    pool = ChildPool([ENTRIES])
    yield pool
    pool.close()


@pytest.fixture
def run(pool: ChildPool, tmp_path: Path) -> Run:
    def run(function: str, spec: dict[str, Any], timeout: float = 30, **box: Any) -> Outcome:
        private_dir = tmp_path / "private"
        outcome = run_to_end(
            pool, f"{ENTRIES}:{function}", spec, Box(str(private_dir), **box), timeout
        )
        assert not private_dir.exists()
        return outcome

    return run


@contextlib.contextmanager
def spawned(
    pool: ChildPool, tmp_path: Path, function: str, spec: dict[str, Any]
) -> Iterator[Child]:
    child = pool.spawn(f"{ENTRIES}:{function}", spec, Box(str(tmp_path / "private")))
    with contextlib.closing(child):
        yield child


def events_of(child: Child, seconds: float = 15) -> list[dict[str, Any]]:
    events = []
    deadline = time.monotonic() + seconds
    while not child.finished:
        assert time.monotonic() < deadline
        events += child.read_events(1)
    return events


def first_value(child: Child) -> Any:
    for _ in range(20):
        for event in child.read_events(1):
            assert event["event"] == "data", event
            return event["value"]
    raise AssertionError("no answer")


def assert_all_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 5
    while left := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_spec_larger_than_any_pipe_comes_back_and_done_is_added(run: Run) -> None:
    spec = {"text": "ä" * 2_000_000, "number": 7, "none": None}
    outcome = run("echo", spec)
    assert outcome.value == spec
    assert outcome.error is None
    assert outcome.events[-1] == {"event": "done", "summary": {}}


def test_events_of_many_threads_arrive_whole(run: Run) -> None:
    outcome = run("many_threads", {"lines": 200, "width": 3000})
    assert outcome.events[-1] == {"event": "done", "summary": {"threads": 4}}
    logs = [(event["scope"], event["text"].split()[0]) for event in outcome.events[:-1]]
    for scope in "0123":
        assert [line for s, line in logs if s == scope] == [str(n) for n in range(200)]


def test_what_libraries_print_goes_to_the_tail_with_secrets_masked(
    pool: ChildPool, tmp_path: Path
) -> None:
    with spawned(pool, tmp_path, "noisy", {"secrets": {"password": "hunter22"}}) as child:
        events = events_of(child)
        assert [event["event"] for event in events] == ["log", "done"]
        assert events[0]["text"] == "password is ••••••"
        assert child.exit_code == 0
        assert child.stderr_tail.endswith("the last words\n")
        assert "hunter22" not in child.stderr_tail
        assert len(child.stderr_tail) <= 16 * 1024


def test_odd_values_arrive_in_a_form_every_database_stores(run: Run) -> None:
    outcome = run("odd_values", {})
    assert outcome.value == {
        "text": "nul \ufffd file ? pair \U0001f600",
        "numbers": ["NaN", "Infinity", 1.5],
        "path": "a",
    }
    assert [event["event"] for event in outcome.events] == ["data", "done"]


def test_an_endless_line_ends_the_child_not_the_worker(run: Run) -> None:
    error = run("flood", {}).error
    assert error is not None
    assert error["code"] == "answer_too_large"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("user", {"code": "invalid", "message": "The table is gone.", "field": "table"}),
        ("transient", {"code": "temporarily_unavailable", "transient": True}),
        ("memory", {"code": "out_of_memory", "transient": False}),
        ("unexpected", {"code": "internal_error", "transient": False}),
    ],
)
def test_what_an_entry_raises_becomes_one_error_event(
    run: Run, kind: str, expected: dict[str, Any]
) -> None:
    outcome = run("fail", {"kind": kind})
    assert outcome.error is not None
    assert expected.items() <= outcome.error.items()
    assert outcome.events == [outcome.error]
    if kind == "unexpected":
        assert "KeyError" in outcome.error["message"]
        assert 'File "common/tests/child_entries.py"' in outcome.error["detail"]
        assert str(Path(__file__).parents[2]) not in str(outcome.error)
    else:
        assert "Traceback" not in str(outcome.error)


def test_an_error_of_ours_inside_a_library_error_is_the_one_shown(run: Run) -> None:
    outcome = run("wrapped_failure", {})
    assert outcome.error is not None
    assert outcome.error["message"] == "The table is gone."


@pytest.mark.parametrize(
    ("spec", "words", "transient"),
    [
        ({"exit": 3}, "exit code 3", False),
        ({"signal": signal.SIGKILL}, "signal 9), likely for lack of memory", True),
        ({"signal": signal.SIGSEGV}, "SIGSEGV", False),
    ],
)
def test_a_crash_is_told_in_words(
    run: Run, spec: dict[str, Any], words: str, transient: bool
) -> None:
    error = run("die", spec).error
    assert error is not None
    assert error["code"] == "child_crashed"
    assert words in error["message"]
    assert error["transient"] is transient
    assert error["detail"] == "about to go"


def test_an_entry_that_does_not_exist_is_an_error_event(run: Run) -> None:
    error = run("no_such_function", {}).error
    assert error is not None
    assert error["code"] == "internal_error"


def test_kill_takes_the_grandchildren_along(pool: ChildPool, tmp_path: Path) -> None:
    with spawned(pool, tmp_path, "family", {}) as child:
        pids = first_value(child)["pids"]
        assert child.pid == pids[0]
        memory, cpu = child.usage()
        assert memory > 1
        assert cpu >= 0
        child.kill()
        (error,) = events_of(child)
        assert (error["code"], error["transient"]) == ("cancelled", False)
        assert child.exit_code == -signal.SIGKILL
        assert_all_gone(pids)


def test_terminate_runs_the_hook_while_the_main_thread_is_in_a_driver(
    pool: ChildPool, tmp_path: Path, postgres_url: str
) -> None:
    with spawned(pool, tmp_path, "slow_query", {"url": postgres_url}) as child:
        assert first_value(child) == "waiting"
        started = time.monotonic()
        child.terminate()
        events = events_of(child)
        assert time.monotonic() - started < 4
    *hooks_ran, last = events
    assert {event["text"] for event in hooks_ran} == {"cancelling"}
    assert last["code"] == "cancelled"
    assert child.exit_code == 143


def test_time_runs_out_even_for_a_child_that_swallows_the_cancellation(
    pool: ChildPool, tmp_path: Path
) -> None:
    seen: list[dict[str, Any]] = []
    box = Box(str(tmp_path / "private"))
    outcome = run_to_end(pool, f"{ENTRIES}:deaf", {}, box, 0.5, on_event=seen.append)
    assert outcome.timed_out
    assert outcome.error is not None
    assert "0.5 seconds" in outcome.error["message"]
    assert seen == outcome.events
    assert_all_gone([outcome.value])
    assert not (tmp_path / "private").exists()


def test_a_dead_warm_parent_ends_its_children_and_is_replaced(
    pool: ChildPool, tmp_path: Path
) -> None:
    with spawned(pool, tmp_path, "family", {}) as child:
        pids = first_value(child)["pids"]
        server = pool.warm_up().pid
        os.kill(server, signal.SIGKILL)
        (error,) = events_of(child)
        assert (error["code"], error["transient"]) == ("child_crashed", True)
        assert_all_gone(pids[:2])
        # A session of its own, and nobody left who knew of it: only here may a process stay behind.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pids[2], signal.SIGKILL)
    box = Box(str(tmp_path / "private"))
    assert run_to_end(pool, f"{ENTRIES}:echo", {"a": 1}, box, 30).value == {"a": 1}
    assert pool.warm_up().pid != server


def test_many_threads_may_share_a_pool(pool: ChildPool, tmp_path: Path) -> None:
    def work(number: int) -> Any:
        box = Box(str(tmp_path / str(number)))
        return run_to_end(pool, f"{ENTRIES}:echo", {"n": number}, box, 30).value

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(24))) == [{"n": number} for number in range(24)]


def test_a_child_asked_to_stop_before_it_began_is_cancelled(
    pool: ChildPool, tmp_path: Path
) -> None:
    with spawned(pool, tmp_path, "deaf", {}) as child:
        child.terminate()
        # It may have ended between the two, so that this is all there is.
        early = child.read_events(0)
        child.kill()
        assert [*early, *events_of(child)][-1]["code"] == "cancelled"
