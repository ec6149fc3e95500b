import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.children import landlock
from common.children.box import Box, active_protections
from common.children.client import ChildPool, Outcome, run_to_end
from common.tests.test_children_running import ENTRIES, assert_all_gone, first_value

Run = Callable[..., Outcome]

ROOT = Path(__file__).parents[2]
CANARY = "canary-3f1c"

needs_landlock = pytest.mark.skipif(
    landlock.version() < 6, reason=f"the kernel offers Landlock version {landlock.version()}, not 6"
)


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", CANARY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
        pool = ChildPool([ENTRIES])
        pool.warm_up()
    yield pool
    pool.close()


@pytest.fixture
def run(pool: ChildPool, tmp_path: Path) -> Run:
    def run(function: str, spec: dict[str, Any], **box: Any) -> Outcome:
        private_dir = str(tmp_path / "private")
        return run_to_end(pool, f"{ENTRIES}:{function}", spec, Box(private_dir, **box), 30)

    return run


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def error_code(outcome: Outcome) -> str:
    assert outcome.error is not None, outcome
    return str(outcome.error["code"])


def test_memory_is_limited(run: Run) -> None:
    assert run("eat_memory", {"mb": 100}, memory_mb=1024).value == 100 * 1024 * 1024
    outcome = run("eat_memory", {"mb": 2000}, memory_mb=1024)
    assert error_code(outcome) == "out_of_memory"
    assert outcome.events[0]["text"] == "starting"


def test_a_full_disk_and_a_file_too_large_are_named(run: Run, tmp_path: Path) -> None:
    full = run("write_file", {"path": "/dev/full", "mb": 1}, writable=("/dev/full",))
    assert error_code(full) == "disk_full"
    assert full.error is not None
    assert full.error["message"].startswith("The disk is full")
    assert full.error["transient"] is False
    large = run("write_file", {"path": "large", "mb": 3}, file_mb=2)
    assert error_code(large) == "disk_full"
    assert run("write_file", {"path": "small", "mb": 1}, file_mb=2).error is None


def test_cpu_time_is_limited(run: Run) -> None:
    outcome = run("burn_cpu", {}, cpu_seconds=1)
    assert outcome.error is not None
    assert "CPU time" in outcome.error["message"]


def test_hole_07_nothing_of_the_owner_is_in_the_environment_or_the_arguments(
    pool: ChildPool, tmp_path: Path
) -> None:
    spec = {"secrets": {"password": CANARY}}
    private_dir = str(tmp_path / "private")
    with contextlib.closing(pool.spawn(f"{ENTRIES}:family", spec, Box(private_dir))) as child:
        first_value(child)
        for pid in (pool.warm_up().pid, child.pid):
            for name in ("environ", "cmdline"):
                assert CANARY.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
        environ = Path(f"/proc/{child.pid}/environ").read_bytes()
        names = {pair.partition(b"=")[0].decode() for pair in environ.split(b"\0") if pair}
    fixed = {"TZ", "HOME", "TMPDIR", "PYTHONPATH", "DO_NOT_TRACK", "PATH"}
    assert fixed <= names
    assert not names & {"SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "DJANGO_SETTINGS_MODULE"}


def test_a_child_starts_tidy(run: Run, tmp_path: Path) -> None:
    found = run("look_around", {}).value
    private_dir = str(tmp_path / "private")
    assert found["cwd"] == found["environ"]["HOME"] == found["environ"]["TMPDIR"] == private_dir
    assert CANARY not in str(found)
    # 0, 1, 2, events, both ends of the wake-up pipe, and the listing itself.
    assert len(found["fds"]) <= 7
    assert found["session"]
    assert found["core"] == 0
    assert not found["sigterm_ignored"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_child_may_run_as_another_user(run: Run) -> None:
    assert run("look_around", {}, uid=65534).value["uid"] == 65534


@needs_landlock
def test_files_outside_are_denied(run: Run, tmp_path: Path) -> None:
    files = {name: tmp_path / name / "file" for name in ("mine", "shown", "others")}
    for file in files.values():
        file.parent.mkdir()
        file.write_text("rows")
    mine, shown, others = (str(files[name]) for name in ("mine", "shown", "others"))
    beside_the_code = str(ROOT / "pyproject.toml")
    shadow = "/etc/shadow"
    code = str(ROOT / "common" / "errors.py")
    paths = [mine, shown, others, beside_the_code, shadow, code]
    found = run(
        "reach",
        {"read": paths, "write": [*paths[:3], code]},
        writable=(str(files["mine"].parent),),
        readable=(str(files["shown"].parent),),
    ).value
    assert found["read"] == [mine, shown, code]
    assert found["write"] == [mine]


@needs_landlock
def test_a_child_may_connect_but_not_listen_nor_signal_others(run: Run, port: int) -> None:
    spec = {"port": port, "pid": os.getpid()}
    found = run("reach", spec).value
    assert (found["connect"], found["listen"], found["signal"]) == (True, False, False)
    assert run("reach", spec, network=False).value["connect"] is False
    assert run("reach_without_tcp", spec).value["connect"] is False


def test_doctor_is_told_what_this_machine_can_do() -> None:
    protections = {protection.name: protection for protection in active_protections()}
    assert protections["limits"].active
    assert protections["files"].active is (landlock.version() >= 1)
    assert all(protection.detail for protection in protections.values())


_OWNER = f"""
import sys, time
from common.children.box import Box
from common.children.client import ChildPool
pool = ChildPool([])
child = pool.spawn("{ENTRIES}:family", {{}}, Box(sys.argv[1]))
events = child.read_events(30)
print(pool.warm_up().pid, *events[0]["value"]["pids"], flush=True)
time.sleep(300)
"""


def test_an_owner_killed_hard_leaves_no_orphan_and_no_files(tmp_path: Path) -> None:
    private_dir = tmp_path / "private"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(private_dir)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 4
        (private_dir / "profile").write_text("secret")
        owner.send_signal(signal.SIGKILL)
    assert_all_gone(pids)
    deadline = time.monotonic() + 5
    while private_dir.exists() or list(scratch.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_real_libraries_are_preloaded_with_one_thread_and_work_after_the_fork(
    tmp_path: Path,
) -> None:
    engines = ["psycopg", "psycopg2", "pyarrow.parquet", "duckdb", "dlt", "dbt.cli.main"]
    pool = ChildPool([*engines, "not_a_module"])
    with contextlib.closing(pool):
        report = pool.warm_up()
        assert report.threads == 1
        assert list(report.failed) == ["not_a_module"]
        box = Box(str(tmp_path / "private"))
        outcome = run_to_end(pool, f"{ENTRIES}:query_duckdb", {}, box, 30)
        assert outcome.value == [[499999500000]]


def test_a_process_forked_from_the_owner_leaves_the_pool_alone(
    pool: ChildPool, tmp_path: Path
) -> None:
    pid = os.fork()
    if pid == 0:
        pool.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    box = Box(str(tmp_path / "private"))
    assert run_to_end(pool, f"{ENTRIES}:echo", {"a": 1}, box, 30).value == {"a": 1}
