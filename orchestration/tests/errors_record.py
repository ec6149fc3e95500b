"""Records the corpus anew: ``python -m orchestration.tests.errors_record``. It starts servers of its own."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql

from orchestration.tests import errors_builds as builds
from orchestration.tests import errors_loads as loads
from orchestration.tests import errors_local as local
from orchestration.tests import errors_servers as servers
from orchestration.tests.errors_world import Case, World
from scripts import services

FILE = Path(__file__).with_name("errors_corpus.json")
_KEPT = ("code", "signature", "message", "remedy", "transient", "detail")


def all_cases() -> Iterator[Case]:
    for module in (servers, local, loads, builds):
        yield from module.cases()


def recorded(case: Case, world: World) -> dict[str, Any]:
    """What is kept of one error: nothing of this machine."""
    event = case.provoke(world)
    ports = {str(urlsplit(url).port) for url in (world.postgres, world.mariadb)}
    kept = {name: event[name] for name in _KEPT}
    for name in ("message", "detail"):
        text = str(kept[name]).replace(str(world.directory), "")
        for port in ports:
            text = text.replace(port, "5432")
        kept[name] = text[:600]
    return {
        "name": case.name,
        "system": case.system,
        "how": case.how,
        "expects": case.expects,
        "step": case.step,
        "event": kept,
    }


@contextlib.contextmanager
def a_world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "servers"
        state.mkdir()
        try:
            postgres = services.ensure("postgres", state, owner_pid=os.getpid())
            mariadb = services.ensure("mariadb", state, owner_pid=os.getpid())
            with psycopg.connect(postgres.url, autocommit=True) as admin:
                admin.execute("CREATE DATABASE errors")
            with contextlib.closing(
                pymysql.connect(
                    host=mariadb.host,
                    port=mariadb.port,
                    user="datanika",
                    password=mariadb.password,
                )
            ) as connection:
                connection.query("CREATE DATABASE errors CHARACTER SET utf8mb4")
            world = World(
                postgres.url_of("errors"), mariadb.url_of("errors"), Path(directory) / "w"
            )
            world.directory.mkdir()
            yield world
        finally:
            builds.close()
            services.stop_all(state)


def main() -> None:
    with a_world() as world:
        rows = [recorded(case, world) for case in all_cases()]
    FILE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{len(rows)} errors recorded in {FILE.name}\n")


if __name__ == "__main__":
    main()
