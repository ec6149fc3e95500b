"""SQLite as a destination: exact values, atomic loads, and readers that see all or nothing."""

import sqlite3
import threading
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.destinations.sqlite import SqliteDestination
from pipelines.tests.destination_suite import FILL, ORDERS, Ask, Suite
from pipelines.tests.engine_support import Bench, duck, file_endpoint, results

VALUES = """
CREATE TABLE orders AS SELECT 9223372036854775807::BIGINT AS big, 18446744073709551615::UBIGINT AS huge, true AS flag,
  0.1::FLOAT AS single, 5e-324::DOUBLE AS small, 'infinity'::DOUBLE AS endless, 99999999999.99::DECIMAL(13,2) AS price,
  12345678901234567.890::DECIMAL(20,3) AS wide, '' AS empty, '007' AS code, 'a"b''c\\d' || chr(10) AS text,
  '\\x00\\xFF'::BLOB AS bytes, ''::BLOB AS no_bytes, DATE '0001-01-01' AS day,
  TIMESTAMP '2024-02-29 12:00:00.000001' AS moment, TIMESTAMPTZ '2024-07-01 00:30:00+02' AS instant,
  TIME '23:59:59.999999' AS clock, '{"a": 1.10}'::JSON AS document, [1, NULL] AS list, NULL::INTEGER AS nothing
"""


class TestSqlite(Suite):
    owner = SqliteDestination

    @pytest.fixture
    def destination(self) -> dict[str, Any]:
        return file_endpoint("sqlite", "w.sqlite")

    @pytest.fixture
    def ask(self, bench: Bench) -> Ask:
        def ask(query: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(bench.files / "w.sqlite")) as connection:
                return connection.execute(query).fetchall()

        return ask

    def place(self, table: str) -> str:
        return f'"raw__{table}"'

    def test_values_are_what_they_were(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, VALUES)
        result = results(bench.load({"name": "orders"}))["orders"]
        assert ask("SELECT * FROM raw__orders")[0][:-1] == (
            9223372036854775807,
            "18446744073709551615",
            1,
            0.10000000149011612,
            5e-324,
            float("inf"),
            99999999999.99,
            "12345678901234567.890",
            "",
            "007",
            "a\"b'c\\d\n",
            b"\x00\xff",
            b"",
            "0001-01-01",
            "2024-02-29 12:00:00.000001",
            "2024-06-30 22:30:00+00",
            "23:59:59.999999",
            '{"a": 1.10}',
            "[1,null]",
            None,
        )
        converted = {one["column"]: one["count"] for one in result["conversions"]}
        assert converted == {"huge": 1, "wide": 1, "instant": 1, "document": 1, "list": 1}

    def test_our_own_reader_takes_them_back(self, bench: Bench, tmp_path: Path) -> None:
        self.source(bench, VALUES)
        bench.load({"name": "orders"}, dataset="main")
        back = Bench(
            tmp_path, file_endpoint("sqlite", "w.sqlite"), file_endpoint("duckdb", "b.duckdb")
        )
        back.load({"name": "orders"})
        found = duck(
            bench.files / "b.duckdb", "SELECT price, day, moment, flag, big, bytes FROM raw.orders"
        )
        assert found == [
            (
                Decimal("99999999999.99"),
                date(1, 1, 1),
                datetime.fromisoformat("2024-02-29 12:00:00.000001"),
                True,
                9223372036854775807,
                b"\x00\xff",
            )
        ]

    def test_what_no_column_holds_is_refused(self, bench: Bench, ask: Ask) -> None:
        self.source(
            bench,
            "CREATE TABLE orders (id INTEGER, day DATE, n DOUBLE)",
            "INSERT INTO orders VALUES (1, '2024-01-01', 1), (2, 'infinity', 1), (3, '4713-01-01 (BC)', 1),"
            " (4, NULL, 'nan')",
        )
        result = results(bench.load({"name": "orders"}))["orders"]
        assert {one["column"]: one["count"] for one in result["rejects"]} == {"day": 2, "n": 1}
        assert "more than DATE holds" in result["rejects"][0]["reason"]
        assert ask("SELECT id FROM raw__orders") == [(1,)]

    def test_two_datasets_do_not_meet(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 3))
        bench.load({"name": "orders"}, dataset="main")
        bench.load({"name": "orders"}, dataset="other")
        assert ask(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM other__orders)"
        ) == [(2, 2)]

    def test_a_reader_sees_all_or_nothing(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 20001))
        bench.load({"name": "orders"})
        seen, finished = set(), threading.Event()

        def look() -> None:
            while not finished.is_set():
                seen.add(ask("SELECT count(*), min(moved) FROM raw__orders")[0])

        reader = threading.Thread(target=look)
        reader.start()
        for _ in range(3):
            self.source(bench, "UPDATE orders SET moved = moved + 1000000")
            bench.load({"name": "orders"})
        finished.set()
        reader.join()
        assert {count for count, _ in seen} == {20000}

    def test_indexes_and_triggers_stay(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 3))
        wanted = {"name": "orders", "write_disposition": "merge", "cursor": {"column": "id"}}
        bench.load(wanted)
        ask("CREATE INDEX mine ON raw__orders (name)")
        self.source(
            bench, "ALTER TABLE orders ALTER moved TYPE DOUBLE", "UPDATE orders SET moved = 0.1"
        )
        bench.load(wanted)
        names = ask(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'raw__orders'"
        )
        assert len(names) == 2
        assert ask("SELECT id, moved FROM raw__orders") == [(1, "1"), (2, "0.1")]
