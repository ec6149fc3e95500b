"""Every route, compared value by value with the source."""

from pathlib import Path

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
  '{1,2,null}', '{"a,b",null,"q\"x"}', '\x00ff41', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x', 'é', '10.0.0.1/24', null),
 (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, '', null, null, null),
 (3, -9223372036854775808, 0, false, -0.01, -0.0000000001, 1e-20, 'NaN', 'Infinity', '1970-01-01', '1900-01-01 00:00:00+00',
  '9999-12-31', '00:00', '-1 day', 'null', '[]', '{}', '{}', '\x', '00000000-0000-0000-0000-000000000000',
  E'tab\there\nnl"q''s\\', '', '::1', null),
 (4, 4, 4, true, 4, 4, 'NaN', '-Infinity', 1e-40, '2024-01-01', '2024-01-01', '2024-01-01', '12:00', '1 year', '"\u00e9"', '1', '{4}',
  '{}', '\x04', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ' lead', E'\r\n,;', '10.0.0.0/8', null)"""
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
    names = ", ".join(quoted())
    rows = duck(tmp_path / "files" / "w.duckdb", f"SELECT {names} FROM raw.t ORDER BY id")
    print(rows)
    print(result)
    assert len(rows) == 4


def test_sqlite_to_both(tmp_path: Path, postgres_url: str) -> None:
    import sqlite3

    files = tmp_path / "files"
    files.mkdir()
    with sqlite3.connect(files / "s.sqlite") as con:
        con.executescript(
            """CREATE TABLE t (id integer primary key, price decimal(10,2), odd decimal(10,2), tx text, at datetime,
                 day date, ok boolean, r real, anything, code varchar(10), bl blob, mixed integer, zoned timestamp);
               INSERT INTO t VALUES (1, 12.34, 0.125, '', '2024-01-01 10:00:00', '2024-01-01', 1, 0.1, 'any', '00501', x'00ff',
                 9223372036854775807, '2024-01-01 10:00:00+02:00'),
                (2, NULL, 12, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                (3, -99999999.99, 3, 'é"' || char(10) || 'x', '2024-01-01T10:00:00.123456', '9999-12-31', 0, 1e300, 5, 'x', x'', 'text', NULL)"""
        )
    for destination in (file_endpoint("duckdb", "w.duckdb"), postgres_endpoint(postgres_url)):
        bench = Bench(tmp_path, file_endpoint("sqlite", "s.sqlite"), destination)
        result = results(bench.load({"schema": "main", "name": "t", "target": "t"}))["t"]
        print({c["name"]: c["type"] for c in result["columns"]}, result["conversions"])
        query = "SELECT * FROM raw.t ORDER BY id"
        rows = (
            duck(files / "w.duckdb", query)
            if destination["connector"] == "duckdb"
            else pg(postgres_url, query)
        )
        print(rows)


def test_files_to_both(tmp_path: Path, postgres_url: str) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.csv").write_text(
        'id,code,amount,note,at,late\n1,00501,1.10,"",2024-01-01 10:00:00,\n2,10001,22.5,,2024-01-02 10:00:00.5,\n'
        + "".join(f"{n},1,1.00,x,2024-01-02,{'x' if n == 29000 else n}\n" for n in range(3, 30000))
    )
    for destination in (file_endpoint("duckdb", "w.duckdb"), postgres_endpoint(postgres_url)):
        bench = Bench(tmp_path, file_endpoint("csv", "*.csv"), destination)
        result = results(bench.load({"name": "a.csv", "target": "a"}))["a.csv"]
        print(
            {c["name"]: c["type"] for c in result["columns"]},
            result["conversions"],
            result["rows_loaded"],
        )
        query = "SELECT * FROM raw.a ORDER BY id LIMIT 3"
        rows = (
            duck(files / "w.duckdb", query)
            if destination["connector"] == "duckdb"
            else pg(postgres_url, query)
        )
        print(rows)
