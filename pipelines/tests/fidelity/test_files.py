"""Files of every format into every destination: each value arrives as the file means it."""

import json
from pathlib import Path

import pytest

from pipelines.tests.engine_support import file_endpoint
from pipelines.tests.fidelity import file_types
from pipelines.tests.fidelity.catalogue import Col
from pipelines.tests.fidelity.compare import accounts, differences
from pipelines.tests.fidelity.ends import End, Grid
from pipelines.tests.fidelity.routes import FILES, Route, destinations, sources
from pipelines.tests.fidelity.support import Ended, Pipeline, resource

_ID = Col("id", "int", ())
TEXT_FILES = {"csv": file_types.CSV, "jsonl": file_types.JSON, "json": file_types.JSON}


def _write(format_: str, files: Path) -> tuple[Grid, list[Col], dict[str, str]]:
    """What the files mean, their columns, and the names of the files by target."""
    if format_ == "parquet":
        return (
            file_types.write_parquet(files / "all.parquet"),
            list(file_types.PARQUET),
            {"all": "all.parquet"},
        )
    columns = TEXT_FILES[format_]
    text = _text(format_)
    names = {}
    for ending, compression in file_types.COMPRESSIONS.items():
        name = f"all.{format_}{ending}"
        file_types.write(files / name, text, compression)
        names[f"all{ending.replace('.', '_')}"] = name
    return file_types.meaning(columns), [column.expect for column in columns], names


def _text(format_: str) -> str:
    if format_ == "csv":
        return file_types.csv_text(file_types.CSV)
    objects = file_types.json_objects(file_types.JSON)
    return (
        "\n".join([*objects, ""]) if format_ == "jsonl" else "[\n" + ",\n".join(objects) + "\n]\n"
    )


def _load(tmp_path: Path, format_: str, end: End, names: dict[str, str]) -> Ended:
    pattern = f"**/*.{format_}*"
    pipeline = Pipeline(
        tmp_path, file_endpoint(format_, pattern), end.endpoint(), dataset=end.dataset
    )
    wanted = [resource(name, target=target) for target, name in names.items()]
    return pipeline.load(*wanted, mode="files")


@pytest.mark.parametrize("destination", destinations())
@pytest.mark.parametrize("format_", [key for key in FILES if key in sources()])
def test_every_value_of_a_file(
    format_: str, destination: str, tmp_path: Path, route: Route
) -> None:
    _, end = route("duckdb", destination)
    wanted, columns, names = _write(format_, tmp_path / "files")
    ended = _load(tmp_path, format_, end, names)
    problems = [] if ended.error is None else [str(ended.error)]
    for target in names:
        result = ended.results.get(target)
        if result is None or result["status"] != "succeeded":
            problems.append(f"{target} was not loaded: {result and result['message']}")
            continue
        found = end.read(end.dataset, target)
        problems += differences(wanted, found, [_ID, *columns], destination, result)
        problems += accounts(result, wanted, found)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("destination", destinations())
@pytest.mark.parametrize("format_", [key for key in ("csv", "jsonl") if key in sources()])
def test_unusual_files(format_: str, destination: str, tmp_path: Path, route: Route) -> None:
    """Many columns, no rows, names that need care, and a pattern over files that differ in their columns."""
    _, end = route("duckdb", destination)
    files = tmp_path / "files"
    (files / "größe").mkdir()
    (files / "year=2024").mkdir()
    names = [f"c{number:03}" for number in range(299)]
    contents = {
        "wide.csv": f"id,{','.join(names)}\n1,{','.join('7' for _ in names)}\n",
        "empty.csv": "id,a\n",
        "größe/ä [b] 100%.csv": "id,a\n1,x\n",
        "year=2024/a.csv": "id,a\n1,x\n",
        "year=2024/b.csv": "a,id\ny,2\n",
        "crlf.csv": "id,a\r\n1,x\r\n2,\r\n",
        "bom.csv": "\ufeffid,a\n1,x\n",
        "wide.jsonl": json.dumps({"id": 1, **dict.fromkeys(names, 7)}) + "\n",
        "größe/ä [b] 100%.jsonl": '{"id": 1, "a": "x"}\n',
        "year=2024/a.jsonl": '{"id": 1, "a": "x"}\n',
        "year=2024/b.jsonl": '{"a": "y", "id": 2}\n',
        "crlf.jsonl": '{"id": 1, "a": "x"}\r\n{"id": 2}\r\n',
    }
    for name, text in contents.items():
        (files / name).write_bytes(text.encode())
    expected = {
        "wide": ("wide", [1], 300),
        "odd_name": ("größe/ä [b] 100%", [1], 2),
        "pattern": ("year=2024/*", [1, 2], 2),
        "crlf": ("crlf", [1, 2], 2),
        **({"empty": ("empty", [], 2), "bom": ("bom", [1], 2)} if format_ == "csv" else {}),
    }
    names_by_target = {target: f"{stem}.{format_}" for target, (stem, _, _) in expected.items()}
    ended = _load(tmp_path, format_, end, names_by_target)
    assert ended.error is None, ended.error
    for target, (_, ids, width) in expected.items():
        found = end.read(end.dataset, target)
        assert sorted(map(int, found.rows)) == ids, target
        assert len(found.types) == width + 1, f"{target}: {list(found.types)}"
