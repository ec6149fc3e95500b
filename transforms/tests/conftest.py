"""One warm parent for all tests of the engine: importing dbt takes seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.children.client import ChildPool
from transforms.tests.engine_support import Engine, on_duckdb, on_mysql, on_postgres


@pytest.fixture(scope="session")
def dbt_pool() -> Iterator[ChildPool]:
    pool = ChildPool(["transforms.engine.preload"])
    yield pool
    pool.close()


@pytest.fixture
def duckdb_engine(dbt_pool: ChildPool, tmp_path: Path) -> Engine:
    return on_duckdb(dbt_pool, tmp_path)


@pytest.fixture
def postgres_engine(dbt_pool: ChildPool, tmp_path: Path, postgres_url: str) -> Engine:
    return on_postgres(dbt_pool, tmp_path, postgres_url)


@pytest.fixture
def mysql_engine(dbt_pool: ChildPool, tmp_path: Path, mariadb_url: str) -> Iterator[Engine]:
    engine = on_mysql(dbt_pool, tmp_path, mariadb_url)
    yield engine
    for name in ("analytics", "marts"):
        engine.execute(f"drop database if exists {engine.schemas[name]}")
