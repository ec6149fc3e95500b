"""Sources that change, refuse or vanish: the error names table and cause, the other tables are loaded."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipelines.tests.engine_support import pg
from pipelines.tests.fidelity.bad_support import failed, shows_nothing, untouched
from pipelines.tests.fidelity.ends import End, PostgresEnd
from pipelines.tests.fidelity.routes import Route, destinations, sources
from pipelines.tests.fidelity.support import Ended, Pipeline, resource

ROWS = "INSERT INTO {name} SELECT n, n FROM generate_series(1, 100) n"


def tables(start: End, *names: str) -> None:
    for name in names:
        start.run(f"CREATE TABLE {name} (id integer, a integer)", ROWS.format(name=name))


def made(tmp_path: Path, start: End, end: End) -> Pipeline:
    return Pipeline(
        tmp_path,
        start.endpoint(),
        end.endpoint(),
        dataset=end.dataset,
        source_schema=start.schema,
    )


def wanted(*names: str, **settings: Any) -> list[dict[str, Any]]:
    return [resource(name, "public", **settings) for name in names]


def changes(ended: Ended, table: str) -> list[tuple[str, str, str]]:
    found = ended.results[table]["schema_changes"]
    return [(one["change"], one["column"], one["treatment"]) for one in found]


@pytest.mark.parametrize("destination", destinations("append"))
def test_a_dropped_column_is_kept_and_said(destination: str, tmp_path: Path, route: Route) -> None:
    start, end = route("postgres", destination)
    tables(start, "t")
    pipeline = made(tmp_path, start, end)
    assert pipeline.load(*wanted("t", write_disposition="append")).error is None
    start.run("ALTER TABLE t DROP COLUMN a", "UPDATE t SET id = id + 1000")
    ended = pipeline.load(*wanted("t", write_disposition="append"))
    assert ended.error is None, ended.error
    assert changes(ended, "t") == [("column_removed", "a", "kept")]
    rows = end.read(end.dataset, "t").rows
    assert len(rows) == 200
    assert [rows["1001"]["a"].value, rows["1"]["a"].value] == [None, 1]


@pytest.mark.parametrize("what", ["columns", "cursor", "primary_key", "filters"])
def test_a_dropped_column_that_is_needed(what: str, tmp_path: Path, route: Route) -> None:
    start, end = route("postgres", "duckdb")
    tables(start, "t", "fine")
    needs: dict[str, dict[str, Any]] = {
        "columns": {"columns": ["id", "a"]},
        "cursor": {"cursor": {"column": "a", "initial": None}, "write_disposition": "append"},
        "primary_key": {"primary_key": ["a"], "write_disposition": "merge"},
        "filters": {"filters": [{"column": "a", "op": "gt", "value": 0}]},
    }
    pipeline = made(tmp_path, start, end)
    resources = [*wanted("t", **needs[what]), *wanted("fine")]
    assert pipeline.load(*resources).error is None
    start.run("ALTER TABLE t DROP COLUMN a")
    ended = pipeline.load(*resources)
    failed(ended, pipeline, ["t"], '"a"')
    assert ended.results["fine"]["status"] == "succeeded"
    assert len(end.read(end.dataset, "t").rows) == 100


@pytest.mark.parametrize("destination", destinations("append"))
@pytest.mark.parametrize(
    ("kind", "using", "arrives"), [("bigint", "a * 10000000000", int), ("text", "'x' || a", str)]
)
def test_a_type_that_widens(
    kind: str, using: str, arrives: type, destination: str, tmp_path: Path, route: Route
) -> None:
    if destination == "parquet":
        pytest.skip("files of one table may differ in their types")
    start, end = route("postgres", destination)
    tables(start, "t")
    pipeline = made(tmp_path, start, end)
    assert pipeline.load(*wanted("t", write_disposition="append")).error is None
    start.run(
        f"ALTER TABLE t ALTER COLUMN a TYPE {kind} USING {using}", "UPDATE t SET id = id + 1000"
    )
    ended = pipeline.load(*wanted("t", write_disposition="append"))
    assert ended.error is None, ended.error
    assert [(one[0], one[1]) for one in changes(ended, "t")] == [("type_changed", "a")]
    rows = end.read(end.dataset, "t").rows
    assert len(rows) == 200
    assert isinstance(rows["1001"]["a"].value, arrives)
    assert str(rows["2"]["a"].value) == "2"


@pytest.mark.parametrize("destination", destinations("append"))
def test_a_type_that_changes_under_a_frozen_contract(
    destination: str, tmp_path: Path, route: Route
) -> None:
    start, end = route("postgres", destination)
    tables(start, "t", "fine")
    pipeline = made(tmp_path, start, end)
    contract = {"schema_contract": {"data_type": "freeze"}, "write_disposition": "append"}
    assert pipeline.load(*wanted("t", "fine", **contract)).error is None
    before = end.read(end.dataset, "t")
    start.run("ALTER TABLE t ALTER COLUMN a TYPE text USING 'x' || a")
    ended = pipeline.load(*wanted("t", **contract), *wanted("fine"))
    failed(ended, pipeline, ["t"], '"a"', "text")
    assert end.read(end.dataset, "t") == before
    assert ended.results["fine"]["status"] == "succeeded"


@pytest.mark.parametrize("destination", destinations())
def test_the_source_is_gone_in_the_middle(destination: str, tmp_path: Path, route: Route) -> None:
    start, end = route("postgres", destination)
    assert isinstance(start, PostgresEnd)
    tables(start, "before", "after")
    # Not a view: some ways of reading look at the pages of a table.
    start.run(
        "CREATE TABLE slow (id integer, a integer)",
        "INSERT INTO slow SELECT n, n FROM generate_series(1, 200000) n",
        "CREATE FUNCTION drag(integer) RETURNS integer LANGUAGE sql VOLATILE AS"
        " $$ SELECT CASE WHEN $1 % 1000 = 0 THEN $1 + length(pg_sleep(0.05)::text) ELSE $1 END $$",
        "CREATE VIEW slow_view AS SELECT id, drag(a) AS a FROM slow",
    )
    pipeline = made(tmp_path, start, end)
    with Terminator(start.url, "slow_view") as terminator:
        ended = pipeline.load(*wanted("before", "slow_view", "after"))
    assert terminator.terminated, "the load ended before its source was gone"
    failed(ended, pipeline, ["slow_view"], transient=True)
    loaded = {name: 100 for name in ("before", "after") if _succeeded(ended, name)}
    assert "before" in loaded, ended.results
    assert "after" in ended.results
    untouched(ended, end, loaded, ["slow_view"])


def _succeeded(ended: Ended, name: str) -> bool:
    return name in ended.results and ended.results[name]["status"] == "succeeded"


class Terminator:
    """Ends the server process that reads ``table``, as an administrator or a failover would."""

    def __init__(self, url: str, table: str) -> None:
        self._url, self._table = url, table
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.terminated = 0

    def __enter__(self) -> "Terminator":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _run(self) -> None:
        # Only what has been running for a while: looking at the catalogue is no reading yet.
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state = 'active' AND strpos(query, %s) > 0"
            " AND query_start < clock_timestamp() - interval '200 ms'"
        )
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.is_set() and not self.terminated:
                self.terminated += len(connection.execute(query, [self._table]).fetchall())
                time.sleep(0.02)


PASSWORD = "a-secret-of-its-own"


@pytest.fixture
def reader(postgres_url: str, postgres_server: Any) -> Iterator[str]:
    """The name of a role that may sign in with ``PASSWORD`` and read nothing yet."""
    name = f"reader_{postgres_url[-12:]}"
    pg(postgres_url, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    yield name
    pg(postgres_url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def as_role(pipeline: Pipeline, end: str, name: str, password: str = PASSWORD) -> None:
    config = {**pipeline.spec[end]["config"], "user": name}
    pipeline.spec[end] = {
        **pipeline.spec[end],
        "config": config,
        "secrets": {"password": password},
    }


@pytest.mark.parametrize("destination", destinations())
def test_one_table_may_not_be_read(
    destination: str, tmp_path: Path, route: Route, reader: str
) -> None:
    start, end = route("postgres", destination)
    tables(start, "a", "secret_table", "z")
    start.run(f"GRANT SELECT ON a, z TO {reader}")
    pipeline = made(tmp_path, start, end)
    as_role(pipeline, "source", reader)
    ended = pipeline.load(*wanted("a", "secret_table", "z"))
    failed(ended, pipeline, ["secret_table"], "permission denied")
    untouched(ended, end, {"a": 100, "z": 100}, ["secret_table"])


def test_one_column_may_not_be_read(tmp_path: Path, route: Route, reader: str) -> None:
    start, end = route("postgres", "duckdb")
    tables(start, "a", "b")
    start.run(f"GRANT SELECT ON a TO {reader}", f"GRANT SELECT (id) ON b TO {reader}")
    pipeline = made(tmp_path, start, end)
    as_role(pipeline, "source", reader)
    ended = pipeline.load(*wanted("a", "b"))
    failed(ended, pipeline, ["b"], "permission denied")
    untouched(ended, end, {"a": 100}, ["b"])
    ended = pipeline.load(*wanted("b", columns=["id"]))
    assert ended.error is None, ended.error


@pytest.mark.parametrize("wrong", ["password", "user", "database", "port"])
@pytest.mark.parametrize("source", [key for key in ("postgres", "mysql") if key in sources()])
def test_the_source_cannot_be_reached(
    source: str, wrong: str, tmp_path: Path, route: Route
) -> None:
    start, end = route(source, "duckdb")
    start.run("CREATE TABLE a (id integer)")
    pipeline = made(tmp_path, start, end)
    place = pipeline.spec["source"]
    if wrong == "password":
        place["secrets"]["password"] = "not-the-password"
    else:
        place["config"][wrong] = 1 if wrong == "port" else "nobody_knows_it"
    ended = pipeline.load(resource("a", start.schema))
    shows_nothing(ended, pipeline)
    assert ended.error is not None
    assert ended.error["code"] != "internal_error", ended.error
    # A server that does not answer may answer later; a wrong password stays wrong.
    assert ended.error["transient"] is (wrong == "port"), ended.error
    if wrong in ("password", "user"):
        assert "password" in ended.error["message"], ended.error
        assert ended.error["remedy"], ended.error


def test_a_table_that_is_not_there(tmp_path: Path, route: Route) -> None:
    start, end = route("postgres", "duckdb")
    tables(start, "orders", "fine")
    pipeline = made(tmp_path, start, end)
    ended = pipeline.load(*wanted("order", "fine"))
    error = failed(ended, pipeline, ["order"])
    assert "orders" in f"{error['remedy']} {error['message']} {ended.results}"
    assert len(end.read(end.dataset, "fine").rows) == 100
