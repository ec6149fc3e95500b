"""PostgreSQL and Redis that a scenario may kill, keep down and start again on the same port with their data."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
import redis

from datanika_site.tests.chaos.processes import die_with_us
from scripts import local_servers

SECONDS = 60


class _Restartable:
    """A private server that listens on loopback and on ``address``, where the machines reach it."""

    def __init__(self, kind: str, address: str) -> None:
        self.address = address
        self.server = local_servers.START[kind](owner_pid=os.getpid())
        self.directory = Path(self.server.directory)
        self._process = psutil.Process(self.server.pid)
        self._handle: subprocess.Popen[bytes] | None = None
        self._command = self._configure()
        self.stop()
        self.start()

    @property
    def is_up(self) -> bool:
        if self._handle is not None:
            return self._handle.poll() is None
        return bool(self._process.is_running())

    def start(self) -> None:
        owner = self.directory.stat()
        ours = owner.st_uid == os.geteuid()
        with (self.directory / "server.log").open("ab") as log:
            self._handle = subprocess.Popen(
                self._command,
                cwd=self.directory,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=None if ours else owner.st_uid,
                group=None if ours else owner.st_gid,
                extra_groups=None if ours else [],
                preexec_fn=die_with_us,  # noqa: PLW1509 - nothing but a system call
            )
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._handle.poll() is not None:
                said = (self.directory / "server.log").read_text(errors="replace")[-1000:]
                raise AssertionError(f"The {self.server.kind} server did not start: {said}")
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it; SIGKILL is a crash, of all its processes at once."""
        pid = self._process.pid if self._handle is None else self._handle.pid
        family = psutil.Process(pid).children(recursive=True)
        os.kill(pid, number)
        if number == signal.SIGKILL:
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        deadline = time.monotonic() + SECONDS
        while self.is_up and time.monotonic() < deadline:
            # The first was started by another hand, which does not wait for it.
            local_servers.is_running(self.server)
            time.sleep(0.02)
        psutil.wait_procs(family, timeout=SECONDS)

    def close(self) -> None:
        if self.is_up:
            self.stop(signal.SIGKILL)
        local_servers.stop(self.server)

    def url(self, database: str, *, inside: bool = False) -> str:
        """For us, or for a machine when ``inside``."""
        text = self.server.url_of(database)
        return text.replace(self.server.host, self.address, 1) if inside else text

    def _configure(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError


class Postgres(_Restartable):
    def __init__(self, address: str) -> None:
        super().__init__("postgres", address)

    def _configure(self) -> list[str]:
        access = self.directory / "data" / "pg_hba.conf"
        network = self.address.rpartition(".")[0]
        with access.open("a") as file:
            file.write(f"host all all {network}.0/24 scram-sha-256\n")
        return [
            *self._process.cmdline(),
            *("-c", f"listen_addresses=127.0.0.1,{self.address}"),
            # What was answered has to outlive a crash of the server, as anywhere.
            *("-c", "synchronous_commit=on"),
        ]

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False


class Redis(_Restartable):
    def __init__(self, address: str) -> None:
        super().__init__("redis", address)

    def _configure(self) -> list[str]:
        # A title of its own is all that its command line shows.
        path = self.directory / "redis.conf"
        text = path.read_text()
        path.write_text(text.replace("bind 127.0.0.1\n", f"bind 127.0.0.1 {self.address}\n"))
        program = local_servers.find_binary("redis-server", "valkey-server")
        assert program is not None, "it was started a moment ago"
        return [program, str(path)]

    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url("0"))

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.exceptions.RedisError:
            return False
