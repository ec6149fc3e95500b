"""What every SQL destination has to do, told apart by its own fixtures only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest

from common.errors import UserError
from pipelines.engine.accounting import Outcome
from pipelines.engine.destinations.sql import SqlDestination
from pipelines.engine.dlt_record import Record
from pipelines.tests.engine_support import (
    PROCESS,
    Bench,
    dies_after,
    dies_in,
    file_endpoint,
    results,
)

Ask = Callable[[str], list[tuple[Any, ...]]]
ORDERS = "CREATE TABLE orders (id INTEGER PRIMARY KEY, name VARCHAR, moved INTEGER)"
FILL = "INSERT INTO orders SELECT n, 'v' || n, n FROM range({}, {}) t(n)"


class Suite:
    """Tests of one destination. ``bench`` loads from ``shop.duckdb``, ``ask`` reads the destination, where a table
    ``orders`` of the dataset is called ``place("orders")``.
    """

    owner: ClassVar[type[SqlDestination]]

    @pytest.fixture
    def destination(self) -> dict[str, Any]:
        raise NotImplementedError

    @pytest.fixture
    def ask(self) -> Ask:
        raise NotImplementedError

    def place(self, table: str) -> str:
        raise NotImplementedError

    @pytest.fixture
    def bench(self, tmp_path: Path, destination: dict[str, Any]) -> Bench:
        return Bench(tmp_path, file_endpoint("duckdb", "shop.duckdb"), destination)

    def source(self, bench: Bench, *statements: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(bench.files / "shop.duckdb")) as connection:
            found: list[tuple[Any, ...]] = []
            for statement in statements:
                found = connection.execute(statement).fetchall()
            return found

    def rows(self, ask: Ask, columns: str = "id, name, moved") -> list[tuple[Any, ...]]:
        return ask(f"SELECT {columns} FROM {self.place('orders')} ORDER BY 1, 2")

    def same(self, bench: Bench, ask: Ask) -> bool:
        query = "SELECT id, name, moved FROM orders ORDER BY 1"
        return self.rows(ask) == self.source(bench, query)

    def test_replace_and_what_changed_at_the_source(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 101))
        first = results(bench.load({"name": "orders"}))["orders"]
        assert (first["rows_read"], first["rows_loaded"]) == (100, 100)
        self.source(
            bench,
            "DELETE FROM orders WHERE id > 10",
            "ALTER TABLE orders ADD COLUMN extra DATE",
            "UPDATE orders SET extra = '2024-02-29', name = NULL",
            "ALTER TABLE orders DROP COLUMN moved",
        )
        bench.load({"name": "orders"})
        found = self.rows(ask, "id, name, extra")
        assert len(found) == 10
        assert str(found[0][2]) == "2024-02-29"
        with pytest.raises(Exception, match=r"(?i)column"):
            self.rows(ask)

    def test_append_by_cursor(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 11))
        wanted = {
            "name": "orders",
            "write_disposition": "append",
            "cursor": {"column": "moved", "lookback": ""},
        }
        bench.load(wanted)
        self.source(bench, FILL.format(11, 16), "UPDATE orders SET name = 'late' WHERE id = 9")
        result = results(bench.load(wanted))["orders"]
        assert (result["rows_loaded"], result["cursor"]["after"]) == (5, "15")
        assert results(bench.load(wanted))["orders"]["rows_loaded"] == 0
        wanted["cursor"] = {"column": "moved", "lookback": "6"}
        assert results(bench.load(wanted))["orders"]["rows_loaded"] == 7
        assert self.same(bench, ask)

    @pytest.mark.parametrize("strategy", ["upsert", "delete_insert"])
    @pytest.mark.parametrize("key", ["id", "name"])
    def test_merge(self, bench: Bench, ask: Ask, strategy: str, key: str) -> None:
        self.source(bench, ORDERS, FILL.format(1, 101))
        wanted = {
            "name": "orders",
            "write_disposition": "merge",
            "merge_strategy": strategy,
            "primary_key": [key],
            "cursor": {"column": "moved"},
        }
        bench.load(wanted)
        self.source(
            bench,
            "UPDATE orders SET moved = 1000 WHERE id <= 3",
            "INSERT INTO orders VALUES (500, 'V7', 1001), (501, 'v7 ', 1002)",
        )
        result = results(bench.load(wanted))["orders"]
        assert (result["rows_loaded"], result["rows_deduplicated"]) == (6, 0)
        assert self.same(bench, ask)

    def test_merge_keeps_the_last_version_of_a_key(self, bench: Bench, ask: Ask) -> None:
        self.source(
            bench,
            "CREATE TABLE orders (id INTEGER, name VARCHAR, moved INTEGER)",
            "INSERT INTO orders VALUES (1, 'old', 1), (1, 'new', 3), (1, 'mid', 2), (2, 'only', 1)",
        )
        wanted = {
            "name": "orders",
            "write_disposition": "merge",
            "primary_key": ["id"],
            "cursor": {"column": "moved"},
        }
        result = results(bench.load(wanted))["orders"]
        assert (result["rows_loaded"], result["rows_deduplicated"]) == (2, 2)
        assert self.rows(ask) == [(1, "new", 3), (2, "only", 1)]
        self.source(bench, "INSERT INTO orders VALUES (1, 'a', 4), (1, 'b', 5), (3, NULL, 6)")
        result = results(bench.load(wanted))["orders"]
        assert (result["rows_loaded"], result["rows_deduplicated"]) == (2, 2)
        assert self.rows(ask) == [(1, "b", 5), (2, "only", 1), (3, None, 6)]

    def test_history(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 4))
        wanted = {"name": "orders", "write_disposition": "merge", "merge_strategy": "scd2"}
        bench.load(wanted)
        self.source(
            bench,
            "UPDATE orders SET name = NULL WHERE id = 1",
            "DELETE FROM orders WHERE id = 2",
            "INSERT INTO orders VALUES (9, 'nine', 9)",
        )
        result = results(bench.load(wanted))["orders"]
        assert result["rows_loaded"] == 2
        found = ask(
            f"SELECT id, name, CASE WHEN _dlt_valid_to IS NULL THEN 1 ELSE 0 END FROM {self.place('orders')}"
            " ORDER BY id, 3"
        )
        assert found == [(1, "v1", 0), (1, None, 1), (2, "v2", 0), (3, "v3", 1), (9, "nine", 1)]
        closed = ask(
            f"SELECT count(*) FROM {self.place('orders')} a JOIN {self.place('orders')} b"
            " ON a._dlt_valid_to = b._dlt_valid_from AND a.id = b.id"
        )
        assert closed == [(1,)]

    def test_a_type_becomes_wider(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 3))
        wanted = {"name": "orders", "write_disposition": "merge", "cursor": {"column": "id"}}
        bench.load(wanted)
        self.source(
            bench,
            "CREATE TABLE other AS SELECT id, name, moved::VARCHAR AS moved FROM orders",
            "DROP TABLE orders",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, name VARCHAR, moved VARCHAR)",
            "INSERT INTO orders FROM other",
            "INSERT INTO orders VALUES (3, 'three', '007')",
        )
        result = results(bench.load(wanted))["orders"]
        changes = {one["column"]: one["treatment"] for one in result["schema_changes"]}
        assert changes == {"moved": "widened"}
        assert self.rows(ask) == [(1, "v1", "1"), (2, "v2", "2"), (3, "three", "007")]
        bench.load(wanted)
        assert len(self.rows(ask)) == 3

    def test_a_range_is_loaded_again(self, bench: Bench, ask: Ask) -> None:
        self.source(
            bench,
            "CREATE TABLE orders AS SELECT n AS id, 'v' || n AS name,"
            " TIMESTAMP '2024-01-01' + to_hours(n) AS moved FROM range(1, 11) t(n)",
        )
        wanted = {
            "name": "orders",
            "write_disposition": "append",
            "cursor": {"column": "moved"},
        }
        bench.load(wanted)
        self.source(
            bench,
            "UPDATE orders SET name = 'again' WHERE id <= 5",
            "DELETE FROM orders WHERE id = 4",
        )
        bounds = {"from": "2024-01-01 03:00:00", "to": "2024-01-01 06:00:00"}
        result = results(bench.load(wanted, options={"cursor_range": bounds}))["orders"]
        assert result["rows_loaded"] == 2
        expected = [(n, "again" if n in (3, 5) else f"v{n}") for n in range(1, 11) if n != 4]
        assert self.rows(ask, "id, name") == expected

    def test_refused_rows_are_kept_and_tried_again(self, bench: Bench, ask: Ask) -> None:
        self.source(
            bench,
            "CREATE TABLE orders (id INTEGER, name VARCHAR, moved DOUBLE)",
            "INSERT INTO orders VALUES (1, 'a', 1.5), (2, 'it''s \"q\" \\ \n', 'nan'), (3, 'c', NULL)",
        )
        wanted = {"name": "orders", "write_disposition": "append"}
        result = results(bench.load(wanted))["orders"]
        assert (result["rows_loaded"], result["rows_rejected"]) == (2, 1)
        assert result["rejects"][0]["column"] == "moved"
        found = ask(f"SELECT column_name, raw_value, row_json FROM {self.place('_dlt_rejects')}")
        assert found[0][:2] == ("moved", "nan")
        again = {"name": "orders", "write_disposition": "append", "columns": ["id", "name"]}
        result = results(bench.load(again, options={"replay_rejects": True}))["orders"]
        assert (result["rows_loaded"], result["rows_rejected"]) == (1, 0)
        assert self.rows(ask, "id, name") == [(1, "a"), (2, 'it\'s "q" \\ \n'), (3, "c")]
        assert ask(f"SELECT count(*) FROM {self.place('_dlt_rejects')}") == [(0,)]

    def points(self, disposition: str) -> dict[str, Callable[[], None]]:
        """Where a load is killed."""
        return {
            "rows staged": dies_after(self.owner, "fill"),
            "rows applied": dies_in(self.owner, "record"),
            "ledger written": dies_after(self.owner, "record"),
            "committed": dies_after(self.owner, "load"),
            "before the result": dies_in(Outcome, "check"),
            "before dlt's state is kept": dies_in(Record, "keep"),
        }

    @pytest.mark.parametrize("disposition", ["append", "replace", "merge"])
    def test_killed_anywhere_and_tried_again(
        self, bench: Bench, ask: Ask, disposition: str
    ) -> None:
        self.source(bench, ORDERS, FILL.format(1, 1001))
        wanted = {
            "name": "orders",
            "write_disposition": disposition,
            "cursor": None if disposition == "replace" else {"column": "moved"},
        }
        high = 1000
        for number, (point, prepare) in enumerate(self.points(disposition).items()):
            bench.killed(prepare, wanted, load_id=f"{PROCESS}.{number}")
            events = bench.load(wanted, attempt=2, load_id=f"{PROCESS}.{number}")
            assert self.same(bench, ask), point
            assert results(events)["orders"]["status"] == "succeeded"
            self.source(
                bench,
                FILL.format(high + 1, high + 101),
                *[f"UPDATE orders SET name = name || '!', moved = {high + 101} WHERE id <= 50"]
                * (disposition == "merge"),
            )
            high += 101
        bench.load(wanted)
        assert self.same(bench, ask)

    def test_a_bad_table_says_so_and_the_others_stay(self, bench: Bench, ask: Ask) -> None:
        self.source(bench, ORDERS, FILL.format(1, 3))
        with pytest.raises(UserError, match="1 of 2 tables failed"):
            bench.load({"name": "gone"}, {"name": "orders"})
        assert self.same(bench, ask)
