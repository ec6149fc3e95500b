"""Destinations that refuse: the error says which and why, and nothing is left half done."""

import os
from pathlib import Path

import pytest

from pipelines.tests.engine_support import file_endpoint, pg, postgres_endpoint
from pipelines.tests.fidelity.bad_support import shows_nothing
from pipelines.tests.fidelity.ends import DuckDbEnd, PostgresEnd
from pipelines.tests.fidelity.support import Ended, Pipeline, resource
from pipelines.tests.fidelity.test_bad_sources import (  # noqa: F401 - a fixture
    as_role,
    reader,
    tables,
)


@pytest.fixture
def shop(tmp_path: Path) -> Pipeline:
    """A DuckDB source with the tables a and b, without a destination yet."""
    (tmp_path / "files").mkdir()
    start = DuckDbEnd(tmp_path / "files", "shop.duckdb")
    for name in ("a", "b"):
        start.run(
            f"CREATE TABLE {name} AS SELECT n::INTEGER AS id, n::INTEGER AS a FROM range(100) t(n)"
        )
    return Pipeline(tmp_path, start.endpoint(), {}, source_schema="main")


def load(pipeline: Pipeline) -> Ended:
    ended = pipeline.load(resource("a", "main"), resource("b", "main"))
    shows_nothing(ended, pipeline)
    assert ended.error is not None, "the load succeeded"
    assert ended.error["code"] != "internal_error", ended.error
    assert ended.error["message"].endswith("."), ended.error
    for result in ended.results.values():
        assert result["status"] == "failed", result
    return ended


def said(ended: Ended) -> str:
    return f"{ended.error} {ended.results}".lower()


def test_no_right_to_create_the_dataset(shop: Pipeline, postgres_url: str, reader: str) -> None:  # noqa: F811
    shop.spec["destination"] = postgres_endpoint(postgres_url)
    as_role(shop, "destination", reader)
    ended = load(shop)
    assert ended.error is not None
    assert not ended.error["transient"]
    assert ended.error["remedy"], ended.error
    assert "permission denied" in said(ended)
    assert not PostgresEnd(postgres_url).tables("raw")


def test_no_right_to_one_of_the_tables(shop: Pipeline, postgres_url: str, reader: str) -> None:  # noqa: F811
    """Somebody else owns the table b of the dataset."""
    shop.spec["destination"] = postgres_endpoint(postgres_url)
    pg(
        postgres_url,
        "CREATE SCHEMA raw",
        "CREATE TABLE raw.b (id integer, a integer)",
        "INSERT INTO raw.b VALUES (-1, -1)",
        f"GRANT ALL ON SCHEMA raw TO {reader}",
    )
    as_role(shop, "destination", reader)
    ended = shop.load(resource("a", "main"), resource("b", "main"))
    shows_nothing(ended, shop)
    assert ended.error is not None
    assert "b" in ended.error["message"]
    assert {name: result["status"] for name, result in ended.results.items()} == {
        "a": "succeeded",
        "b": "failed",
    }
    end = PostgresEnd(postgres_url)
    assert len(end.read("raw", "a").rows) == 100
    assert list(end.read("raw", "b").rows) == ["-1"]
    assert not end.leftovers({"a", "b"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_duckdb_file(shop: Pipeline) -> None:
    shop.spec["destination"] = file_endpoint("duckdb", "w.duckdb")
    assert shop.load(resource("a", "main")).error is None
    (shop.files / "w.duckdb").chmod(0o444)
    ended = load(shop)
    assert "permission" in said(ended)
    (shop.files / "w.duckdb").chmod(0o644)
    assert not DuckDbEnd(shop.files, "w.duckdb").leftovers({"a"})


def test_a_wrong_password_for_the_destination(
    shop: Pipeline,
    postgres_url: str,
    reader: str,  # noqa: F811
) -> None:
    shop.spec["destination"] = postgres_endpoint(postgres_url)
    as_role(shop, "destination", reader, "not-the-password")
    ended = load(shop)
    assert ended.error is not None
    assert "password" in ended.error["message"], ended.error
    assert ended.error["remedy"], ended.error
    assert not ended.error["transient"]


@pytest.mark.parametrize("what", ["directory", "garbage", "no parent", "outside", "link outside"])
def test_a_duckdb_file_that_is_none(shop: Pipeline, what: str, tmp_path: Path) -> None:
    path = {"no parent": "nowhere/w.duckdb", "outside": "../w.duckdb"}.get(what, "w.duckdb")
    file = shop.files / "w.duckdb"
    if what == "directory":
        file.mkdir()
    elif what == "garbage":
        file.write_bytes(b"not a database" * 1000)
    elif what == "link outside":
        file.symlink_to(tmp_path / "elsewhere.duckdb")
    shop.spec["destination"] = file_endpoint("duckdb", path)
    ended = load(shop)
    assert ended.error is not None
    assert not ended.error["transient"]
    assert not (tmp_path / "w.duckdb").exists()
    assert not (tmp_path / "elsewhere.duckdb").exists()
    if what == "garbage":
        assert file.read_bytes() == b"not a database" * 1000


def test_another_process_holds_the_duckdb_file(shop: Pipeline) -> None:
    """Another writer may be gone a minute later, so the load is tried again."""
    import subprocess
    import sys

    shop.spec["destination"] = file_endpoint("duckdb", "w.duckdb")
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(shop.files / "w.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        ended = load(shop)
        holder.communicate("")
    assert ended.error is not None
    assert ended.error["transient"], ended.error
