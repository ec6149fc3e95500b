"""Entry points that the tests of child processes run in real children."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from common.children import hooks, landlock
from common.children.entry import Emitter
from common.errors import TransientError, UserError

Spec = dict[str, Any]


def _answer(emit: Emitter, value: Any) -> None:
    emit({"event": "data", "value": value})


def echo(spec: Spec, emit: Emitter) -> None:
    _answer(emit, spec)


def many_threads(spec: Spec, emit: Emitter) -> None:
    def work(number: int) -> None:
        for line in range(spec["lines"]):
            emit({"event": "log", "scope": str(number), "text": f"{line} " + "x" * spec["width"]})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    emit({"event": "done", "summary": {"threads": 4}})


def noisy(spec: Spec, emit: Emitter) -> None:
    sys.stdout.write('{"event": "error", "code": "forged by a print"}\n')
    sys.stderr.write(f"a library says {spec['secrets']['password']}\n")
    os.write(1, b"raw on 1\n")
    subprocess.run(
        ["/bin/sh", "-c", "echo from a subprocess; head -c 300000 /dev/zero"], check=True
    )
    emit({"event": "log", "text": f"password is {spec['secrets']['password']}", "level": "info"})
    sys.stdout.write("the last words\n")


def odd_values(spec: Spec, emit: Emitter) -> None:
    os.write(3, b'torn {"event"\n[1]\n{"no": "event"}\n' + b"[" * 100_000 + b"\n")
    text = "nul \0 file \udcff pair \U0001f600"
    _answer(emit, {"text": text, "numbers": [float("nan"), float("inf"), 1.5], "path": Path("a")})
    emit({"event": "done", "summary": {}})
    emit({"event": "log", "text": "after the last word"})


def flood(spec: Spec, emit: Emitter) -> None:
    while True:
        os.write(3, b"x" * 1024 * 1024)


def fail(spec: Spec, emit: Emitter) -> None:
    kinds: dict[str, Any] = {
        "user": UserError("The table is gone.", remedy="Pick another.", field="table"),
        "transient": TransientError("The server was away."),
        "unexpected": KeyError("some key"),
        "memory": MemoryError(),
    }
    raise kinds[spec["kind"]]


def wrapped_failure(spec: Spec, emit: Emitter) -> None:
    try:
        fail({"kind": "user"}, emit)
    except UserError as error:
        raise RuntimeError("pipeline step failed") from error


def eat_memory(spec: Spec, emit: Emitter) -> None:
    emit({"event": "log", "text": "starting"})
    _answer(emit, len(bytearray(spec["mb"] * 1024 * 1024)))


def write_file(spec: Spec, emit: Emitter) -> None:
    with open(spec["path"], "wb", buffering=0) as file:
        file.writelines([b"x" * 1024 * 1024] * spec["mb"])


def burn_cpu(spec: Spec, emit: Emitter) -> None:
    while True:
        pass


def die(spec: Spec, emit: Emitter) -> None:
    sys.stdout.write("about to go\n")
    if "exit" in spec:
        os._exit(spec["exit"])
    os.kill(os.getpid(), spec["signal"])
    time.sleep(30)


def family(spec: Spec, emit: Emitter) -> None:
    """This process, one in its group and one that fled into a session of its own, all waiting."""
    sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(300)"]
    near = subprocess.Popen(sleeper)
    far = subprocess.Popen(sleeper, start_new_session=True)
    _answer(emit, {"pids": [os.getpid(), near.pid, far.pid], "home": os.environ["HOME"]})
    time.sleep(300)


def has_imported(spec: Spec, emit: Emitter) -> None:
    _answer(emit, spec["module"] in sys.modules)


def sleeping(spec: Spec, emit: Emitter) -> None:
    _answer(emit, os.getpid())
    time.sleep(300)


def hold_memory(spec: Spec, emit: Emitter) -> None:
    held = bytearray(os.urandom(1024) * 1024 * spec["mb"])
    _answer(emit, len(held))
    time.sleep(300)


def fill_disk(spec: Spec, emit: Emitter) -> None:
    Path("filling").write_bytes(os.urandom(spec["mb"] * 1024 * 1024))
    _answer(emit, os.getpid())
    time.sleep(300)


def deaf(spec: Spec, emit: Emitter) -> None:
    """Swallows the cancellation and goes on."""
    _answer(emit, os.getpid())
    while True:
        with contextlib.suppress(hooks.Cancelled):
            time.sleep(300)


def slow_query(spec: Spec, emit: Emitter) -> None:
    """Waits inside libpq, where no signal handler runs, until the hook cancels on the server."""
    import psycopg2

    connection = psycopg2.connect(spec["url"], application_name="slow query of a test")

    def cancel() -> None:
        emit({"event": "log", "text": "cancelling"})
        connection.cancel()

    worker = threading.Thread(target=hooks.on_cancel, args=(cancel,))
    worker.start()
    worker.join()
    with connection.cursor() as cursor:
        _answer(emit, "waiting")
        cursor.execute("select pg_sleep(60)")


def look_around(spec: Spec, emit: Emitter) -> None:
    environ = dict(os.environ)
    _answer(
        emit,
        {
            "environ": environ,
            "cwd": str(Path.cwd()),
            "fds": sorted(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else [],
            "session": os.getsid(0) == os.getpid(),
            "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
            "uid": os.getuid(),
            "sigterm_ignored": signal.getsignal(signal.SIGTERM) is signal.SIG_IGN,
        },
    )


def reach(spec: Spec, emit: Emitter) -> None:
    """Which of the paths can be read, which written, and which of the other doors are open."""
    _answer(
        emit,
        {
            "read": [path for path in spec.get("read", ()) if _can(path, "rb")],
            "write": [path for path in spec.get("write", ()) if _can(path, "ab")],
            "connect": _can_connect(spec["port"]) if "port" in spec else None,
            "listen": _can_listen(),
            "signal": _can_signal(spec["pid"]) if "pid" in spec else None,
        },
    )


def reach_without_tcp(spec: Spec, emit: Emitter) -> None:
    """Landlock's own refusal, also for those who are not root and cannot leave the network."""
    landlock.restrict([Path("/")], [Path("/")], network=False)
    _answer(emit, {"connect": _can_connect(spec["port"])})


def query_duckdb(spec: Spec, emit: Emitter) -> None:
    import duckdb

    connection = duckdb.connect("warehouse.duckdb")
    connection.execute("create table t as select range as n from range(1000000)")
    _answer(emit, connection.execute("select sum(n)::bigint from t").fetchall())


def _can(path: str, mode: str) -> bool:
    try:
        with open(path, mode):
            return True
    except PermissionError:
        return False


def _can_connect(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False


def _can_listen() -> bool:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return True
    except PermissionError:
        return False


def _can_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    return True
