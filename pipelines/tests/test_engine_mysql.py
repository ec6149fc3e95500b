"""MariaDB as source and as destination, on a real server."""

import fcntl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.errors import DatanikaError, UserError
from pipelines.engine.destinations import mysql_rows
from pipelines.engine.destinations.mysql import MySqlDestination
from pipelines.engine.readers import mysql
from pipelines.tests.destination_suite import FILL, ORDERS, Ask, Suite
from pipelines.tests.engine_support import (
    Bench,
    dies_after,
    dies_in,
    duck,
    file_endpoint,
    results,
)
from pipelines.tests.mysql_support import my, mysql_endpoint

VALUES = """
CREATE TABLE orders AS SELECT 18446744073709551615::UBIGINT AS huge, true AS flag, 0.1::FLOAT AS single,
  5e-324::DOUBLE AS small, 12345678901234567.890::DECIMAL(20,3) AS wide, '' AS empty, 'NULL' AS word,
  'a"b''c\\d,' || chr(10) || chr(13) || chr(9) AS text, ' x ' AS blanks, '😀' AS face, repeat('long ☃ ', 20000) AS long,
  '\\x00\\xFF'::BLOB AS bytes, ''::BLOB AS no_bytes, DATE '0001-01-01' AS day,
  TIMESTAMP '2024-02-29 12:00:00.000001' AS moment, TIMESTAMPTZ '2024-07-01 00:30:00+02' AS instant,
  TIME '23:59:59.999999' AS clock, '{"a": 1.10}'::JSON AS document, [1, NULL] AS list, NULL::INTEGER AS nothing,
  170141183460469231731687303715884105727::HUGEINT AS giant, NULL::VARCHAR AS no_text, '\\N' AS slash
"""


class TestMySql(Suite):
    owner = MySqlDestination

    @pytest.fixture
    def destination(self, mariadb_url: str, session_directory: Path) -> Iterator[dict[str, Any]]:
        # The dataset of ``Bench`` is made anew for each test; on one server the processes of a suite take turns at it.
        with (session_directory / "mariadb-raw.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            my(mariadb_url, "DROP DATABASE IF EXISTS raw")
            yield mysql_endpoint(mariadb_url)
            my(mariadb_url, "DROP DATABASE IF EXISTS raw")

    @pytest.fixture
    def ask(self, mariadb_url: str) -> Ask:
        return lambda query: my(mariadb_url, query)

    def place(self, table: str) -> str:
        return f"raw.{table}"

    def left(self, ask: Ask) -> set[str]:
        found = ask("SELECT table_name FROM information_schema.tables WHERE table_schema = 'raw'")
        return {name for (name,) in found} - {
            "_dlt_commits",
            "_dlt_rejects",
            "_dlt_version",
            "_dlt_loads",
            "_dlt_pipeline_state",
        }

    def points(self, disposition: str) -> dict[str, Callable[[], None]]:
        if disposition != "replace":
            return super().points(disposition)
        # What is renamed into place has its ledger row before.
        return {
            point: dies_after(MySqlDestination, "put_in_place") if "applied" in point else prepare
            for point, prepare in super().points(disposition).items()
            if point != "ledger written"
        }

    @pytest.mark.parametrize("local_infile", [1, 0])
    def test_values_are_what_they_were(self, bench: Bench, ask: Ask, local_infile: int) -> None:
        self.source(bench, VALUES)
        ask(f"SET GLOBAL local_infile = {local_infile}")
        try:
            result = results(bench.load({"name": "orders"}))["orders"]
        finally:
            ask("SET GLOBAL local_infile = 1")
        found = ask("SELECT * FROM raw.orders")[0]
        assert found[:-1] == (
            18446744073709551615,
            1,
            0.1,
            5e-324,
            Decimal("12345678901234567.890"),
            "",
            "NULL",
            "a\"b'c\\d,\n\r\t",
            " x ",
            "😀",
            "long ☃ " * 20000,
            b"\x00\xff",
            b"",
            date(1, 1, 1),
            datetime.fromisoformat("2024-02-29 12:00:00.000001"),
            datetime.fromisoformat("2024-06-30 22:30:00"),
            timedelta(hours=23, minutes=59, seconds=59, microseconds=999999),
            '{"a": 1.10}',
            "[1,null]",
            None,
            Decimal(2**127 - 1),
            None,
            "\\N",
        )
        converted = {one["column"]: one["count"] for one in result["conversions"]}
        assert converted == {"instant": 1, "document": 1, "list": 1, "giant": 1}
        assert self.left(ask) == {"orders"}

    def test_what_no_column_holds_is_refused(self, bench: Bench, ask: Ask) -> None:
        self.source(
            bench,
            "CREATE TABLE orders (id INTEGER, day DATE, n DOUBLE, moment TIMESTAMP)",
            "INSERT INTO orders VALUES (1, '2024-01-01', 1, NULL), (2, 'infinity', 1, NULL),"
            " (3, '4713-01-01 (BC)', 1, NULL), (4, NULL, 'nan', NULL), (5, NULL, 'inf', NULL),"
            " (6, NULL, NULL, '290000-01-01')",
        )
        result = results(bench.load({"name": "orders"}))["orders"]
        refused = {one["column"]: one["count"] for one in result["rejects"]}
        assert refused == {"day": 2, "n": 2, "moment": 1}
        assert ask("SELECT id FROM raw.orders") == [(1,)]
        bench.load({"name": "orders"})
        # What the replace before had refused was read again with all other rows.
        assert ask("SELECT count(*) FROM raw._dlt_rejects") == [(5,)]

    def test_a_value_the_server_changes_stops_the_load(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 3))
        wanted = {"name": "orders", "write_disposition": "append"}
        bench.load(wanted)
        ask("ALTER TABLE raw.orders MODIFY name varchar(3)")
        self.source(bench, "DELETE FROM orders", "INSERT INTO orders VALUES (7, 'too long', 7)")
        result = results(bench.load(wanted))["orders"]
        # A varchar of somebody else's takes not every text, so it becomes wider.
        assert [one["treatment"] for one in result["schema_changes"]] == ["widened"]
        assert ask("SELECT name FROM raw.orders ORDER BY 1") == [("too long",), ("v1",), ("v2",)]

    def test_what_hangs_on_a_table_stays(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 11))
        bench.load({"name": "orders"})
        ask("ALTER TABLE raw.orders ADD INDEX mine (moved)")
        self.source(bench, FILL.format(11, 16))
        result = results(bench.load({"name": "orders"}))["orders"]
        assert result["rows_loaded"] == 15
        assert self.same(bench, ask)
        indexes = ask(
            "SELECT index_name FROM information_schema.statistics WHERE table_schema = 'raw'"
        )
        assert ("mine",) in indexes
        assert self.left(ask) == {"orders"}

    @pytest.mark.parametrize("point", ["put_in_place", "forget_old"])
    def test_killed_between_the_rename_and_the_ledger(
        self, bench: Bench, ask: Ask, point: str
    ) -> None:
        self.source(bench, ORDERS, FILL.format(1, 101))
        wanted = {
            "name": "orders",
            "write_disposition": "append",
            "cursor": {"column": "moved"},
        }
        bench.killed(dies_after(MySqlDestination, point), wanted, load_id="1.1")
        assert self.same(bench, ask)
        self.source(bench, FILL.format(101, 111))
        # Another run, not the next attempt: the cursor of the one that died is known all the same.
        result = results(bench.load(wanted, load_id="1.2"))["orders"]
        assert (result["rows_loaded"], result["cursor"]["before"]) == (10, "100")
        assert self.same(bench, ask)
        assert self.left(ask) == {"orders"}
        assert ask("SELECT count(*) FROM raw._dlt_commits") == [(2,)]

    def test_killed_before_the_rename(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 101))
        wanted = {"name": "orders", "write_disposition": "append"}
        bench.killed(dies_after(mysql_rows.Rows, "load"), wanted, load_id="1.1")
        bench.killed(dies_in(MySqlDestination, "put_in_place"), wanted, load_id="1.1")
        assert self.left(ask) != set()
        bench.load(wanted, load_id="1.1")
        assert self.same(bench, ask)
        assert self.left(ask) == {"orders"}

    def test_a_reader_sees_all_or_nothing(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 20001))
        bench.load({"name": "orders"})
        seen, finished = set(), threading.Event()

        def look() -> None:
            while not finished.is_set():
                seen.add(ask("SELECT count(*) FROM raw.orders")[0])

        reader = threading.Thread(target=look)
        reader.start()
        for _ in range(3):
            bench.load({"name": "orders"})
        finished.set()
        reader.join()
        assert seen == {(20000,)}

    def test_without_the_right_to_create_databases(
        self, bench: Bench, ask: Ask, mariadb_url: str
    ) -> None:
        database, user = mariadb_url.rpartition("/")[2], f"u{uuid.uuid4().hex[:8]}"
        ask(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'pw'")
        ask(f"GRANT ALL ON {database}.* TO {user}@'127.0.0.1'")
        try:
            endpoint = mysql_endpoint(mariadb_url, user=user)
            bench.spec["destination"] = {**endpoint, "secrets": {"password": "pw"}}
            self.source(bench, ORDERS, FILL.format(1, 3))
            with pytest.raises(UserError, match="may not create it"):
                bench.load({"name": "orders"})
            bench.load({"name": "orders"}, dataset=database)
            assert ask("SELECT count(*) FROM orders") == [(2,)]
        finally:
            ask(f"DROP USER {user}@'127.0.0.1'")


class TestSource:
    @pytest.fixture
    def bench(self, tmp_path: Path, mariadb_url: str) -> Bench:
        return Bench(tmp_path, mysql_endpoint(mariadb_url), file_endpoint("duckdb", "w.duckdb"))

    def rows(self, bench: Bench, query: str) -> list[tuple[Any, ...]]:
        return duck(bench.files / "w.duckdb", query)

    def test_durations_become_text(self, bench: Bench, mariadb_url: str) -> None:
        my(
            mariadb_url,
            "CREATE TABLE shifts (id int, starts time, lasts time(3), day date)",
            "INSERT INTO shifts VALUES (1, '08:30:00', '36:00:00.5', '2024-01-01'), (2, NULL, '-01:00:00', NULL)",
        )
        result = results(bench.load({"name": "shifts"}))["shifts"]
        assert self.rows(bench, "SELECT starts::VARCHAR, lasts FROM raw.shifts ORDER BY id") == [
            ("08:30:00", "36:00:00.500"),
            (None, "-01:00:00.000"),
        ]
        assert [(one["column"], one["count"]) for one in result["conversions"]] == [("lasts", 2)]

    def test_dates_that_are_none_are_put_aside(self, bench: Bench, mariadb_url: str) -> None:
        my(
            mariadb_url,
            "CREATE TABLE days (id int, day date, moment datetime, stamp timestamp NULL)",
            "INSERT INTO days VALUES (1, '2024-02-29', '2024-01-01', '2024-01-01'), (2, '0000-00-00', NULL, NULL),"
            " (3, NULL, '2024-00-10', NULL), (4, NULL, NULL, 0)",
        )
        result = results(bench.load({"name": "days"}))["days"]
        assert (result["rows_loaded"], result["rows_rejected"]) == (1, 3)
        found = self.rows(bench, "SELECT column_name, raw_value FROM raw._dlt_rejects ORDER BY 1")
        assert found == [
            ("day", "0000-00-00"),
            ("moment", "2024-00-10 00:00:00"),
            ("stamp", "0000-00-00 00:00:00"),
        ]

    def test_a_query_and_its_types(self, bench: Bench, mariadb_url: str) -> None:
        my(
            mariadb_url,
            "CREATE TABLE sales (id int PRIMARY KEY, price decimal(10,2), at timestamp(3), flags set('a','b'))",
            "INSERT INTO sales VALUES (1, 1.10, '2024-01-01 12:00:00.5', 'a,b'), (2, 2.20, NULL, NULL)",
        )
        query = (
            "SELECT count(*) AS n, sum(price) AS total, max(at) AS last, max(flags) AS flags,"
            " NULL AS nothing, x'00ff' AS bytes, 1 > 0 AS yes FROM sales"
        )
        result = results(bench.load({"name": "q", "target": "q", "query": query}))["q"]
        kinds = {one["name"]: one["type"] for one in result["columns"]}
        assert (kinds["total"], kinds["last"], kinds["bytes"]) == (
            "DECIMAL(32,2)",
            "TIMESTAMPTZ",
            "BLOB",
        )
        found = self.rows(bench, "SELECT n, total, last::VARCHAR, flags, nothing, bytes FROM raw.q")
        assert found == [(2, Decimal("3.30"), "2024-01-01 12:00:00.5+00", "a,b", None, b"\x00\xff")]

    def test_merge_by_cursor_filters_and_columns(self, bench: Bench, mariadb_url: str) -> None:
        my(
            mariadb_url,
            "CREATE TABLE users (id bigint unsigned PRIMARY KEY, mail varchar(50), secret text, moved datetime(6))",
            "INSERT INTO users SELECT seq, concat('u', seq), 'x', '2024-01-01' + INTERVAL seq MICROSECOND"
            " FROM seq_1_to_1000",
        )
        wanted = {
            "name": "users",
            "write_disposition": "merge",
            "cursor": {"column": "moved"},
            "columns": ["id", "mail", "moved"],
            "filters": [{"column": "id", "op": "lte", "value": 900}],
            "column_settings": {"mail": {"transform": "mask"}},
        }
        first = results(bench.load(wanted))["users"]
        assert (first["rows_read"], first["rows_filtered"], first["rows_loaded"]) == (
            1000,
            100,
            900,
        )
        assert first["cursor"]["after"] == "2024-01-01 00:00:00.001000"
        my(
            mariadb_url,
            "UPDATE users SET mail = 'changed@example.com', moved = '2024-01-02' WHERE id = 5",
        )
        second = results(bench.load(wanted))["users"]
        assert second["rows_loaded"] == 1
        found = self.rows(bench, "SELECT mail FROM raw.users WHERE id = 5")
        assert found == [("***************.com",)]

    def test_a_cancel_ends_what_the_server_does(
        self, bench: Bench, mariadb_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hooks: list[Callable[[], None]] = []

        def kept(hook: Callable[[], None]) -> Callable[[], None]:
            hooks.append(hook)
            return hook

        monkeypatch.setattr(mysql, "on_cancel", kept)
        running = (
            "SELECT count(*) FROM information_schema.processlist"
            " WHERE info LIKE '%SLEEP%' AND info NOT LIKE '%processlist%'"
        )

        def cancel() -> None:
            while my(mariadb_url, running) == [(0,)]:
                time.sleep(0.05)
            hooks[0]()

        thread = threading.Thread(target=cancel)
        thread.start()
        # Killed, SLEEP answers 1; what counts is that nobody waits for a minute.
        query = "SELECT id, SLEEP(id) AS s FROM (SELECT 60 AS id) one"
        began = time.monotonic()
        with suppress(DatanikaError):
            bench.load({"name": "q", "query": query})
        thread.join()
        assert time.monotonic() - began < 30
        assert my(mariadb_url, running) == [(0,)]

    def test_a_whole_database(self, bench: Bench, mariadb_url: str) -> None:
        my(
            mariadb_url,
            "CREATE TABLE a (id int PRIMARY KEY, j json, t text COLLATE utf8mb4_bin)",
            "INSERT INTO a VALUES (1, '{\"k\": 1.10}', 'x')",
            "CREATE TABLE b (id int)",
            "CREATE VIEW v AS SELECT * FROM a",
            "CREATE SEQUENCE s",
        )
        schema = mariadb_url.rpartition("/")[2]
        events = bench.load(mode="full_database", source_schema=schema)
        assert set(results(events)) == {"a", "b"}
        assert self.rows(bench, "SELECT j, t, typeof(j) FROM raw.a") == [
            ('{"k": 1.10}', "x", "JSON")
        ]
        assert any("v is a view" in event.get("text", "") for event in events)
