"""SQLite, DuckDB and the file types, with real files."""

import gzip
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from common.errors import NotFound, TransientError, UserError
from connections.connectors.base import Connector, Stage, StageStatus, Target
from connections.connectors.duckdb_support import connect_duckdb, load_extension, lockdown
from connections.connectors.registry import get_connector


def endpoint(root: Path, key: str, path: str, **config: Any) -> tuple[Connector, Target]:
    connector = get_connector(key)
    form = connector.form_class(data={"path": path, **config})
    assert form.is_valid(), form.errors
    return connector, Target(key, form.cleaned_data, {}, root)


def check(root: Path, key: str, path: str, role: str = "source", **config: Any) -> list[Stage]:
    connector, target = endpoint(root, key, path, **config)
    return list(connector.check(target, role))


def sample(one: tuple[Connector, Target], table: str, schema: str = "", **options: Any) -> Any:
    connector, target = one
    defaults: dict[str, Any] = {"columns": None, "filters": [], "limit": 100}
    return connector.sample(target, schema=schema, table=table, **(defaults | options))


def keep(column: str, op: str, value: Any) -> list[dict[str, Any]]:
    return [{"column": column, "op": op, "value": value}]


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
    ("column", "op", "value", "words"),
    [
        ("id", "eq", "two", 'column "id" \\(INTEGER\\) cannot compare with "two"'),
        ("id", "eq", True, "cannot compare"),
        ("amount", "gt", "NaN", "cannot compare"),
        ("placed", "lt", "yesterday", 'column "placed"'),
        ("id", "in", [], "needs a list"),
        ("id", "like", 1, 'unknown operator "like"'),
        ("nope", "eq", 1, 'no column "nope"'),
        ("id", "eq", None, "no value"),
    ],
)
def test_wrong_filters_are_named(shop: Path, column: str, op: str, value: Any, words: str) -> None:
    one = endpoint(shop, "sqlite", "shop #1.sqlite")
    with pytest.raises(UserError, match=words) as refused:
        sample(one, "orders", filters=keep(column, op, value))
    assert refused.value.field == "filters"


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


# Files -------------------------------------------------------------------------------------------


def test_csv_keeps_null_and_empty_apart(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,name,price\n1,"",1.50\n2,,2.25\n3,NA,\n4,"NA",1\n')
    one = endpoint(tmp_path, "csv", "a.csv")
    assert [r[1] for r in sample(one, "a.csv").rows] == ["", None, "NA", "NA"]
    na = endpoint(tmp_path, "csv", "a.csv", null_text="NA")
    assert [r[1] for r in sample(na, "a.csv").rows] == ["", None, None, "NA"]
    kept = sample(one, "a.csv", filters=keep("price", "gt", "1.2"), columns=["id"])
    assert ([r[0] for r in kept.rows], kept.kept, kept.total) == (["1", "2"], 2, 4)


def test_csv_formats(tmp_path: Path) -> None:
    (tmp_path / "semi.csv").write_bytes(
        "id;Größe;text\n1;1,5;'a;b'\n2;2,25;'it''s'\n".encode("latin-1")
    )
    one = endpoint(tmp_path, "csv", "semi.csv", encoding="latin-1", decimal=",", quote="'")
    connector, target = one
    described = connector.describe(target, schema="", table="semi.csv")
    assert [(c.name, c.type) for c in described.columns] == [
        ("id", "BIGINT"),
        ("Größe", "DOUBLE"),
        ("text", "VARCHAR"),
    ]
    rows = sample(one, "semi.csv", filters=keep("Größe", "gt", 2)).rows
    assert rows == (("2", "2.25", "it's"),)
    assert "utf-8" in check(tmp_path, "csv", "semi.csv")[-1].detail

    (tmp_path / "bare.csv").write_text("1\tx\n2\ty\n")
    bare = endpoint(tmp_path, "csv", "bare.csv", header="no")
    assert sample(bare, "bare.csv").columns == ("column0", "column1")
    assert len(sample(bare, "bare.csv").rows) == 2

    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbfid,ID,\r\n1,2,3\r\n")
    assert sample(endpoint(tmp_path, "csv", "bom.csv"), "bom.csv").columns == (
        "id",
        "ID_1",
        "column2",
    )
    with gzip.open(tmp_path / "z.csv.gz", "wt") as file:
        file.write('id,text\n1,"two\nlines"\n')
    assert sample(endpoint(tmp_path, "csv", "z.csv.gz"), "z.csv.gz").rows == (("1", "two\nlines"),)
    duckdb.sql("SELECT 7 AS id").write_csv(str(tmp_path / "z.csv.zst"), compression="zstd")
    assert sample(endpoint(tmp_path, "csv", "z.csv.zst"), "z.csv.zst").rows == (("7",),)


def test_csv_patterns_unite_by_name(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.csv").write_text("id,x\n1,a\n")
    (tmp_path / "w" / "b[1].csv").write_text("x;id;extra\nb;2;e\n")
    one = endpoint(tmp_path, "csv", "w/*.csv")
    connector, target = one
    page = connector.discover(target, search="", schema="", after="", limit=2)
    assert [(t.name, t.kind) for t in page.tables] == [("w/*.csv", "files"), ("w/a.csv", "file")]
    rest = connector.discover(target, search="", schema="", after=page.next or "", limit=2)
    assert [t.name for t in rest.tables] == ["w/b[1].csv"]
    assert sorted(sample(one, "w/*.csv", columns=["id", "extra"]).rows) == [("1", None), ("2", "e")]
    assert sample(one, "w/b[1].csv").rows == (("b", "2", "e"),)
    with pytest.raises(UserError):
        sample(one, "../outside.csv")


def test_ragged_csv_rows_are_named(tmp_path: Path) -> None:
    # DuckDB's own detection takes the last line for the header here.
    (tmp_path / "r.csv").write_text("id,name,v\n1,a,1\n2,b\n3,c,3,4\n")
    last = check(tmp_path, "csv", "r.csv")[-1]
    assert last.status is StageStatus.WARN
    assert "r.csv: 3 columns expected, but line 3 has 2 columns, line 4 has 4 columns" in last.text
    described = endpoint(tmp_path, "csv", "r.csv")
    assert sample(described, "r.csv").rows == (("1", "a", "1"),)
    (tmp_path / "empty.csv").write_text("")
    assert "is empty" in check(tmp_path, "csv", "empty.csv")[-1].text
    assert "No file matches" in check(tmp_path, "csv", "*.txt")[-1].text


def test_jsonl_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text(
        '{"id": 1, "tags": ["a"]}\n{"id": 2.5, "more": {"x": null}}\n'
    )
    (tmp_path / "bad.jsonl").write_text('{"id": 1}\n{"id":\n')
    one = endpoint(tmp_path, "jsonl", "e.jsonl")
    assert (
        check(tmp_path, "jsonl", "e.jsonl")[-1].text
        == "3 columns, 2 rows in e.jsonl can be parsed."
    )
    assert sample(one, "e.jsonl", filters=keep("id", "gte", 2)).rows[0][0] == "2.5"
    bad = check(tmp_path, "jsonl", "bad.jsonl")[-1]
    assert bad.status is StageStatus.FAILED
    assert "bad.jsonl" in bad.detail
    assert str(tmp_path) not in bad.detail

    duckdb.sql("SELECT 1 AS id, 1.10::DECIMAL(5,2) AS price").write_parquet(
        str(tmp_path / "a.parquet")
    )
    duckdb.sql("SELECT 2 AS id, 'x' AS more").write_parquet(str(tmp_path / "b.parquet"))
    (tmp_path / "c.parquet").write_text("no parquet")
    files = endpoint(tmp_path, "parquet", "[ab].parquet")
    connector, target = files
    page = connector.discover(target, search="", schema="", after="", limit=9)
    assert [(t.name, t.rows) for t in page.tables] == [
        ("[ab].parquet", None),
        ("a.parquet", 1),
        ("b.parquet", 1),
    ]
    described = connector.describe(target, schema="", table="[ab].parquet")
    assert [(c.name, c.type) for c in described.columns] == [
        ("id", "INTEGER"),
        ("price", "DECIMAL(5,2)"),
        ("more", "VARCHAR"),
    ]
    assert described.rows == 2
    assert check(tmp_path, "parquet", "a.parquet")[-1].text == "2 columns, 1 row in a.parquet."
    assert check(tmp_path, "parquet", "c.parquet")[-1].status is StageStatus.FAILED
