"""What the benchmarks share: sizes from the environment, and one warm parent for all of them."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from bench.engine import Engine
from bench.report import BUILD
from scripts.services import Server


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made = Engine(BUILD / "bench-work" / str(os.getpid()))
    yield made
    made.close()


@pytest.fixture(scope="session")
def surroundings(postgres_server: Server) -> str:
    """The server's settings that decide about speed, and the size of the machine."""
    with psycopg.connect(postgres_server.url) as connection:
        settings = [
            f"{name} {connection.execute(f'SHOW {name}'.encode()).fetchall()[0][0]}"
            for name in ("server_version", "fsync", "wal_level", "shared_buffers")
        ]
    version, *others = settings
    version = version.removeprefix("server_version ").split()[0]
    return f"PostgreSQL {version} ({', '.join(others)}), {os.cpu_count()} cores"
