"""Files that a replace swaps away while they are listed and read: the reader looks again, and mixes no two states."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from common.errors import TransientError
from connections import policy
from connections.connectors.base import Target
from connections.connectors.registry import get_connector
from pipelines.engine.destinations.directories import exchanged
from pipelines.engine.main import load
from pipelines.engine.readers.files import RELISTED, FilesReader
from pipelines.tests.engine_support import Bench, duck, file_endpoint, results, summary

PATTERN = "lake/orders/*/part-*.parquet"
RESOURCE = {"name": PATTERN, "target": "orders", "write_disposition": "replace"}
#: Of each state: parts in directories of their own, all rows with one value.
PARTS, ROWS = 4, 500


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(
        tmp_path, file_endpoint("parquet", PATTERN), file_endpoint("duckdb", "warehouse.duckdb")
    )
    (found.files / "lake").mkdir()
    _write(found.files / "lake" / "orders", 0)
    return found


def _write(place: Path, state: int) -> None:
    with duckdb.connect() as connection:
        for part in range(PARTS):
            directory = place / f"{state}.{part}"
            directory.mkdir(parents=True)
            connection.execute(
                f"COPY (SELECT {state} AS state, r AS id FROM range({ROWS}) t(r))"
                f" TO '{directory}/part-0.parquet'"
            )


def _swap(bench: Bench, state: int) -> None:
    """As the Parquet destination does it at a replace."""
    lake = bench.files / "lake"
    _write(lake / ".new", state)
    exchanged(lake / ".new", lake / "orders", lake / ".old")


@contextmanager
def swapping(bench: Bench) -> Iterator[None]:
    """Another state every few milliseconds."""
    ended = threading.Event()

    def swap() -> None:
        state = 0
        while not ended.wait(0.03):
            state += 1
            _swap(bench, state)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _whole(rows: list[tuple[Any, ...]]) -> bool:
    """Every row of one state, and of no other."""
    return len(rows) == 1 and rows[0][1] == PARTS * ROWS


def loaded(bench: Bench) -> list[tuple[Any, ...]]:
    query = "SELECT state, count(*) FROM raw.orders GROUP BY 1"
    return duck(bench.files / "warehouse.duckdb", query)


def test_loads_beside_a_directory_that_is_swapped_all_the_time(bench: Bench) -> None:
    with swapping(bench):
        for number in range(6):
            events = bench.load(RESOURCE, load_id=f"1.{number}")
            assert summary(events)["rows_loaded"] == PARTS * ROWS
            assert _whole(loaded(bench))


def test_a_swap_between_listing_and_reading(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    original, states = FilesReader.rows, iter([7])

    def rows(self: FilesReader, *given: Any, **options: Any) -> str:
        relation = original(self, *given, **options)
        if state := next(states, None):
            _swap(bench, state)
        return relation

    monkeypatch.setattr(FilesReader, "rows", rows)
    assert summary(bench.load(RESOURCE, load_id="1.1"))["rows_loaded"] == PARTS * ROWS
    assert loaded(bench) == [(7, PARTS * ROWS)]


def test_swaps_without_end_are_for_another_attempt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FilesReader.rows
    state = 0

    def rows(self: FilesReader, *given: Any, **options: Any) -> str:
        nonlocal state
        state += 1
        relation = original(self, *given, **options)
        _swap(bench, state)
        return relation

    monkeypatch.setattr(FilesReader, "rows", rows)
    events: list[dict[str, Any]] = []
    with pytest.raises(TransientError, match="replaced again and again"):
        load({**bench.spec, "resources": [RESOURCE], "load_id": "1.1"}, events.append)
    assert state == RELISTED + 1
    assert results(events)[PATTERN]["status"] == "failed"


def test_what_is_shown_of_files_looks_again_too(bench: Bench) -> None:
    connector = get_connector("parquet")
    target = Target(
        connector="parquet",
        config={"path": PATTERN},
        secrets={},
        files_root=bench.files,
        allowed_roots=(),
        egress="private-allowed",
        private_dir=bench.files.parent / "private",
    )
    with swapping(bench):
        for _ in range(10):
            table = connector.describe(target, schema="", table=PATTERN)
            assert table.rows == PARTS * ROWS
            sample = connector.sample(
                target, schema="", table=PATTERN, columns=None, filters=[], limit=5
            )
            assert len(sample.rows) == 5


def test_files_that_vanish_while_they_are_listed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = policy._matches(bench.files / PATTERN, PATTERN)
    gone = [bench.files / "lake/orders/gone/part-0.parquet"]
    answers = iter([gone, listed])
    monkeypatch.setattr(policy, "_matches", lambda *_: next(answers))
    assert len(policy.expand_glob(PATTERN, files_root=bench.files)) == PARTS
    monkeypatch.setattr(policy, "_matches", lambda *_: gone)
    with pytest.raises(TransientError, match="change while they are listed"):
        policy.expand_glob(PATTERN, files_root=bench.files)
