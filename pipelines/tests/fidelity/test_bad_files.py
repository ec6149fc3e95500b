"""Damaged and forbidden files: the error names file, line and cause, the other files are loaded."""

import json
from pathlib import Path

import duckdb
import pytest

from pipelines.tests.engine_support import file_endpoint
from pipelines.tests.fidelity.bad_support import failed, untouched
from pipelines.tests.fidelity.ends import End
from pipelines.tests.fidelity.routes import Route
from pipelines.tests.fidelity.support import Ended, Pipeline, resource

MILLION = 1_000_000


def made(tmp_path: Path, format_: str, end: End) -> Pipeline:
    return Pipeline(
        tmp_path, file_endpoint(format_, f"*.{format_}"), end.endpoint(), dataset=end.dataset
    )


def load(pipeline: Pipeline, format_: str, *names: str) -> Ended:
    return pipeline.load(
        *(resource(f"{name}.{format_}", target=name) for name in names), mode="files"
    )


def fine(pipeline: Pipeline, format_: str) -> None:
    text = "id,a\n1,x\n" if format_ == "csv" else '{"id": 1, "a": "x"}\n'
    (pipeline.files / f"fine.{format_}").write_text(text)


@pytest.mark.parametrize("destination", ["postgres", "duckdb"])
def test_a_broken_line_behind_a_million(destination: str, tmp_path: Path, route: Route) -> None:
    _, end = route("duckdb", destination)
    pipeline = made(tmp_path, "jsonl", end)
    fine(pipeline, "jsonl")
    file = pipeline.files / "bad.jsonl"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT n AS id FROM range({MILLION}) t(n)) TO '{file}' (FORMAT json)"
        )
    with file.open("a") as text:
        text.write('{"id": 1000001, "a\n{"id": 1000002}\n')
    ended = load(pipeline, "jsonl", "bad", "fine")
    failed(ended, pipeline, ["bad"], "line")
    said = json.dumps([ended.error, ended.results["bad"]])
    assert "1,000,001" in said or "1000001" in said, said
    untouched(ended, end, {"fine": 1}, ["bad"])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("latin", "id,a\n1,caf\u00e9\n".encode("latin-1"), ["encoding"]),
        ("utf16", "id,a\n1,x\n".encode("utf-16"), ["encoding"]),
        ("ragged", b"id,a\n1,x\n2,y,z\n3,z\n", ["line 3"]),
        ("short", b"id,a\n1,x\n2\n3,z\n", ["line 3"]),
        ("open_quote", b'id,a\n1,"x\n2,y\n', ["quote"]),
        ("nothing", b"", ["empty"]),
        ("binary", bytes(range(256)) * 4, []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_csv_file(
    name: str, content: bytes, words: list[str], tmp_path: Path, route: Route
) -> None:
    _, end = route("duckdb", "duckdb")
    pipeline = made(tmp_path, "csv", end)
    fine(pipeline, "csv")
    (pipeline.files / f"{name}.csv").write_bytes(content)
    ended = load(pipeline, "csv", name, "fine")
    failed(ended, pipeline, [name], *words)
    untouched(ended, end, {"fine": 1}, [name])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut", b'{"id": 1}\n{"id": 2'),
        ("text", b"no json at all\n"),
        ("latin", '{"id": 1, "a": "caf\u00e9"}\n'.encode("latin-1")),
        ("not_gzip", b"\x1f\x8bthis is no gzip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_json_lines_file(name: str, content: bytes, tmp_path: Path, route: Route) -> None:
    _, end = route("duckdb", "duckdb")
    pipeline = made(tmp_path, "jsonl", end)
    fine(pipeline, "jsonl")
    (pipeline.files / f"{name}.jsonl").write_bytes(content)
    ended = load(pipeline, "jsonl", name, "fine")
    failed(ended, pipeline, [name])
    untouched(ended, end, {"fine": 1}, [name])


def test_a_parquet_file_cut_short(tmp_path: Path, route: Route) -> None:
    _, end = route("duckdb", "duckdb")
    pipeline = made(tmp_path, "parquet", end)
    with duckdb.connect() as connection:
        for name in ("fine", "cut"):
            place = pipeline.files / f"{name}.parquet"
            connection.execute(f"COPY (SELECT 1 AS id) TO '{place}' (FORMAT parquet)")
    whole = (pipeline.files / "cut.parquet").read_bytes()
    (pipeline.files / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    ended = load(pipeline, "parquet", "cut", "fine")
    failed(ended, pipeline, ["cut"])
    untouched(ended, end, {"fine": 1}, ["cut"])


@pytest.mark.parametrize("what", ["file", "directory", "pattern", "upwards", "missing"])
def test_links_out_of_the_files_directory(what: str, tmp_path: Path, route: Route) -> None:
    """A link is judged by where it leads; what lies there is neither read nor named."""
    _, end = route("duckdb", "duckdb")
    pipeline = made(tmp_path, "csv", end)
    fine(pipeline, "csv")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "private.csv").write_text("id,top_secret\n1,the-secret-value\n")
    (pipeline.files / "linked.csv").symlink_to(outside / "private.csv")
    (pipeline.files / "inside").symlink_to(outside)
    name = {
        "file": "linked.csv",
        "directory": "inside/private.csv",
        "pattern": "l*.csv",
        "upwards": "../outside/private.csv",
        "missing": "not_there.csv",
    }[what]
    ended = pipeline.load(
        resource(name, target="bad"), resource("fine.csv", target="fine"), mode="files"
    )
    failed(ended, pipeline, [name])
    said = json.dumps([*ended.events, ended.error])
    for word in ("top_secret", "the-secret-value", str(outside)):
        assert word not in said, said
    untouched(ended, end, {"fine": 1}, ["bad"])
