"""JSON files: arrays and objects, compressed or not, and where one is broken."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from common.errors import UserError
from pipelines.tests.engine_support import Bench, duck, file_endpoint, results

ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "Ada", "price": 1.10, "at": "2024-02-29T10:00:00", "tags": ["a"]},
    {"id": 2, "name": None, "price": 20, "more": {"n": 1}},
]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, file_endpoint("json", "**/*.json*"), file_endpoint("duckdb", "w.duckdb"))


def rows(bench: Bench, query: str) -> list[tuple[Any, ...]]:
    return duck(bench.files / "w.duckdb", query)


def load(bench: Bench, name: str) -> dict[str, Any]:
    return results(bench.load({"name": name, "target": "t"}, mode="files"))[name]


def test_arrays_objects_and_lines_are_one_table(bench: Bench) -> None:
    (bench.files / "array.json").write_text(json.dumps(ROWS, indent=2))
    (bench.files / "lines.json").write_text('{"id": 3, "price": 0.01}\n{"id": 4}\n')
    (bench.files / "objects.json").write_text('{\n  "id": 5\n}\n{"id": 6,\n "name": "x"}')
    with gzip.open(bench.files / "packed.json.gz", "wt") as file:
        file.write('[{"id": 7}]')
    with pa.CompressedOutputStream(str(bench.files / "packed.json.zst"), "zstd") as stream:
        stream.write(b'{"id": 8}\n')
    result = load(bench, "*.json*")
    assert result["rows_loaded"] == 8
    found = rows(bench, 'SELECT id, name, price, "at"::VARCHAR, tags, more FROM raw.t ORDER BY id')
    assert found[0] == (1, "Ada", Decimal("1.10"), "2024-02-29 10:00:00", '["a"]', None)
    assert found[1] == (2, None, Decimal("20.00"), None, None, '{"n":1}')
    assert found[2][:3] == (3, None, Decimal("0.01"))
    assert [row[0] for row in found[3:]] == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_broken_line_is_named_exactly(bench: Bench, ending: str) -> None:
    bench.spec["source"] = file_endpoint("jsonl", "*.jsonl*")
    lines = [b'{"id": %d}\n' % number for number in range(1, 1_200_001)]
    lines[1_000_000] = b'{"id": \n'
    data = b"".join(lines)
    name = f"events.jsonl{ending}"
    (bench.files / name).write_bytes(gzip.compress(data, 1) if ending else data)
    with pytest.raises(UserError, match=f"{name}: malformed JSON in line 1,000,001") as caught:
        load(bench, name)
    assert caught.value.code == "malformed_json"
    assert str(bench.files) not in str(vars(caught.value))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[\n{"id": 1},\n{"id": 2,\n{"id": 3}\n]', 4),
        ('[\n{"id": 1},\n{"id": 2}\n', 4),
        ('{"id": 1,\n "a": 1}\n{"id": 2,\n "a": nope}\n', 4),
        ('[{"id": 1}, {"id": tru}]', 1),
    ],
)
def test_a_broken_document_is_named_by_its_line(bench: Bench, text: str, line: int) -> None:
    (bench.files / "a.json").write_text(text)
    with pytest.raises(UserError, match=rf"a\.json: malformed JSON in line {line}\."):
        load(bench, "a.json")


def test_values_that_are_no_objects_are_refused(bench: Bench) -> None:
    (bench.files / "a.json").write_text("[1, 2, 3]")
    with pytest.raises(UserError):
        load(bench, "a.json")


def test_a_check_names_the_line_too(bench: Bench) -> None:
    from connections.connectors.base import Target
    from connections.connectors.registry import get_connector

    (bench.files / "a.json").write_text('[\n{"id": 1},\n{"id": }\n]')
    target = Target("json", {"path": "a.json"}, {}, bench.files)
    last = list(get_connector("json").check(target, "source"))[-1]
    assert "malformed JSON in line 3" in last.text
