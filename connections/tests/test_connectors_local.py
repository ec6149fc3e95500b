"""SQLite and DuckDB, with real files."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from common.errors import NotFound, TransientError, UserError
from connections.connectors.base import StageStatus
from connections.connectors.duckdb_support import connect_duckdb, load_extension, lockdown
from connections.tests.local_endpoints import check, endpoint, keep, sample

# SQLite ------------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "shop #1.sqlite") as con:
        con.executescript(
            """
            CREATE TABLE orders (id INTEGER PRIMARY KEY, "odd ""name" TEXT NOT NULL,
                amount DECIMAL(10,2), placed DATETIME, raw BLOB);
            INSERT INTO orders VALUES (1, 'a', 1.5, '2026-01-01 10:00:00', x'00ff'),
                (2, '', NULL, '2026-02-01 10:00:00', NULL), (3, 'c%', 30, NULL, NULL);
            CREATE TABLE keyed (b INTEGER, a TEXT, PRIMARY KEY (a, b));
            CREATE VIEW big AS SELECT * FROM orders WHERE amount > 10;
            """
        )
    con.close()
    return tmp_path


def test_sqlite_reads_what_is_there(shop: Path) -> None:
    one = endpoint(shop, "sqlite", "shop #1.sqlite")
    connector, target = one
    stages = check(shop, "sqlite", "shop #1.sqlite")
    assert [(s.name, s.status) for s in stages] == [("path", "ok"), ("read", "ok")]
    assert "3 tables and views" in stages[-1].text

    page = connector.discover(target, search="", schema="", after="", limit=2)
    assert [(t.name, t.kind) for t in page.tables] == [("big", "view"), ("keyed", "table")]
    assert page.schemas == ("main",)
    rest = connector.discover(target, search="", schema="", after=page.next or "", limit=2)
    assert [t.name for t in rest.tables] == ["orders"]
    assert rest.next is None
    found = connector.discover(target, search="ORD", schema="main", after="", limit=9)
    assert [t.name for t in found.tables] == ["orders"]

    orders = connector.describe(target, schema="main", table="orders")
    assert [c.type for c in orders.columns] == [
        "INTEGER",
        "TEXT",
        "DECIMAL(10,2)",
        "DATETIME",
        "BLOB",
    ]
    assert [c.nullable for c in orders.columns[1:3]] == [False, True]
    assert orders.primary_key == ("id",)
    assert connector.describe(target, schema="", table="keyed").primary_key == ("a", "b")
    with pytest.raises(NotFound):
        connector.describe(target, schema="main", table="gone")

    rows = sample(one, "orders", columns=["raw", "id"], limit=1)
    assert (rows.columns, rows.rows) == (("id", "raw"), (("1", "00ff"),))


@pytest.mark.parametrize(
    ("column", "op", "value", "kept"),
    [
        ("id", "eq", "2", ["2"]),
        ("id", "ne", 2, ["1", "3"]),
        ("id", "in", [1, "3"], ["1", "3"]),
        ("id", "in", "1, 3", ["1", "3"]),
        ("id", "not_in", [1], ["2", "3"]),
        ("amount", "gt", "1.4", ["1", "3"]),
        ("amount", "ne", 30, ["1"]),  # NULL passes no filter
        ("amount", "not_in", ["1.5"], ["3"]),
        ("placed", "gte", "2026-02-01", ["2"]),
        ('odd "name', "eq", "", ["2"]),
        ('odd "name', "eq", "c%", ["3"]),
        ('odd "name', "eq", "' OR 1=1 --", []),
        ("raw", "eq", "00ff", ["1"]),
    ],
)
def test_sqlite_filters(shop: Path, column: str, op: str, value: Any, kept: list[str]) -> None:
    one = endpoint(shop, "sqlite", "shop #1.sqlite")
    rows = sample(one, "orders", columns=["id"], filters=keep(column, op, value))
    assert [row[0] for row in rows.rows] == kept
    assert (rows.kept, rows.total) == (len(kept), 3)


@pytest.mark.parametrize(
    ("column", "op", "value", "words", "field"),
    [
        ("id", "eq", "two", 'column "id" \\(INTEGER\\) cannot compare with "two"', "value"),
        ("id", "eq", True, "cannot compare", "value"),
        ("id", "in", [1, "x"], "cannot compare", "value[1]"),
        ("amount", "gt", "NaN", "cannot compare", "value"),
        ("placed", "lt", "yesterday", 'column "placed"', "value"),
        ("id", "like", "1%", "is no text", "value"),
        ("nope", "eq", 1, 'no column "nope"', "column"),
    ],
)
def test_wrong_filters_are_named(
    shop: Path, column: str, op: str, value: Any, words: str, field: str
) -> None:
    one = endpoint(shop, "sqlite", "shop #1.sqlite")
    with pytest.raises(UserError, match=words) as refused:
        sample(one, "orders", filters=keep(column, op, value))
    assert refused.value.field == f"filters[0].{field}"


def test_sqlite_says_what_is_wrong(shop: Path) -> None:
    (shop / "text.sqlite").write_text("hello " * 1000)
    (shop / "dir.sqlite").mkdir()
    for path, words in (
        ("text.sqlite", "not an SQLite database"),
        ("dir.sqlite", "is a directory"),
        ("gone.sqlite", "There is no file"),
    ):
        last = check(shop, "sqlite", path)[-1]
        assert last.status is StageStatus.FAILED
        assert words in last.text
        assert last.remedy
    with sqlite3.connect(shop / "busy.sqlite") as con:
        con.execute("CREATE TABLE t (id)")
        con.commit()
        con.execute("BEGIN EXCLUSIVE")
        assert "used by another process" in check(shop, "sqlite", "busy.sqlite")[-1].text
        con.rollback()
    con.close()


# DuckDB ------------------------------------------------------------------------------------------


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.csv"
    outside.write_text("secret\n42\n")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("CREATE SCHEMA sales")
        con.execute(
            "CREATE TABLE sales.orders (id BIGINT PRIMARY KEY, note VARCHAR, seen TIMESTAMPTZ,"
            " amount DECIMAL(38,10), tag UUID, day DATE)"
        )
        con.execute(
            "INSERT INTO sales.orders VALUES (1, '', '2026-01-01 00:00:00+00', 0.1,"
            " '9f8b1c9e-0000-4000-8000-000000000001', '2026-01-01'),"
            " (2, NULL, NULL, NULL, NULL, NULL)"
        )
        con.execute("CREATE VIEW plain AS SELECT 1 AS one")
        con.execute(f"CREATE VIEW thief AS SELECT * FROM read_csv('{outside}')")
    return tmp_path


def test_duckdb_reads_what_is_there(warehouse: Path) -> None:
    one = endpoint(warehouse, "duckdb", "w.duckdb")
    connector, target = one
    both = check(warehouse, "duckdb", "w.duckdb", "both")
    assert [(s.name, s.status.value) for s in both] == [
        ("path", "ok"),
        ("open", "ok"),
        ("read", "ok"),
        ("write", "ok"),
    ]
    page = connector.discover(target, search="", schema="", after="", limit=9)
    assert [(t.schema, t.name, t.kind, t.rows) for t in page.tables] == [
        ("main", "plain", "view", None),
        ("main", "thief", "view", None),
        ("sales", "orders", "table", 2),
    ]
    assert page.schemas == ("main", "sales")
    orders = connector.describe(target, schema="sales", table="orders")
    assert orders.primary_key == ("id",)
    assert not orders.columns[0].nullable
    assert orders.columns[3].type == "DECIMAL(38,10)"
    rows = sample(one, "orders", "sales", columns=["note", "seen"])
    assert rows.rows == (("", "2026-01-01 00:00:00+00"), (None, None))
    for filters in (
        keep("tag", "eq", "9F8B1C9E-0000-4000-8000-000000000001"),
        keep("seen", "lte", "2026-01-01T01:00:00+01:00"),
        keep("amount", "eq", "0.1"),
        keep("day", "in", ["2026-01-01"]),
        keep("id", "lt", 2),
    ):
        assert [row[0] for row in sample(one, "orders", "sales", filters=filters).rows] == ["1"]


def test_a_view_in_a_strangers_file_reaches_nothing_outside(warehouse: Path) -> None:
    with pytest.raises(UserError) as refused:
        sample(endpoint(warehouse, "duckdb", "w.duckdb"), "thief", "main")
    assert "42" not in str(refused.value) + refused.value.detail


def test_duckdb_as_a_destination_may_be_new(tmp_path: Path) -> None:
    stages = check(tmp_path, "duckdb", "new.duckdb", "destination")
    assert [(s.name, s.status.value) for s in stages] == [("path", "ok"), ("write", "ok")]
    assert "will be created" in stages[0].text
    assert not (tmp_path / "new.duckdb").exists()
    assert (
        check(tmp_path, "duckdb", "no/dir.duckdb", "destination")[-1].status is StageStatus.FAILED
    )
    assert "There is no file" in check(tmp_path, "duckdb", "new.duckdb")[-1].text
    connector, target = endpoint(tmp_path, "duckdb", "new.duckdb")
    profile = connector.dbt_profile(target, schema="marts", threads=2)
    assert profile["path"] == str(tmp_path.resolve() / "new.duckdb")
    with pytest.raises(UserError, match="same name"):
        connector.dbt_profile(target, schema="new", threads=2)


def test_duckdb_says_what_is_wrong(warehouse: Path) -> None:
    (warehouse / "text.duckdb").write_text("hello " * 1000)
    assert "not a DuckDB database" in check(warehouse, "duckdb", "text.duckdb")[-1].text
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(warehouse / "w.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        last = check(warehouse, "duckdb", "w.duckdb")[-1]
        assert (last.name, last.status) == ("open", StageStatus.FAILED)
        assert "used by another process" in last.text
        connector, target = endpoint(warehouse, "duckdb", "w.duckdb")
        with pytest.raises(TransientError):
            connector.describe(target, schema="main", table="plain")
        writer.communicate(b"\n")
    assert check(warehouse, "duckdb", "w.duckdb")[-1].status is StageStatus.OK


def test_extensions_come_from_wheels_and_lockdown_holds(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id\n1\n")
    (tmp_path / "out.csv").write_text("id\n2\n")
    with connect_duckdb(":memory:", memory_mb=256, threads=1) as con:
        for name in ("postgres", "sqlite", "json", "icu"):
            load_extension(con, name)
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
        lockdown(con, [tmp_path / "in"])
        assert con.execute(f"SELECT * FROM '{tmp_path}/in/a.csv'").fetchall() == [(1,)]
        for attack in (
            f"SELECT * FROM read_text('{tmp_path}/out.csv')",
            f"SELECT * FROM read_csv('{tmp_path}/in/../out.csv')",
            f"COPY (SELECT 1) TO '{tmp_path}/x.csv'",
            f"ATTACH '{tmp_path}/y.duckdb'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SET memory_limit = '100GB'",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(attack)
