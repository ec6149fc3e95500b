"""Counting what filters keep: all rows where that is quick, the first ones where it is not, and never for long."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from common.errors import TransientError
from connections.connectors import sampling
from connections.connectors.base import Sample
from connections.tests import mysql_endpoints as mysql
from connections.tests.local_endpoints import endpoint, keep, sample
from connections.tests.postgres_endpoints import CONNECTOR, target_of

Take = Callable[..., Sample]

_SMALL = "SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT NULL"


@pytest.fixture
def in_postgres(postgres_url: str, tmp_path: Path) -> Take:
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute(
            f"""CREATE TABLE small AS {_SMALL}; CREATE VIEW large AS
            SELECT n FROM generate_series(1, 100000) n
            WHERE CASE WHEN n > 2000 THEN pg_sleep(0.01)::text = '' ELSE true END""".encode()
        )
    target = target_of(postgres_url, tmp_path)

    def take(table: str, **options: Any) -> Sample:
        defaults: dict[str, Any] = {"columns": None, "filters": [], "limit": 5}
        return CONNECTOR.sample(target, schema="public", table=table, **(defaults | options))

    return take


@pytest.fixture
def in_mariadb(mariadb_url: str, tmp_path: Path) -> Take:
    mysql.run(
        mariadb_url,
        f"CREATE TABLE small AS {_SMALL}",
        "CREATE VIEW large AS SELECT seq AS n FROM seq_1_to_100000 "
        "WHERE CASE WHEN seq > 2000 THEN sleep(0.01) ELSE 1 END",
    )
    target = mysql.target_of(mariadb_url, tmp_path)

    def take(table: str, **options: Any) -> Sample:
        defaults: dict[str, Any] = {"columns": None, "filters": [], "limit": 5}
        return mysql.CONNECTOR.sample(target, schema="", table=table, **(defaults | options))

    return take


@pytest.fixture
def in_duckdb(tmp_path: Path) -> Take:
    with closing(duckdb.connect(str(tmp_path / "w.duckdb"))) as con:
        con.execute(f"CREATE TABLE small AS {_SMALL}")
        con.execute("CREATE VIEW large AS SELECT range AS n FROM range(1, 200000000000)")
    one = endpoint(tmp_path, "duckdb", "w.duckdb")
    return lambda table, **options: sample(one, table, **options)


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Take:
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as con:
        con.executescript(
            f"""CREATE TABLE small (n INTEGER); INSERT INTO small {_SMALL};
            CREATE TABLE numbers (n INTEGER); INSERT INTO numbers WITH RECURSIVE t(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 2000) SELECT n FROM t;
            CREATE VIEW large AS SELECT c.n FROM numbers a CROSS JOIN numbers b CROSS JOIN numbers c"""
        )
    one = endpoint(tmp_path, "sqlite", "s.sqlite")
    return lambda table, **options: sample(one, table, **options)


@pytest.fixture(params=["in_postgres", "in_mariadb", "in_duckdb", "in_sqlite"])
def take(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Take:
    monkeypatch.setattr(sampling, "FIRST_ROWS", 1000)
    monkeypatch.setattr(sampling, "_COUNT_SECONDS", 0.4)
    monkeypatch.setattr(sampling, "_ROWS_SECONDS", 0.4)
    found: Take = request.getfixturevalue(request.param)
    return found


def test_a_small_table_is_counted_as_a_whole(take: Take) -> None:
    found = take("small", filters=keep("n", "gte", 2))
    assert found == Sample(("n",), (("2",),), kept=1, total=3, exact=True)
    counted = take("small", filters=keep("n", "ne", 2), limit=0)
    assert counted == Sample(kept=1, total=3, exact=True)
    # Nothing is filtered, so nothing is counted.
    assert take("small", limit=2) == Sample(("n",), (("1",), ("2",)))


def test_of_a_large_table_the_first_rows_are_counted(take: Take) -> None:
    started = time.monotonic()
    found = take("large", filters=keep("n", "lte", 100), limit=3)
    assert found.rows == (("1",), ("2",), ("3",))
    assert (found.kept, found.total, found.exact, found.sampled) == (100, None, False, 1000)
    # Nothing passes: looked for in vain, and then said so of the first rows.
    rare = take("large", filters=keep("n", "lt", 0), limit=3)
    assert (rare.rows, rare.kept, rare.sampled) == ((), 0, 1000)
    assert time.monotonic() - started < 10


def test_a_source_that_does_not_answer_is_left_alone(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_ROWS_SECONDS", 0.3)
    monkeypatch.setattr(sampling, "_FIRST_SECONDS", 0.3)
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute("CREATE VIEW stuck AS SELECT 1 AS n, pg_sleep(30)::text AS t")
    target = target_of(postgres_url, tmp_path)
    options: dict[str, Any] = {"schema": "public", "table": "stuck", "columns": None}
    started = time.monotonic()
    filters = keep("t", "eq", "")
    with pytest.raises(TransientError):
        CONNECTOR.sample(target, filters=filters, limit=5, **options)
    assert CONNECTOR.sample(target, filters=filters, limit=0, **options) == Sample()
    assert time.monotonic() - started < 5
