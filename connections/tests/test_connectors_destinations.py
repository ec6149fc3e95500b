"""What a check says of a local destination: a SQLite file, a folder for Parquet files."""

from pathlib import Path
from typing import Any

import pytest

from connections.connectors.base import StageStatus, Target
from connections.connectors.registry import get_connector


def check(key: str, files: Path, role: str, **config: Any) -> list[tuple[str, StageStatus, str]]:
    target = Target(key, config, {}, files)
    return [
        (stage.name, stage.status, stage.text) for stage in get_connector(key).check(target, role)
    ]


def test_a_sqlite_file_is_made_by_the_first_run(tmp_path: Path) -> None:
    stages = check("sqlite", tmp_path, "destination", path="w.sqlite")
    assert [(name, status) for name, status, _ in stages] == [
        ("path", StageStatus.OK),
        ("write", StageStatus.OK),
    ]
    assert "will be created" in stages[0][2]
    assert check("sqlite", tmp_path, "source", path="w.sqlite")[-1][1] is StageStatus.FAILED
    assert "no directory" in check("sqlite", tmp_path, "both", path="gone/w.sqlite")[-1][2]
    (tmp_path / "text.sqlite").write_text("hello " * 1000)
    last = check("sqlite", tmp_path, "destination", path="text.sqlite")[-1]
    assert (last[0], last[1]) == ("read", StageStatus.FAILED)


def test_a_folder_for_parquet_files(tmp_path: Path) -> None:
    stages = check("parquet", tmp_path, "destination", path="", folder="lake/raw")
    assert [(name, status) for name, status, _ in stages] == [("write", StageStatus.OK)]
    assert "created by the first run" in stages[0][2]
    for folder in ("../out", "/etc", "**", ""):
        assert check("parquet", tmp_path, "destination", path="", folder=folder)[-1][1] is (
            StageStatus.FAILED
        )
    (tmp_path / "file").touch()
    assert "is a file" in check("parquet", tmp_path, "destination", folder="file")[-1][2]
    both = check("parquet", tmp_path, "both", path="*.parquet", folder="lake")
    assert both[-1][:2] == ("match", StageStatus.FAILED)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"path": "**/*.parquet"}, ""),
        ({"folder": "lake"}, ""),
        ({}, "path"),
        ({"folder": "lake/*"}, "folder"),
        ({"folder": "../lake"}, "folder"),
    ],
)
def test_its_form_wants_one_of_both(data: dict[str, str], wrong: str) -> None:
    form = get_connector("parquet").form_class(data=data)
    assert set(form.errors) == ({wrong} if wrong else set())


def test_what_its_own_loads_wrote_is_its_catalogue(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = tmp_path / "lake" / "raw" / "orders" / "1.1"
    made.mkdir(parents=True)
    for name in ("part-0.parquet", "_rejects.parquet"):
        pq.write_table(pa.table({"id": [1, 2]}), made / name)
    target = Target("parquet", {"path": "", "folder": "lake"}, {}, tmp_path)
    page = get_connector("parquet").discover(target, search="", schema="", after="", limit=10)
    assert [(table.name, table.rows) for table in page.tables] == [
        ("lake/raw/orders/1.1/part-0.parquet", 2)
    ]
