"""Merge strategies, cursors and full refreshes: exact in every destination of the table below."""

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
)

CREATE = "CREATE TABLE t (id int, v text, moved timestamp, j json)"
ROWS = """INSERT INTO t VALUES (1, 'a', '2026-01-01 10:00', '{"k": 1}'), (2, 'b', '2026-01-02 10:00', null),
  (3, null, '2026-01-03 10:00', '[]')"""


class Shop(Bench):
    """A table in PostgreSQL and its copy in one of the destinations."""

    def __init__(self, directory: Path, url: str, to: str) -> None:
        target = file_endpoint("duckdb", "w.duckdb") if to == "duckdb" else postgres_endpoint(url)
        super().__init__(directory, postgres_endpoint(url), target)
        self.url, self.to = url, to
        self.spec |= {"mode": "single_table", "source_schema": "public"}
        pg(url, CREATE, ROWS)

    def run(self, load_id: str = "", **settings: Any) -> dict[str, Any]:
        options = {key: settings.pop(key) for key in ("options", "cursors") if key in settings}
        if load_id:
            options["load_id"] = load_id
        return results(self.load({"name": "t", "target": "t", **settings}, **options))["t"]

    def there(self, query: str) -> list[tuple[Any, ...]]:
        if self.to == "duckdb":
            return duck(self.files / "w.duckdb", query)
        return pg(self.url, query)

    def source(self, *statements: str) -> list[tuple[Any, ...]]:
        return pg(self.url, *statements)


@pytest.fixture(params=["postgres", "duckdb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Shop:
    return Shop(tmp_path, postgres_url, request.param)


MERGE: dict[str, Any] = {"write_disposition": "merge", "primary_key": ["id"]}
BY_TIME: dict[str, Any] = {"cursor": {"column": "moved"}}


@pytest.mark.parametrize("strategy", ["upsert", "delete_insert"])
def test_the_last_version_of_each_key_wins(shop: Shop, strategy: str) -> None:
    settings: dict[str, Any] = MERGE | BY_TIME | {"merge_strategy": strategy}
    shop.source(
        "INSERT INTO t VALUES (1, 'older', '2025-12-31', null), (1, 'newest', '2026-02-01', null)"
    )
    first = shop.run(**settings)
    assert (first["rows_read"], first["rows_loaded"], first["rows_deduplicated"]) == (5, 3, 2)
    shop.source(
        "INSERT INTO t VALUES (2, 'x', '2026-02-02', null), (2, 'y', '2026-02-03', null), (4, 'n', '2026-02-02', null)"
    )
    second = shop.run(**settings)
    # The row at the cursor comes again; of the two versions of 2 the later one stays.
    assert (second["rows_read"], second["rows_loaded"], second["rows_deduplicated"]) == (4, 3, 1)
    assert shop.there("SELECT id, v FROM raw.t ORDER BY id") == [
        (1, "newest"),
        (2, "y"),
        (3, None),
        (4, "n"),
    ]


def test_row_order_turns_the_choice_around(shop: Shop) -> None:
    shop.source("INSERT INTO t VALUES (1, 'older', '2025-12-31', null)")
    cursor: dict[str, Any] = {"cursor": {"column": "moved", "row_order": "desc"}}
    shop.run(**MERGE, **cursor)
    assert shop.there("SELECT v FROM raw.t WHERE id = 1") == [("older",)]


def test_history_keeps_every_version(shop: Shop) -> None:
    settings: dict[str, Any] = MERGE | {"merge_strategy": "scd2"}
    first = shop.run(**settings)
    assert (first["rows_read"], first["rows_loaded"]) == (3, 3)
    unchanged = shop.run(**settings)
    assert (unchanged["rows_loaded"], unchanged["rows_deduplicated"]) == (0, 3)
    shop.source(
        "UPDATE t SET v = null WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO t VALUES (5, 'n', null, null)",
    )
    changed = shop.run(**settings)
    assert (changed["rows_loaded"], changed["rows_deduplicated"]) == (2, 1)
    versions = """SELECT id, v, _dlt_valid_to IS NULL FROM raw.t ORDER BY id, _dlt_valid_from, 3"""
    assert shop.there(versions) == [
        (1, "a", False),
        (1, None, True),
        (2, "b", False),
        (3, None, True),
        (5, "n", True),
    ]
    # What a key had once may come back.
    shop.source("INSERT INTO t VALUES (2, 'b', '2026-01-02 10:00', null)")
    assert shop.run(**settings)["rows_loaded"] == 1
    touching = """SELECT count(*) FROM raw.t a JOIN raw.t b ON a.id = b.id AND a._dlt_valid_to > b._dlt_valid_from
        AND a._dlt_valid_from < b._dlt_valid_from"""
    assert shop.there(touching) == [(0,)]


def test_a_look_back_brings_late_rows_and_doubles_none(shop: Shop) -> None:
    settings: dict[str, Any] = {
        "write_disposition": "append",
        "cursor": {"column": "moved", "lookback": "2 days"},
    }
    shop.run(**settings)
    # Late: committed after the load, dated before its end.
    shop.source("INSERT INTO t VALUES (9, 'late', '2026-01-02 12:00', null)")
    result = shop.run(**settings)
    assert result["cursor"]["after"].startswith("2026-01-03 10:00")
    assert shop.there("SELECT id FROM raw.t ORDER BY id") == [(1,), (2,), (3,), (9,)]


def test_a_range_is_loaded_again_and_the_cursor_stays(shop: Shop) -> None:
    settings: dict[str, Any] = {"write_disposition": "append", **BY_TIME}
    before = shop.run(**settings)["cursor"]["after"]
    shop.source(
        "UPDATE t SET v = v || '!'",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO t VALUES (8, 'n', '2026-01-02 11:00', null)",
    )
    bounds = {"from": "2026-01-02", "to": "2026-01-03"}
    result = shop.run(**settings, options={"cursor_range": bounds})
    assert result["rows_loaded"] == 1
    assert result["cursor"]["after"] == before
    assert shop.there("SELECT id, v FROM raw.t ORDER BY id") == [(1, "a"), (3, None), (8, "n")]
    assert shop.run(**settings)["rows_loaded"] == 0


def test_a_person_moves_the_cursor_once(shop: Shop) -> None:
    settings: dict[str, Any] = {"write_disposition": "append", **BY_TIME}
    shop.run(**settings)
    moved = {"t": {"column": "moved", "value": "2026-01-01 12:00:00", "edit": 1}}
    result = shop.run(**settings, cursors=moved)
    assert result["cursor"] == {
        "column": "moved",
        "before": "2026-01-01 12:00:00",
        "after": "2026-01-03 10:00:00",
        "edit": 1,
    }
    assert result["rows_loaded"] == 2
    # The same edit is not heard twice; a reset (None) reads everything.
    assert shop.run(**settings, cursors=moved)["rows_loaded"] == 0
    reset = {"t": {"column": "moved", "value": None, "edit": 2}}
    assert shop.run(**settings, cursors=reset)["rows_loaded"] == 3


def test_full_refresh_of_a_merged_table_writes_it_anew(shop: Shop) -> None:
    shop.run(**MERGE, **BY_TIME)
    shop.source("DELETE FROM t WHERE id = 1")
    result = shop.run(**MERGE, **BY_TIME, options={"full_refresh": True})
    assert result["rows_loaded"] == 2
    assert shop.there("SELECT id FROM raw.t ORDER BY id") == [(2,), (3,)]
    shop.source("INSERT INTO t VALUES (7, 'n', '2026-03-01', null)")
    assert shop.run(**MERGE, **BY_TIME)["rows_loaded"] == 2


def test_an_appended_table_becomes_a_merged_one(shop: Shop) -> None:
    shop.run(write_disposition="append")
    shop.run(write_disposition="append")
    shop.source("UPDATE t SET v = 'new' WHERE id = 1")
    shop.run(**MERGE)
    assert shop.there("SELECT id, v FROM raw.t ORDER BY id") == [(1, "new"), (2, "b"), (3, None)]


def test_a_merge_finds_its_rows_by_an_index(tmp_path: Path, postgres_url: str) -> None:
    shop = Shop(tmp_path, postgres_url, "postgres")
    shop.run(**MERGE)
    names = "SELECT indexname FROM pg_indexes WHERE schemaname = 'raw' AND tablename = 't'"
    assert len(pg(postgres_url, names)) == 1
    shop.run(**MERGE, options={"full_refresh": True})
    assert len(pg(postgres_url, names)) == 1
    shop.run(write_disposition="replace")
    assert pg(postgres_url, names) == []


def test_dlt_itself_reads_what_is_kept(tmp_path: Path, postgres_url: str) -> None:
    import dlt

    shop = Shop(tmp_path, postgres_url, "postgres")
    shop.run(**MERGE, **BY_TIME, load_id="1764000000.1")
    pipeline: Any = dlt.pipeline(
        "pipeline_7",
        pipelines_dir=str(tmp_path / "dlt"),
        destination=dlt.destinations.postgres(postgres_url),
        dataset_name="raw",
    )
    pipeline.sync_destination()
    table = pipeline.default_schema.tables["t"]
    assert table["write_disposition"] == "merge"
    assert table["columns"]["moved"]["data_type"] == "timestamp"
    state = pipeline.state["sources"]["pipeline_7"]["resources"]["t"]["cursor"]
    assert state == {"column": "moved", "value": "2026-01-03 10:00:00"}
    assert pg(postgres_url, "SELECT load_id, status FROM raw._dlt_loads") == [("1764000000.1", 0)]
