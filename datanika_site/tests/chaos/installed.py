"""An installation to be put under chaos: servers, web and beats on this side, workers on machines of their own."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet

from datanika_site.demo.data import postgres_values
from datanika_site.processes import beat_command, web_command, worker_command
from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.machines import ROOT, Machine, Network
from datanika_site.tests.chaos.processes import SECONDS, Started, start, wait_until
from datanika_site.tests.chaos.records import Records
from datanika_site.tests.chaos.servers import Postgres, Redis
from datanika_site.tests.installation import free_port

_OURS = ("DATABASE_URL", "CELERY_BROKER_URL", "DATANIKA_", "CHAOS_", "PYTEST", "DJANGO_")


@dataclass(frozen=True)
class Tenant:
    slug: str
    pk: int
    key: str


class Installed:
    """Servers, machines and processes; ``Site`` adds what is asked of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.network = Network()
        self.machines: list[Machine] = []
        self.here: list[Started] = []
        self._count = 0
        with contextlib.ExitStack() as undo:
            undo.callback(self.network.close)
            #: The metadata database, and the server of the tenants' data.
            self.postgres = Postgres(self.network.address)
            undo.callback(self.postgres.close)
            self.store = Postgres(self.network.address)
            undo.callback(self.store.close)
            self.redis = Redis(self.network.address)
            undo.callback(self.redis.close)
            undo.callback(self._end_all)
            self._found()
            self._undo = undo.pop_all()

    def close(self) -> None:
        self.records.close()
        self.stored.close()
        self._undo.close()

    # ---- founding -------------------------------------------------------------------------------

    def _found(self) -> None:
        for server, names in (
            (self.postgres, ["datanika"]),
            (self.store, [shop.SHOP, shop.WAREHOUSE]),
        ):
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                for name in names:
                    connection.execute(f"CREATE DATABASE {name}")
        shop.fill(self.store.url(shop.SHOP))
        self.records = Records(self.postgres.url("datanika"))
        self.stored = Records(self.store.url("postgres"))
        self.env = self._environment()
        (self.directory / "logs").mkdir()
        self.manage("migrate", "--verbosity", "0")
        ends = [
            postgres_values(self.store.url(name, inside=True))
            for name in (shop.SHOP, shop.WAREHOUSE)
        ]
        told = json.loads(
            self.python(
                "from datanika_site.tests.chaos.founding import found;"
                f"print(found({ends[0]!r}, {ends[1]!r}))"
            )
        )
        self.acme = Tenant("acme", **told["acme"])
        self.beta = Tenant("beta", **told["beta"])
        self.session = str(told["session"])
        self.port = free_port()
        self.web = self.start_web()

    def _environment(self) -> dict[str, str]:
        outside = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        return outside | {
            "DATABASE_URL": self.postgres.url("datanika", inside=True),
            "CELERY_BROKER_URL": self.redis.url("0", inside=True),
            "DATANIKA_SECRET_KEY": os.urandom(32).hex(),
            "DATANIKA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DATANIKA_ALLOWED_HOSTS": "127.0.0.1",
            "DATANIKA_DATA_DIR": str(self.directory / "front"),
            "DATANIKA_WORKER_SLOTS": "4",
            "DJANGO_SETTINGS_MODULE": "datanika_site.tests.chaos.settings",
            # Whatever an operator sets, the lease is what the product comes with.
            "DATANIKA_LEASE_SECONDS": "30",
        }

    def manage(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self.env | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{arguments[0]} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def python(self, code: str) -> str:
        return self.manage("shell", "--no-imports", "-c", code).strip()

    # ---- processes ------------------------------------------------------------------------------

    def _start_here(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> Started:
        self._count += 1
        log = self.directory / "logs" / f"front-{self._count}-{name}.log"
        started = start(name, command, env=self.env | dict(env or {}), cwd=ROOT, log=log)
        self.here.append(started)
        return started

    def start_web(self, port: int = 0) -> Started:
        port = port or self.port
        web = self._start_here("web", web_command("127.0.0.1", port))
        wait_until(lambda: _answers(port), "the web answers", SECONDS, every=0.2)
        return web

    def start_beat(self, env: Mapping[str, str] | None = None) -> Started:
        return self._start_here("beat", beat_command(), env)

    def machine(self, name: str, *, disk_mb: int = 0) -> Machine:
        """A new machine, with the shop's files on its own disk."""
        made = Machine(self.network, name, self.directory, disk_mb=disk_mb)
        self.machines.append(made)
        self.put_files(made)
        return made

    def put_files(self, machine: Machine) -> None:
        made = self.directory / "files"
        if not made.exists():
            shop.put_files(made)
        shutil.copytree(made, machine.inside() / "files" / str(self.acme.pk), dirs_exist_ok=True)

    def start_worker(
        self,
        machine: Machine,
        *,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        ready: bool = True,
    ) -> Started:
        """A worker on that machine; returns when it has said that it is there."""
        before = {name for name, _ in self.records.workers(machine.name)}
        worker = machine.run("worker", command or worker_command(), self.env | dict(env or {}))
        if ready:
            self.wait_for_worker(machine, worker, before)
        return worker

    def wait_for_worker(self, machine: Machine, worker: Started, before: set[str]) -> None:
        def there() -> bool:
            if not worker.is_up:
                raise AssertionError(f"{worker.name} ended:\n{worker.said()}")
            return bool({name for name, _ in self.records.workers(machine.name)} - before)

        wait_until(there, f"{worker.name} is there", SECONDS, every=0.2)

    def _end_all(self) -> None:
        for machine in self.machines:
            machine.close()
        for started in self.here:
            started.end(10)

    def clear(self) -> None:
        """After a scenario: its machines and beats go, web and servers stay."""
        for machine in self.machines:
            machine.close()
            shutil.rmtree(machine.own)
        self.machines.clear()
        for started in self.here:
            if started is not self.web:
                started.end(10)
        self.here = [self.web]
        self.records.ask("DELETE FROM orchestration_worker")
        self.set_pace(shop.PACE)

    def set_pace(self, seconds: float) -> None:
        """How long a slow load reads each of its rows."""
        shop.set_pace(self.store.url(shop.SHOP), seconds)

    def queries(self, like: str = "%", *databases: str) -> list[str]:
        """What children have running on the source or the warehouse."""
        query = (
            "SELECT left(query, 120) FROM pg_stat_activity WHERE datname = ANY(%s)"
            " AND state <> 'idle' AND pid <> pg_backend_pid() AND query ILIKE %s"
        )
        wanted = list(databases or (shop.SHOP, shop.WAREHOUSE))
        return [text for (text,) in self.stored.ask(query, [wanted, like])]

    def wait_busy(self, machine: Machine, steps: int, seconds: float = 60) -> list[int]:
        """Numbers of Acme's runs on that machine, once so many of its loads really read."""
        pk = self.acme.pk
        wait_until(
            lambda: len(self.records.running(pk, machine.name)) >= steps,
            f"{steps} steps on {machine.name}",
            seconds,
        )
        wait_until(lambda: len(self.queries("%slow%")) >= steps, f"{steps} loads read", seconds)
        return self.records.running(pk, machine.name)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz/", headers={"Host": "127.0.0.1"})
        return connection.getresponse().status == 200
    except OSError:
        return False
