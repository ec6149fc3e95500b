"""A query in place of a table: described and sampled in the same bounds, and refused in the source's own words."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from common.errors import TransientError, UserError
from connections.connectors.base import Connector, Sample, Table, Target
from connections.connectors.registry import all_connectors
from connections.tests.local_endpoints import endpoint, keep
from connections.tests.postgres_endpoints import CONNECTOR, target_of

Ends = tuple[Connector, Target]

_TABLES = (
    "CREATE TABLE orders (id INTEGER, status TEXT)",
    "INSERT INTO orders VALUES (1, 'paid'), (2, 'draft'), (3, NULL)",
)


@pytest.fixture
def in_postgres(postgres_url: str, tmp_path: Path) -> Ends:
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute("; ".join(_TABLES).encode())
    return CONNECTOR, target_of(postgres_url, tmp_path)


@pytest.fixture
def in_duckdb(tmp_path: Path) -> Ends:
    with closing(duckdb.connect(str(tmp_path / "w.duckdb"))) as con:
        con.execute("; ".join(_TABLES))
    return endpoint(tmp_path, "duckdb", "w.duckdb")


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Ends:
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as con:
        con.executescript("; ".join(_TABLES))
    return endpoint(tmp_path, "sqlite", "s.sqlite")


@pytest.fixture(params=["in_postgres", "in_duckdb", "in_sqlite"])
def ends(request: pytest.FixtureRequest) -> Ends:
    found: Ends = request.getfixturevalue(request.param)
    return found


def take(ends: Ends, query: str, **options: Any) -> Sample:
    defaults: dict[str, Any] = {"columns": None, "filters": [], "limit": 8}
    return ends[0].sample_query(ends[1], query, **(defaults | options))


def test_columns_rows_and_counts(ends: Ends) -> None:
    # A comment at the end does not swallow what is put around the query.
    query = "SELECT id, upper(status) AS state FROM orders ORDER BY id -- all of them"
    table: Table = ends[0].describe_query(ends[1], query)
    assert [column.name for column in table.columns] == ["id", "state"]
    found = take(ends, query)
    assert found.columns == ("id", "state")
    assert found.rows == (("1", "PAID"), ("2", "DRAFT"), ("3", None))
    assert len(found.types) == 2
    if ends[0].key != "sqlite":
        assert found.types[0].lower() == "integer"
    kept = take(ends, query, columns=["state"], filters=keep("state", "eq", "PAID"))
    assert (kept.rows, kept.kept, kept.total) == ((("PAID",),), 1, 3)
    assert take(ends, query, filters=keep("state", "eq", "PAID"), limit=0).kept == 1


def test_what_the_source_says_against_it(ends: Ends) -> None:
    for ask in (ends[0].describe_query, lambda target, query: take(ends, query)):
        with pytest.raises(UserError) as caught:
            ask(ends[1], "SELECT id,\n nothing_like_it\nFROM orders")
        assert caught.value.field == "query"
        assert "nothing_like_it" in caught.value.detail


def test_hole_16_nothing_is_written_by_a_query_for_reading(ends: Ends) -> None:
    escapes = [
        "SELECT 1) AS q; DROP TABLE orders; SELECT * FROM (SELECT 1",
        "DELETE FROM orders RETURNING id",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
    ]
    for query in escapes:
        with pytest.raises(UserError):
            take(ends, query)
    assert len(take(ends, "SELECT * FROM orders").rows) == 3


def test_a_function_cannot_switch_the_reading_off(in_postgres: Ends, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute(
            "CREATE FUNCTION drop_all() RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN DELETE FROM orders; RETURN 1; END $$"
        )
    take(in_postgres, "SELECT set_config('default_transaction_read_only', 'off', false) AS a")
    with pytest.raises(UserError) as caught:
        take(
            in_postgres,
            "SELECT set_config('default_transaction_read_only', 'off', false), drop_all() AS b",
        )
    assert "read-only" in caught.value.detail
    assert len(take(in_postgres, "SELECT * FROM orders").rows) == 3


def test_two_columns_of_one_name(in_postgres: Ends) -> None:
    with pytest.raises(UserError, match='two columns called "id"'):
        take(in_postgres, "SELECT a.id, b.id FROM orders a JOIN orders b ON true")


@pytest.mark.parametrize("system", ["in_postgres", "in_duckdb", "in_sqlite"])
def test_it_never_takes_long(system: str, request: pytest.FixtureRequest) -> None:
    ends: Ends = request.getfixturevalue(system)
    endless: dict[str, str] = {
        "in_postgres": "SELECT count(*) AS n FROM generate_series(1, 20000000000) g",
        "in_duckdb": "SELECT count(*) AS n FROM range(1, 200000000000) r(a), range(1, 1000) s(b)"
        " WHERE a % 7 = b",
        "in_sqlite": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t)"
        " SELECT count(*) AS n FROM t",
    }
    started = time.monotonic()
    with pytest.raises(TransientError):
        take(ends, endless[system])
    assert time.monotonic() - started < 9


@pytest.mark.parametrize("connector", list(all_connectors().values()), ids=lambda one: one.key)
def test_who_cannot_says_so(connector: Connector, tmp_path: Path) -> None:
    if connector.capabilities.query:
        return
    target = Target(connector.key, {}, {}, tmp_path)
    asks: list[Callable[[], object]] = [
        lambda: connector.describe_query(target, "SELECT 1"),
        lambda: take((connector, target), "SELECT 1"),
    ]
    for ask in asks:
        with pytest.raises(UserError, match="takes no SQL query"):
            ask()
