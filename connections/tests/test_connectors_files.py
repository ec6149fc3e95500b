"""The file types, with real files."""

import gzip
from pathlib import Path

import duckdb
import pytest

from common.errors import UserError
from connections.connectors.base import StageStatus
from connections.tests.local_endpoints import check, endpoint, keep, sample


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
    (tmp_path / "quote.csv").write_text('id,text\n1,5" pipe\n2,"never closed\n')
    assert "line 3 cannot be read" in check(tmp_path, "csv", "quote.csv")[-1].text
    broken = endpoint(tmp_path, "csv", "quote.csv")
    assert sample(broken, "quote.csv").columns == ("id", "text")
    (tmp_path / "ends.csv").write_bytes(b"id,text\r\n1,a\n2,b\r\n")
    assert "all lines end the same way" in check(tmp_path, "csv", "ends.csv")[-1].remedy
    (tmp_path / "empty.csv").write_text("")
    assert "is empty" in check(tmp_path, "csv", "empty.csv")[-1].text
    assert "No file matches" in check(tmp_path, "csv", "*.txt")[-1].text
    outside = check(tmp_path, "csv", "/etc/passwd")
    assert [(s.name, s.status) for s in outside] == [("path", StageStatus.FAILED)]


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
