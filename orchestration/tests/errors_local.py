"""What SQLite, DuckDB and the operating system say, and how processes end."""

# ruff: noqa: E501, a table is read by its rows

import contextlib
import os
import resource
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb

from common.children.endings import ending_event
from common.children.failures import error_event
from connections.connectors.duckdb_support import connect_duckdb
from orchestration.tests.errors_world import Case, Event, World, as_load_error, refused

_S = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (length(name) < 9), k TEXT UNIQUE)"
_SQLITE: tuple[tuple[str, ...], ...] = (
    ("no table", "sqlite-refused", "SELECT * FROM nothing_here"),
    ("syntax", "sqlite-refused", "SELEC 1"),
    ("null", "null-not-allowed", _S, "INSERT INTO t VALUES (1, NULL, 'a')"),
    ("duplicate key", "duplicate-key", _S, "INSERT INTO t VALUES (1, 'a', 'a')", "INSERT INTO t VALUES (1, 'b', 'b')"),
    ("duplicate value", "duplicate-key", _S, "INSERT INTO t VALUES (1, 'a', 'a')", "INSERT INTO t VALUES (2, 'b', 'a')"),
    ("check", "check-violated", _S, "INSERT INTO t VALUES (1, 'abcdefghij', 'a')"),
    ("foreign key", "foreign-key", "PRAGMA foreign_keys = on", _S, "CREATE TABLE c (t REFERENCES t)", "INSERT INTO c VALUES (9)"),
    ("trigger", "check-violated", _S, "CREATE TRIGGER r BEFORE INSERT ON t BEGIN SELECT raise(abort, 'not on Sundays'); END", "INSERT INTO t VALUES (1, 'a', 'a')"),
    ("wrong type", "value-not-of-type", _S, "INSERT INTO t VALUES ('abc', 'a', 'a')"),
    ("strict table", "value-not-of-type", "CREATE TABLE s (n INTEGER) STRICT", "INSERT INTO s VALUES ('abc')"),
    ("read only", "server-only-reads", "PRAGMA query_only = on", "CREATE TABLE s (n)"),
    ("full", "disk-full", "PRAGMA max_page_count = 3", "CREATE TABLE s (n)", "INSERT INTO s VALUES (zeroblob(100000))"),
)  # fmt: skip
_DUCKDB: tuple[tuple[str, ...], ...] = (
    ("no table", "sql-binding", "SELECT * FROM nothing_here"),
    ("no column", "sql-binding", "SELECT colour FROM (SELECT 1 AS color)"),
    ("no function", "sql-binding", "SELECT shop_median(1)"),
    ("syntax", "sql-syntax", "SELEC 1"),
    ("text as number", "value-not-of-type", "SELECT 'abc'::INT"),
    ("text as date", "value-not-of-type", "SELECT 'abc'::DATE"),
    ("number too large", "value-not-of-type", "SELECT 400::TINYINT"),
    ("sum too large", "number-too-large", "SELECT 9223372036854775807 + 1"),
    ("null", "constraint", "CREATE TABLE t (a INT NOT NULL)", "INSERT INTO t VALUES (NULL)"),
    ("duplicate", "constraint", "CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (1)"),
    ("table exists", "sql-binding", "CREATE TABLE t (a INT)", "CREATE TABLE t (a INT)"),
    ("too little memory", "memory-limit", "SET memory_limit = '2MB'", "SET temp_directory = ''", "SELECT list(random()::VARCHAR) FROM range(3000000)"),
    ("a file that is not there", "file-not-opened", "SELECT * FROM read_csv('nothing_here.csv')"),
    ("closed to files", "right-missing", "SET enable_external_access = false", "SELECT * FROM read_csv('/etc/hostname')"),
    ("not implemented", "sql-refused", "CREATE TABLE t (a INT)", "ALTER TABLE t ADD COLUMN b INT UNIQUE"),
    ("dependency", "sql-dependents", "CREATE SCHEMA s", "CREATE TABLE s.t (a INT)", "DROP SCHEMA s"),
    ("writers meet", "deadlock", "CREATE TABLE t (a INT)", "BEGIN", "BEGIN"),
)  # fmt: skip


def _in_sqlite(*statements: str) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            for statement in statements[:-1]:
                connection.execute(statement)
            with refused() as found:
                connection.execute(statements[-1]).fetchall()
        return as_load_error(found[0])

    return provoke


def _in_duckdb(*statements: str) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        with contextlib.closing(duckdb.connect(":memory:")) as connection:
            for statement in statements[:-1]:
                connection.execute(statement)
            with refused() as found:
                connection.execute(statements[-1]).fetchall()
        return as_load_error(found[0])

    return provoke


# --- files ---------------------------------------------------------------------------------------


def _sqlite_file(make: Callable[[Path], Any], statement: str) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        path = world.place("sqlite") / "shop.db"
        path.unlink(missing_ok=True)
        kept = make(path)
        with (
            contextlib.closing(sqlite3.connect(path, timeout=0.05)) as connection,
            refused() as found,
        ):
            connection.execute(statement).fetchall()
        if isinstance(kept, sqlite3.Connection):
            kept.close()
        return as_load_error(found[0])

    return provoke


def _held(path: Path) -> sqlite3.Connection:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE t (a)")
    holder.execute("BEGIN EXCLUSIVE")
    return holder


def _damaged(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 300,)] * 200)
        connection.commit()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)


def _locked_duckdb(world: World) -> Event:
    path = world.place("duckdb") / "held.duckdb"
    program = (
        "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with refused() as found:
            connect_duckdb(path)
        holder.communicate("\n", timeout=10)
    return as_load_error(found[0])


def _broken_duckdb(world: World) -> Event:
    path = world.place("duckdb") / "broken.duckdb"
    path.write_bytes(b"\x00" * 8 + b"DUCK" + b"\xff" * 20_000)
    with refused() as found:
        connect_duckdb(path)
    return as_load_error(found[0])


# --- the operating system ------------------------------------------------------------------------


def _os(work: Callable[[World], object]) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        with refused() as found:
            work(world)
        return error_event(found[0]) if isinstance(found[0], OSError) else as_load_error(found[0])

    return provoke


def _as_load(work: Callable[[World], object]) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        with refused() as found:
            work(world)
        return as_load_error(found[0])

    return provoke


def _write_full(_world: World) -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")


def _many_files(world: World) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    # As many as are open by now, and a few.
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 5, hard))
    try:
        opened = [Path("/dev/null").open("rb") for _ in range(300)]  # noqa: SIM115
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for file in opened:
            file.close()


def _nobody_listens(_world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    socket.create_connection(("127.0.0.1", port), timeout=2)


def _never_answers(_world: World) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        with socket.create_connection(silent.getsockname(), timeout=0.05) as asking:
            asking.recv(1)


def _broken_pipe(_world: World) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        ours.sendall(b"x")


def _no_tls(_world: World) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.0 400 no\r\n\r\n")
        context = ssl.create_default_context()
        context.wrap_socket(ours, server_hostname="db.example.com")


def _unknown_host(_world: World) -> None:
    # Asked of the system's own table of services: no name service is needed to know it is wrong.
    socket.getaddrinfo("127.0.0.1", "no-such-service-here", type=socket.SOCK_STREAM)


def _http(status: int) -> Callable[[World], Event]:
    def work(_world: World) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_error(status)

            def log_message(self, *_arguments: Any) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            Thread(target=server.handle_request, daemon=True).start()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=5)
            except urllib.error.HTTPError as error:
                error.close()
                raise

    return _as_load(work)


def _ended(program: str) -> Callable[[World], Event]:
    """A process that ends itself as the program says; what its owner makes of the exit code."""

    def provoke(_world: World) -> Event:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
        )
        return ending_event(done.returncode, stopped_by_us=False, detail=done.stderr[-200:].strip())

    return provoke


def _by(number: signal.Signals) -> str:
    return f"import os; os.kill(os.getpid(), {number.value})"


_CPU = "import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 3))\nwhile True: pass"
_LARGE = (
    "import resource as r, signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL);"
    "r.setrlimit(r.RLIMIT_FSIZE, (10, 10)); import tempfile, os;"
    "f = tempfile.TemporaryFile(); os.write(f.fileno(), b'x' * 99); os.write(f.fileno(), b'x')"
)

_SYSTEM: tuple[tuple[str, str, str, Callable[[World], Event]], ...] = (
    ("full disk", "disk-full", "a byte written to /dev/full", _os(_write_full)),
    ("full disk in a load", "disk-full", "a byte written to /dev/full", _as_load(_write_full)),
    ("file is gone", "file-missing", "open('gone.csv')", _as_load(lambda w: (w.directory / "gone.csv").read_bytes())),
    ("directory", "file-is-directory", "read a directory as a file", _as_load(lambda w: w.directory.read_bytes())),
    ("long name", "name-too-long", "open('x' * 300)", _as_load(lambda w: (w.directory / ("x" * 300)).read_bytes())),
    ("closed directory", "file-closed-to-us", "a directory below /sys", _as_load(lambda w: Path("/sys/kernel/datanika").mkdir())),
    ("too many files", "too-many-files", "RLIMIT_NOFILE of what is open and 5, then 300 files", _as_load(_many_files)),
    ("nobody listens", "connection-refused", "connect to a closed port", _as_load(_nobody_listens)),
    ("no answer", "no-answer", "a server that never answers, 50 ms", _as_load(_never_answers)),
    ("broken pipe", "connection-lost", "write to a closed socket", _as_load(_broken_pipe)),
    ("no TLS", "tls-failed", "TLS with a server of HTTP", _as_load(_no_tls)),
    ("bytes are no text", "bytes-no-text", "b'\\xff'.decode()", _as_load(lambda w: b"\xff".decode())),
    ("HTTP 401", "http-sign-in", "a server that answers 401", _http(401)),
    ("HTTP 403", "http-forbidden", "a server that answers 403", _http(403)),
    ("HTTP 404", "http-not-found", "a server that answers 404", _http(404)),
    ("HTTP 429", "http-too-many-requests", "a server that answers 429", _http(429)),
    ("HTTP 503", "http-service-down", "a server that answers 503", _http(503)),
    ("HTTP 422", "http-refused", "a server that answers 422", _http(422)),
    ("kill -9", "killed-by-system", "SIGKILL to itself", _ended(_by(signal.SIGKILL))),
    ("segmentation fault", "native-fault", "SIGSEGV to itself", _ended(_by(signal.SIGSEGV))),
    ("abort", "native-fault", "os.abort()", _ended("import os; os.abort()")),
    ("bus error", "bus-error", "SIGBUS to itself", _ended(_by(signal.SIGBUS))),
    ("illegal instruction", "wrong-processor", "SIGILL to itself", _ended(_by(signal.SIGILL))),
    ("terminated", "stopped-from-outside", "SIGTERM to itself", _ended(_by(signal.SIGTERM))),
    ("CPU time", "cpu-limit", "RLIMIT_CPU of one second", _ended(_CPU)),
    ("file size", "file-limit", "RLIMIT_FSIZE of ten bytes", _ended(_LARGE)),
    ("exit code 3", "ended-without-a-word", "sys.exit(3)", _ended("import sys; sys.exit(3)")),
    ("no memory", "memory-limit", "MemoryError", lambda w: error_event(MemoryError())),
    ("warm parent died", "worker-process-died", "no exit code at all", lambda w: ending_event(None, stopped_by_us=False, detail="")),
    ("stopped by us", "cancelled", "killed by its owner", lambda w: ending_event(-9, stopped_by_us=True, detail="")),
    ("a fault of ours", "", "KeyError in the engine", lambda w: error_event(KeyError("x"))),
)  # fmt: skip


def cases() -> Iterator[Case]:
    for name, expects, *statements in _SQLITE:
        yield Case(
            f"SQLite: {name}", "SQLite", "; ".join(statements), expects, _in_sqlite(*statements)
        )
    for name, expects, *statements in _DUCKDB:
        yield Case(
            f"DuckDB: {name}", "DuckDB", "; ".join(statements), expects, _in_duckdb(*statements)
        )
    select = "SELECT count(*) FROM t"
    files = (
        ("SQLite: file in use", "file-in-use", "held by BEGIN EXCLUSIVE", _sqlite_file(_held, select)),
        ("SQLite: no database", "no-database-file", "a text file", _sqlite_file(lambda p: p.write_text("a,b\n" * 400), select)),
        ("SQLite: damaged", "file-damaged", "two pages overwritten", _sqlite_file(_damaged, "SELECT * FROM t")),
        ("SQLite: a directory", "file-missing", "the path of a directory", _sqlite_file(lambda p: None, "ATTACH '/' AS x")),
        ("DuckDB: file in use", "file-in-use", "held by another process", _locked_duckdb),
        ("DuckDB: broken file", "file-not-opened", "bytes that are no database", _broken_duckdb),
    )  # fmt: skip
    for name, expects, how, provoke in files:
        yield Case(name, name.partition(":")[0], how, expects, provoke)
    for name, expects, how, provoke in _SYSTEM:
        yield Case(f"System: {name}", "System", how, expects, provoke)
