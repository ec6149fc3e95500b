"""Every route, compared value by value with the source."""

import sqlite3
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.tests.engine_support import (
    Bench,
    duck,
    file_endpoint,
    pg,
    postgres_endpoint,
    results,
    summary,
)

#: A time without a zone stays without one.
naive = datetime.fromisoformat

SCHEMA = """
CREATE TABLE t (
 id int primary key, i8 bigint, sm smallint, b boolean, n12 numeric(12,2), n38 numeric(38,10), nfree numeric,
 f8 double precision, f4 real, ts timestamp, tz timestamptz, d date, tm time, iv interval, js json, jb jsonb,
 ia int[], ta text[], by bytea, u uuid, vc varchar(50), "Mixed Case" text, ip inet, nothing text)"""
ROWS = r"""
INSERT INTO t VALUES
 (1, 9223372036854775807, -32768, true, 1234567890.12, 1234567890123456789012345678.0123456789,
  12345678901234567890.123456789, 0.1, 0.1, '2024-02-29 23:59:59.123456', '2024-07-01 00:30:00.654321+02', '0001-01-01',
  '23:59:59.999999', '1 mon 2 days 03:04:05', '{"a": 1.10, "b":[1,null]}', '{"a": 12345678901234567890.5}',
  '{1,2,null}', '{"a,b",null,"q\"x"}', '\x00ff41', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x', 'é',
  '10.0.0.1/24', null),
 (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
  null, null, '', null, null, null),
 (3, -9223372036854775808, 0, false, -0.01, -0.0000000001, 1e-20, 'NaN', 'Infinity', '1970-01-01',
  '1900-01-01 00:00:00+00', '9999-12-31', '00:00', '-1 day', 'null', '[]', '{}', '{}', '\x',
  '00000000-0000-0000-0000-000000000000',
  E'tab\there\nnl"q''s\\', '', '::1', null),
 (4, 4, 4, true, 4, 4, 'NaN', '-Infinity', 1e-40, '2024-01-01', '2024-01-01', '2024-01-01', '12:00', '1 year',
  '"\u00e9"', '1', '{4}', '{}', '\x04', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ' lead', E'\r\n,;',
  '10.0.0.0/8', null)"""
COLUMNS = 'id i8 sm b n12 n38 nfree f8 f4 ts tz d tm iv js jb ia ta by u vc "Mixed Case" ip nothing'.replace(
    '"Mixed Case"', "MIXED"
).split()


def quoted() -> list[str]:
    return [{"MIXED": '"Mixed Case"', "by": '"by"'}.get(name, name) for name in COLUMNS]


@pytest.mark.parametrize("disposition", ["replace", "append", "merge"])
def test_postgres_to_postgres_is_exact(tmp_path: Path, postgres_url: str, disposition: str) -> None:
    pg(postgres_url, SCHEMA, ROWS)
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), postgres_endpoint(postgres_url))
    events = bench.load(
        {"schema": "public", "name": "t", "target": "t", "write_disposition": disposition}
    )
    result = results(events)["t"]
    assert result["rows_loaded"] == result["rows_read"] == 4
    assert summary(events)["rows_loaded"] == 4
    texts = ", ".join(f"{name}::text" for name in quoted())
    assert pg(postgres_url, f"SELECT {texts} FROM raw.t ORDER BY id") == pg(
        postgres_url, f"SELECT {texts} FROM public.t ORDER BY id"
    )
    assert result["conversions"] == []


def test_postgres_to_duckdb_keeps_every_value_or_says_so(tmp_path: Path, postgres_url: str) -> None:
    pg(postgres_url, SCHEMA, ROWS)
    bench = Bench(tmp_path, postgres_endpoint(postgres_url), file_endpoint("duckdb", "w.duckdb"))
    result = results(bench.load({"schema": "public", "name": "t", "target": "t"}))["t"]
    assert [note["column"] for note in result["conversions"]] == [
        "nfree",
        "ia",
        "ta",
        "ip",
    ]
    same = 'id, i8, sm, b, n12, n38, f8, f4::double precision, ts, d, tm, u, vc, "Mixed Case", nothing, "by"'
    found = duck(bench.files / "w.duckdb", f"SELECT {same} FROM raw.t ORDER BY id")
    wanted = pg(postgres_url, f"SELECT {same} FROM t ORDER BY id")
    # NaN is no equal of itself; text makes it one.
    assert [list(map(str, row)) for row in found] == [list(map(str, row)) for row in wanted]
    texts = "nfree::text, js::text, jb::text"
    assert duck(bench.files / "w.duckdb", f"SELECT {texts} FROM raw.t ORDER BY id") == pg(
        postgres_url, f"SELECT {texts} FROM t ORDER BY id"
    )
    instants = duck(bench.files / "w.duckdb", "SELECT epoch_us(tz), ip FROM raw.t ORDER BY id")
    assert instants == pg(
        postgres_url,
        "SELECT (extract(epoch FROM tz) * 1000000)::bigint, replace(ip::text, '/128', '') FROM t ORDER BY id",
    )
    spans = "extract(epoch FROM iv)::bigint, extract(month FROM iv)::bigint"
    assert duck(bench.files / "w.duckdb", f"SELECT {spans} FROM raw.t ORDER BY id") == pg(
        postgres_url, f"SELECT {spans} FROM t ORDER BY id"
    )
    lists = duck(bench.files / "w.duckdb", "SELECT ia::text, ta::text FROM raw.t ORDER BY id")
    assert lists[0] == ("[1, 2, null]", '["a,b", null, "q\\"x"]')


SQLITE = """
CREATE TABLE t (id integer primary key, price decimal(10,2), odd decimal(10,2), tx text, at datetime,
  day date, ok boolean, r real, anything, code varchar(10), bl blob, mixed integer, zoned timestamp);
INSERT INTO t VALUES
 (1, 12.34, 0.125, '', '2024-01-01 10:00:00', '2024-01-01', 1, 0.1, 'any', '00501', x'00ff', 9223372036854775807,
  '2024-01-01 10:00:00+02:00'),
 (2, NULL, 12, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (3, -99999999.99, 3, 'é"' || char(10) || 'x', '2024-01-01T10:00:00.123456', '9999-12-31', 0, 1e300, 5, 'x', x'',
  'text', NULL)"""


@pytest.mark.parametrize("to", ["duckdb", "postgres"])
def test_sqlite_keeps_what_is_stored(tmp_path: Path, postgres_url: str, to: str) -> None:
    bench = Bench(tmp_path, file_endpoint("sqlite", "s.sqlite"), target(to, postgres_url))
    with sqlite3.connect(bench.files / "s.sqlite") as con:
        con.executescript(SQLITE)
    result = results(bench.load({"schema": "main", "name": "t", "target": "t"}))["t"]
    assert look(bench, to, postgres_url, "SELECT * FROM raw.t ORDER BY id", drop_last=True) == [
        (1, Decimal("12.34"), 0.125, "", naive("2024-01-01 10:00:00"), date(2024, 1, 1), True, 0.1, "any", "00501",
         b"\x00\xff", "9223372036854775807", "2024-01-01 10:00:00+02:00"),
        (2, None, 12.0, None, None, None, None, None, None, None, None, None, None),
        (3, Decimal("-99999999.99"), 3.0, 'é"\nx', naive("2024-01-01 10:00:00.123456"), date(9999, 12, 31), False,
         1e300, "5", "x", b"", "text", None),
    ]  # fmt: skip
    assert [note["column"] for note in result["conversions"]] == [
        "odd",
        "anything",
        "mixed",
        "zoned",
    ]


@pytest.mark.parametrize("to", ["duckdb", "postgres"])
def test_csv_declares_its_types(tmp_path: Path, postgres_url: str, to: str) -> None:
    bench = Bench(tmp_path, file_endpoint("csv", "*.csv"), target(to, postgres_url))
    # Line 29,000 lies behind the sample and tells that "late" is no number.
    filler = "".join(
        f"{n},1,1.00,x,2024-01-02,{'007' if n == 29000 else n}\n" for n in range(3, 30000)
    )
    (bench.files / "a.csv").write_text(
        'id,code,amount,note,at,late\n1,00501,1.10,"",2024-01-01 10:00:00,\n'
        f'2,10001,22.5,,2024-01-02T10:00:00.5,"4"\n{filler}'
    )
    result = results(bench.load({"name": "a.csv", "target": "a"}))["a.csv"]
    assert result["rows_loaded"] == 29999
    query = "SELECT * FROM raw.a WHERE id < 3 OR id = 29000 ORDER BY id"
    assert look(bench, to, postgres_url, query, drop_last=True) == [
        (1, "00501", Decimal("1.10"), "", naive("2024-01-01 10:00:00"), None),
        (2, "10001", Decimal("22.50"), None, naive("2024-01-02 10:00:00.500000"), "4"),
        (29000, "1", Decimal("1.00"), "x", naive("2024-01-02"), "007"),
    ]


def target(to: str, url: str) -> dict[str, Any]:
    return postgres_endpoint(url) if to == "postgres" else file_endpoint("duckdb", "w.duckdb")


def look(
    bench: Bench, to: str, url: str, query: str, *, drop_last: bool = False
) -> list[tuple[Any, ...]]:
    """The rows in the destination, without the load id where it comes last."""
    rows = pg(url, query) if to == "postgres" else duck(bench.files / "w.duckdb", query)
    return [row[:-1] for row in rows] if drop_last else rows


def test_the_first_line_of_a_large_file_is_its_header(tmp_path: Path, postgres_url: str) -> None:
    bench = Bench(tmp_path, file_endpoint("csv", "*.csv"), postgres_endpoint(postgres_url))
    rows = "".join(f"{n},value number {n} of a large file\n" for n in range(400_000))
    (bench.files / "a.csv").write_text(f"id,words\n{rows}")
    # More than once: threads that race for the first row do not always win.
    for _ in range(3):
        result = results(bench.load({"name": "a.csv", "target": "a"}))["a.csv"]
        assert [column["name"] for column in result["columns"]] == ["id", "words", "_dlt_load_id"]
