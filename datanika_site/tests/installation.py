"""A whole installation of its own for a test: its data directory, its worker processes, its commands."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from cryptography.fernet import Fernet
from psycopg import sql

from datanika_site.processes import beat_command, worker_command

ROOT = Path(__file__).resolve().parents[2]
#: Imports of Django, dlt and dbt on a busy small machine.
SECONDS = 180
#: The supervisor asks, waits ten seconds, then kills; the rest is for a busy machine.
STOP_SECONDS = 12


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def with_ordinary_owner(database_url: str) -> str:
    """The address for a new role without any rights but to own this database and what it makes in it."""
    parts, role, password = (
        urlsplit(database_url),
        f"app_{os.urandom(6).hex()}",
        os.urandom(12).hex(),
    )
    with psycopg.connect(database_url, autocommit=True) as admin:
        name, owner = sql.Identifier(parts.path[1:]), sql.Identifier(role)
        made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(password))
        admin.execute(made)
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{place}"))


@dataclass
class Installation:
    """``environment`` decides the mode: nothing set is embedded."""

    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    superuser_url: str = ""
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def distributed(cls, data_dir: Path, database_url: str, broker_url: str) -> "Installation":
        """In a database of a superuser, which gets an ordinary role as its owner: row-level security holds."""
        return cls(
            data_dir,
            {
                "DATABASE_URL": with_ordinary_owner(database_url),
                "CELERY_BROKER_URL": broker_url,
                "DATANIKA_SECRET_KEY": "k" * 20 + os.urandom(16).hex(),
                "DATANIKA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
                "DATANIKA_ALLOWED_HOSTS": "localhost,127.0.0.1",
            },
            superuser_url=database_url,
        )

    def as_superuser(self) -> "Installation":
        """For filling tables fast: in PostgreSQL with all rights, and beyond row-level security."""
        if not self.superuser_url:
            return self
        environment = self.environment | {"DATABASE_URL": self.superuser_url}
        return Installation(self.data_dir, environment)

    def manage(
        self, *arguments: str, check: bool = True, seconds: int = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of ``manage.py`` to its end."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self._env(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments[0]} ended with {done.returncode}:\n{done.stderr}")
        return done

    def python(self, code: str, seconds: int = SECONDS) -> str:
        """Run code with this installation's Django; what it printed."""
        return self.manage("shell", "--no-imports", "-c", code, seconds=seconds).stdout.strip()

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self._start(worker_command())

    def start_beat(self) -> subprocess.Popen[bytes]:
        return self._start(beat_command())

    def start_up(self, port: int) -> subprocess.Popen[bytes]:
        """Everything from one terminal, as people start it; returns once the web answers."""
        self.environment["DATANIKA_BASE_URL"] = f"http://127.0.0.1:{port}"
        process = self._start([sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port)])
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise AssertionError(f"up ended with {process.returncode}.")
            if _answers(port):
                return process
            time.sleep(0.2)
        raise AssertionError(f"Nothing answers on port {port}.")

    def end(
        self, process: subprocess.Popen[bytes], by: signal.Signals = signal.SIGTERM
    ) -> list[str]:
        """End what ``start_up`` began; the commands of its processes that are left after the time they have."""
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) > 2, f"Web, worker and their warm parent, not {family}."
        process.send_signal(by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        # Who lost its parent gets a moment to notice it.
        _gone, left = psutil.wait_procs(family, timeout=2)
        found = [f"{other.pid} {' '.join(_command_of(other))}" for other in left]
        for other in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                other.kill()
        if process.poll() is None:
            found.append("up itself")
            process.kill()
            process.wait()
        return found

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """As the kernel's out-of-memory killer does it."""
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def stop(self) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                worker.terminate()
        for worker in self._workers:
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def run_status(self, number: int) -> dict[str, Any]:
        """Status, rows, text of the log and progress of a run."""
        found: dict[str, Any] = json.loads(self.python(_STATUS.format(number=number)))
        return found

    def wait_for(self, number: int, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while not wanted(status := self.run_status(number)):
            if time.monotonic() > deadline:
                break
        else:
            return status
        raise AssertionError(f"Run #{number} did not get there: {status}")

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(command, env=self._env(), cwd=ROOT, start_new_session=True)
        self._workers.append(worker)
        return worker

    def _env(self) -> dict[str, str]:
        return {
            **{
                k: v
                for k, v in os.environ.items()
                if k not in {"DATABASE_URL", "CELERY_BROKER_URL"}
            },
            "DJANGO_SETTINGS_MODULE": "datanika_site.settings",
            "DATANIKA_DATA_DIR": str(self.data_dir),
            # A lost worker of this machine is seen by its process id, whatever the lease.
            "DATANIKA_LEASE_SECONDS": "30",
            **self.environment,
        }


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _command_of(process: psutil.Process) -> list[str]:
    try:
        command: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return command


_STATUS = """
import json
from orchestration.models import Run, RunLogLine, RunStep
run = Run.all_organizations.filter(number={number}).first()
print(json.dumps({{"status": "not there"}} if run is None else {{
    "status": run.status,
    "error": run.error,
    "rows": run.rows_loaded,
    "log": "\\n".join(RunLogLine.all_organizations.filter(run=run).values_list("text", flat=True)),
    "progress": [
        sum(entry.get("rows") or 0 for entry in step.progress.values())
        for step in RunStep.all_organizations.filter(run=run)
    ],
}}))
"""
